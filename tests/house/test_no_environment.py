"""The environment is read in one place, and tests fake by hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_READERS = {"environ", "environb", "getenv", "getenvb"}
_MODULES = sorted(
    path.relative_to(_ROOT)
    for top in ("app", "router")
    for path in (_ROOT / top).rglob("*.py")
    if path.parent != _ROOT / "app" / "settings"
)
_TESTS = sorted(path.relative_to(_ROOT) for path in (_ROOT / "tests").rglob("*.py"))


def _reads(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and node.attr in _READERS:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in _READERS)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", _MODULES, ids=str)
def test_module_reads_no_environment(module: Path) -> None:
    """Only `app/settings` knows environment variables."""
    assert list(_reads(ast.parse((_ROOT / module).read_text("utf-8")))) == []


@pytest.mark.parametrize("module", _TESTS, ids=str)
def test_tests_fake_by_hand(module: Path) -> None:
    """No test imports a mocking library."""
    imported = set(_imports(ast.parse((_ROOT / module).read_text("utf-8"))))
    assert not any(name.startswith(("unittest.mock", "mock.", "pytest_mock")) for name in imported | {""})


def test_reads_are_seen() -> None:
    """The test above finds what it looks for."""
    code = "import os\nfrom os import environ, path\nos.getenv('A')\nos.environ['A']\nos.path"
    assert sorted(_reads(ast.parse(code))) == [2, 3, 4]
