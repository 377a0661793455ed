"""docs/reliability.md says which tests hold which fault; this holds it to that, group by group."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHOLE = {"A": 25, "B": 27, "C": 19, "D": 13}  # groups of which every case is listed
SUITES = ("faults", "edge", "operations", "load", "durability", "contract", "admin", "cli", "auth", "imports")
# C-cases of the protocols have the same numbers: those of the registry say so.
CASE = re.compile(r"(?<=_)[abdefgh]\d\d(?=_)|(?<=_durability_)c\d\d(?=_)")
ROW = re.compile(r"^\| ([A-Z]\d\d) \|[^|]+\|([^|]*)\|[^|]*\| (\w+) \|$", re.MULTILINE)
ROWS = {
    case: (re.findall(r"`(test_\w+)`", listed), state)
    for case, listed, state in ROW.findall((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"))
}


def names() -> list[str]:
    """Give the names of all tests of faults."""
    paths = (path for suite in SUITES for path in (ROOT / "tests" / suite).glob("test_*.py"))
    nodes = (node for path in paths for node in ast.parse(path.read_text(encoding="utf-8")).body)
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node.name for node in functions if node.name.startswith("test_")]


def test_reliability_has_a_row_for_every_case() -> None:
    """The tables list all cases of these groups, in order, once each, and every case that a test has."""
    whole = [f"{group}{number:02}" for group, last in WHOLE.items() for number in range(1, last + 1)]
    assert [case for case in ROWS if case[0] in WHOLE] == whole
    assert {case.upper() for name in names() for case in CASE.findall(name)} <= set(ROWS)


def numbered(case: str, tests: list[str]) -> list[str]:
    """Return those of the tests that carry the case's number, sorted."""
    return sorted(test for test in tests if case.lower() in CASE.findall(test))


def test_reliability_lists_exactly_the_tests_of_every_case() -> None:
    """The tests in a row are those that carry the case's number."""
    every = names()
    wrong = {case: listed for case, (listed, _) in ROWS.items() if numbered(case, listed) != numbered(case, every)}
    assert wrong == {}


def test_reliability_states_what_its_tests_show() -> None:
    """A case that holds has tests; the other states are argued and later."""
    assert {case: state for case, (_, state) in ROWS.items() if state not in {"holds", "argued", "later"}} == {}
    assert [case for case, (listed, state) in ROWS.items() if state == "holds" and not listed] == []
