"""The environment is read in one place, and tests fake by hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

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


def _tree(module: Path) -> ast.AST:
    return ast.parse((_ROOT / module).read_text("utf-8"))


def _mocks(tree: ast.AST) -> list[str]:
    return [name for name in _imports(tree) if name.startswith(("unittest.mock", "mock.", "pytest_mock"))]


def test_modules_read_no_environment() -> None:
    """Only `app/settings` knows environment variables."""
    lines = {str(module): list(_reads(_tree(module))) for module in _MODULES}
    assert {module: found for module, found in lines.items() if found} == {}


def test_tests_fake_by_hand() -> None:
    """No test imports a mocking library."""
    mocks = {str(module): _mocks(_tree(module)) for module in _TESTS}
    assert {module: found for module, found in mocks.items() if found} == {}


def test_reads_and_mocks_are_seen() -> None:
    """The tests above find what they look for."""
    code = "import os\nfrom os import environ, path\nos.getenv('A')\nos.environ['A']\nos.path"
    assert sorted(_reads(ast.parse(code))) == [2, 3, 4]
    assert _mocks(ast.parse("import os\nfrom unittest import mock")) == ["unittest.mock"]
