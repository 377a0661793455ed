"""Unicode is normalised in one place, which bounds what that takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PLACE = Path("router/text.py")
_MODULES = sorted(path.relative_to(_ROOT) for top in ("app", "router") for path in (_ROOT / top).rglob("*.py"))


def _uses(code: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr in ("normalize", "is_normalized"):
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "unicodedata":
            yield from (node.lineno for alias in node.names if alias.name in ("normalize", "is_normalized"))


def test_unicode_is_normalised_in_one_place() -> None:
    """Only `router/text.py` normalises: the C function takes the square of a run of combining marks."""
    found = {str(module) for module in _MODULES for _ in _uses((_ROOT / module).read_text("utf-8"))}
    assert found == {str(_PLACE)}


def test_uses_are_seen() -> None:
    """The test above finds what it looks for."""
    code = "import unicodedata as u\nfrom unicodedata import normalize, name\nu.normalize('NFC', '')\nu.name('a')"
    assert sorted(_uses(code)) == [2, 3]
