"""Questions as agents, editors and RAG applications wrap them: they find what they find alone.

Everything goes through `toolfunnel eval`; the forms are those of bench/forms.json, of which `unseen` were made after
the reading of turns was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import forms
from tests.cli.command import Place

ROOT = Path(__file__).parents[2]
WRITE = {"SAFETY__ALLOW": '["read", "write"]'}
TAKES_S = 500.0
QUESTIONS = 12  # in each form
# How many questions fewer may find their tools than alone, where it is more than one: the first sentence of a question
# can be taken for a document's last, and a chat's other lines stay beside it.
HARDER = {"one_paragraph": 2, "slack": QUESTIONS}


@pytest.mark.timeout(TAKES_S)
def test_wrapped_questions_find_their_tools(tmp_path: Path) -> None:
    """In every form all questions but one that get all their tools alone get them, and nearly all over all forms."""
    asked = tmp_path / "forms.jsonl"
    forms.write(asked, limit=QUESTIONS)
    place = Place(tmp_path, WRITE)
    catalog = ("--catalog", str(ROOT / "examples" / "catalog"))
    done = place.run("eval", *catalog, "--queries", str(asked), "--misses", "0", "--json", limit_s=TAKES_S)
    assert done.code == 0, done.err
    by: dict[str, Any] = done.json["datasets"][0]["summary"]["by"]["category"]
    sent = {name: group["figures"]["C@sent"] for name, group in by.items()}
    plain = sent.pop("plain")
    assert plain > 0.5
    assert len(sent) > 80
    one = 1 / QUESTIONS
    assert {name: share for name, share in sent.items() if share < plain - HARDER.get(name, 1) * one - 1e-9} == {}
    assert sum(sent.values()) / len(sent) > 0.97 * plain
