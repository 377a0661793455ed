"""docs/conformance.md says which tests hold which case; this holds it to that."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASE = re.compile(r"(?<=_)(?:[cspm]\d|e0)\d(?=_)")
ROW = re.compile(r"^\| ([CESPM]\d\d) \| (.+) \| (.+) \| (\w+) \|$", re.MULTILINE)
KINDS = (("C", 38), ("S", 9), ("E", 8), ("P", 12), ("M", 9))
EVERY_CASE = [f"{kind}{n:02}" for kind, last in KINDS for n in range(1, last + 1)]
ROWS = {
    case: (re.findall(r"`(test_\w+)`", listed), state)
    for case, _, listed, state in ROW.findall((ROOT / "docs" / "conformance.md").read_text(encoding="utf-8"))
}


def by_case() -> dict[str, list[str]]:
    """Return the tests of every case that any test has, sorted."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(names()):
        for case in CASE.findall(name):
            found[case.upper()].append(name)
    return dict(found)


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


def test_conformance_lists_exactly_the_tests_of_every_case() -> None:
    """The tests in a row are those that carry the case's number in their names; every number has a row."""
    assert {case: sorted(listed) for case, (listed, _) in ROWS.items() if listed} == by_case()


def test_conformance_states_what_its_tests_show() -> None:
    """A case that holds has tests; the other states are argued and later."""
    assert {case: state for case, (_, state) in ROWS.items() if state not in {"holds", "argued", "later"}} == {}
    assert [case for case, (listed, state) in ROWS.items() if state == "holds" and not listed] == []
