"""Nothing grows beyond what a reader can hold."""

from __future__ import annotations

import ast
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_MODULES = sorted(path.relative_to(_ROOT) for top in ("app", "router") for path in (_ROOT / top).rglob("*.py"))
_LINES_A_MODULE = 400
_LINES_A_FUNCTION = 50


def test_modules_are_short() -> None:
    """A module has fewer than 400 lines."""
    lengths = {str(module): len((_ROOT / module).read_text("utf-8").splitlines()) for module in _MODULES}
    assert {module: lines for module, lines in lengths.items() if lines >= _LINES_A_MODULE} == {}


def test_functions_are_short() -> None:
    """A function has at most 50 lines, its docstring among them."""
    lengths = {
        f"{module}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in _MODULES
        for node in ast.walk(ast.parse((_ROOT / module).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > _LINES_A_FUNCTION} == {}
