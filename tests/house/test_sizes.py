"""Nothing grows beyond what a reader can hold."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_MODULES = sorted(path.relative_to(_ROOT) for top in ("app", "router") for path in (_ROOT / top).rglob("*.py"))
_LINES_A_MODULE = 400
_LINES_A_FUNCTION = 50


@pytest.mark.parametrize("module", _MODULES, ids=str)
def test_module_is_short(module: Path) -> None:
    """A module has fewer than 400 lines."""
    assert len((_ROOT / module).read_text("utf-8").splitlines()) < _LINES_A_MODULE


@pytest.mark.parametrize("module", _MODULES, ids=str)
def test_functions_are_short(module: Path) -> None:
    """A function has at most 50 lines, its docstring among them."""
    tree = ast.parse((_ROOT / module).read_text("utf-8"))
    lengths = {
        f"{node.name}, line {node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > _LINES_A_FUNCTION} == {}
