"""The examples of a document, as a reader would run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_EXAMPLE = re.compile(r"<!-- test -->\n```(?P<language>\w+)\n(?P<text>.*?)\n```", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A block marked with `<!-- test -->`."""

    language: str
    text: str


def examples(path: str) -> list[Example]:
    """Give the marked blocks of a document of the project, in order."""
    document = (ROOT / path).read_text(encoding="utf-8")
    return [Example(match["language"], match["text"]) for match in _EXAMPLE.finditer(document)]
