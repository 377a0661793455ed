"""docs/conformance.md says which tests hold which case; this holds it to that."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASE = re.compile(r"(?<=_)(?:[cspm]\d|e0)\d(?=_)")
ROW = re.compile(r"^\| ([CESPM]\d\d) \| (.+) \| (.+) \| (\w+) \|$", re.MULTILINE)
KINDS = (("C", 38), ("S", 9), ("E", 8), ("P", 12), ("M", 9))
EVERY_CASE = [f"{kind}{n:02}" for kind, last in KINDS for n in range(1, last + 1)]
ROWS = {
    case: (re.findall(r"`(test_\w+)`", listed), state)
    for case, _, listed, state in ROW.findall((ROOT / "docs" / "conformance.md").read_text(encoding="utf-8"))
}


def names() -> list[str]:
    """Give the names of all tests of these cases."""
    paths = (path for folder in ("gateway", "edge", "imports") for path in (ROOT / "tests" / folder).glob("test_*.py"))
    sources = (path.read_text(encoding="utf-8") for path in paths)
    nodes = (node for source in sources for node in ast.parse(source).body)
    return [
        n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name.startswith("test")
    ]


def test_conformance_has_a_row_for_every_case() -> None:
    """The table lists all cases, in order, once each."""
    assert list(ROWS) == EVERY_CASE


@pytest.mark.parametrize("case", EVERY_CASE)
def test_conformance_lists_exactly_the_tests_of_a_case(case: str) -> None:
    """The tests in a row are those that carry the case's number in their names, and they exist."""
    assert sorted(ROWS[case][0]) == sorted(name for name in names() if case.lower() in CASE.findall(name))


@pytest.mark.parametrize("case", EVERY_CASE)
def test_conformance_states_what_its_tests_show(case: str) -> None:
    """A case that holds has tests; the other states are argued and later."""
    tests, state = ROWS[case]
    assert state in {"holds", "argued", "later"}
    assert tests or state != "holds"


def test_conformance_knows_no_other_cases() -> None:
    """No test carries the number of a case that the table does not have."""
    assert {case.upper() for name in names() for case in CASE.findall(name)} <= set(EVERY_CASE)
