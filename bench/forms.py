"""Questions wrapped as agents, editors and RAG applications wrap them: is what is asked found in any of them?

    python -m bench.forms [--half seen|unseen] [--limit N] OUT.jsonl

writes the single-turn questions of the examples in every form of forms.json, for `toolfunnel eval --catalog
examples/catalog --queries OUT.jsonl`; the categories are the forms. Those of `seen` were looked at while the reading of
turns was made, those of `unseen` were not: the figures of both should be alike. A form is a text, or the texts of the
parts of a message; `{{question}}` (in JSON `{{quoted}}`) and the names of `fragments` stand for what they say.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

QUESTIONS = Path(__file__).parent.parent / "examples" / "questions" / "queries.jsonl"
_SEED = 1
HALVES = ("seen", "unseen")


@cache
def _document() -> dict[str, dict[str, Any]]:
    document: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "forms.json").read_text("utf-8"))
    return document


def names(half: str) -> list[str]:
    """Give the names of the forms of a half."""
    return list(_document()[half])


def texts(half: str, name: str, question: str) -> list[str]:
    """Give a question in a form: the texts of the parts of a message."""
    form = _document()[half][name]
    return [_filled(part, question) for part in (form if isinstance(form, list) else [form])]


def _filled(text: str, question: str) -> str:
    fragments = _document()["fragments"]
    for _ in range(2):  # a fragment may hold others
        for name, fragment in fragments.items():
            text = text.replace(f"{{{{{name}}}}}", fragment)
    return text.replace("{{quoted}}", json.dumps(question, ensure_ascii=False)).replace("{{question}}", question)


def rows(half: str, limit: int) -> Iterator[dict[str, Any]]:
    """Give so many questions in each form, the same ones in all, as lines of a queries file."""
    found = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    asked = [one for one in found if one["category"] in ("single", "several")]
    drawn = random.Random(_SEED).sample(asked, min(limit, len(asked)))
    for name in names(half):
        for one in drawn:
            parts = texts(half, name, one["messages"][-1]["content"])
            content = parts[0] if len(parts) == 1 else [{"type": "text", "text": part} for part in parts]
            messages = [*one["messages"][:-1], {"role": "user", "content": content}]
            yield one | {"id": f"{name}/{one['id']}", "category": name, "messages": messages}


def write(out: Path, halves: tuple[str, ...] = HALVES, limit: int = 80) -> None:
    """Write so many questions in every form of the halves."""
    lines = [json.dumps(row, ensure_ascii=False) for half in halves for row in rows(half, limit)]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(
    out: Annotated[Path, typer.Argument(help="Where to write.")],
    half: Annotated[str, typer.Option(help="seen, unseen or both.")] = "both",
    limit: Annotated[int, typer.Option(help="So many questions in each form.")] = 80,
) -> None:
    """Write the questions in every form."""
    write(out, (half,) if half in HALVES else HALVES, limit)


if __name__ == "__main__":
    typer.run(main)
