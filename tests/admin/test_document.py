"""docs/admin-api.md does what it says: its examples are run, and its answers compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.errors import ANSWERS
from router.types import Reason
from tests.admin.asking import KEY
from tests.conftest import StartGateway

TEXT = (Path(__file__).parents[2] / "docs" / "admin-api.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"<!-- run -->\n```bash\n(?P<command>.*?)\n```"
    r"(?:\n\n<!-- gives(?P<how>: keys)? -->\n```json\n(?P<answer>.*?)\n```)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A command of the document, and what it says that comes back."""

    command: str
    answer: str | None
    keys_only: bool


EXAMPLES = [Example(m["command"], m["answer"], bool(m["how"])) for m in EXAMPLE.finditer(TEXT)]


def shape(value: Any) -> Any:
    """Give a JSON value without its numbers and texts."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_the_examples_give_what_the_document_says(start_gateway: StartGateway, tmp_path: Path) -> None:
    """Every command runs in order; the answers are the ones that stand below them."""
    managed = {"UPSTREAM__CREDENTIALS": "managed", "UPSTREAM__API_KEY": "sk-of-the-provider"}
    gateway = start_gateway(ADMIN__KEY=KEY, CALLERS__PEPPER="a-pepper-of-more-than-32-characters", **managed)
    known = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    values = known | {"TOOLFUNNEL": gateway.url, "ADMIN_KEY": gateway.admin_key}
    for example in EXAMPLES:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", example.command],
            cwd=tmp_path, env=values, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), example.command
        if example.answer is not None:
            said, given = json.loads(example.answer), json.loads(done.stdout)
            assert (shape(given) if example.keys_only else given) == (shape(said) if example.keys_only else said)
    assert len((tmp_path / "catalogue.jsonl").read_text().splitlines()) == 5


def test_the_document_has_no_example_that_is_not_run() -> None:
    """Apart from the two variables, every shell block is run."""
    assert len(EXAMPLES) == TEXT.count("```bash") - 1
    assert sum(example.answer is not None for example in EXAMPLES) == TEXT.count("```json")


def test_the_document_lists_the_errors_of_the_admin_api() -> None:
    """Status and code in the table are those of the program, and no error of the registry is missing."""
    told = {code: int(status) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", TEXT, re.MULTILINE)}
    known = {answer.code: answer.status for answer in ANSWERS.values()}
    assert told.pop("method_not_allowed") == 405
    assert told == {code: known.get(code) for code in told}
    assert {code for code in known if code.startswith("registry_")} <= told.keys()


def test_the_document_explains_every_reason() -> None:
    """Whatever `why` can be stands in the table."""
    told = re.findall(r"^\| `([^`]+)` \| (?:yes|no) \|", TEXT, re.MULTILINE)
    assert set(told) == {*Reason, "request left as it came"}
