"""docs/reliability.md says which tests hold which fault; this holds it to that, group by group."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GROUPS = {"A": 23}
CASES = [f"{group}{number:02}" for group, last in GROUPS.items() for number in range(1, last + 1)]
CASE = re.compile(rf"(?<=_)[{''.join(GROUPS).lower()}]\d\d(?=_)")
ROW = re.compile(r"^\| ([A-Z]\d\d) \|[^|]+\|([^|]*)\|[^|]*\| (\w+) \|$", re.MULTILINE)
ROWS = {
    case: (re.findall(r"`(test_\w+)`", listed), state)
    for case, listed, state in ROW.findall((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"))
}


def names() -> list[str]:
    """Give the names of all tests of faults."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "faults").glob("test_*.py"))
    nodes = (node for source in sources for node in ast.parse(source).body)
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def test_reliability_has_a_row_for_every_case() -> None:
    """The tables list all cases of these groups, in order, once each."""
    assert [case for case in ROWS if case[0] in GROUPS] == CASES


@pytest.mark.parametrize("case", CASES)
def test_reliability_lists_exactly_the_tests_of_a_case(case: str) -> None:
    """The tests in a row are those that carry the case's number, and a case that holds has some."""
    tests, state = ROWS[case]
    numbered = [test for test in tests if case.lower() in CASE.findall(test)]
    assert sorted(numbered) == sorted(name for name in names() if case.lower() in CASE.findall(name))
    assert state in {"holds", "argued", "later"}
    assert numbered or state != "holds"
