"""The mutants of `make mutants` fit the code and the tests as they are, and the document tells what became of each."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.mutants.__main__ import BEGIN, DOCUMENT, END, name_of
from tests.mutants.table import MUTANTS

NEW = "not run yet"
ROOT = Path(__file__).parents[2]


def functions(path: str) -> set[str]:
    """Return the names of the functions of a test file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_mutants_fit_the_code() -> None:
    """The text that each replaces stands in its file just once, and what is put there is Python and differs."""
    wrong = []
    for mutant in MUTANTS:
        code = (ROOT / mutant.path).read_text(encoding="utf-8")
        mutated = code.replace(mutant.old, mutant.new)
        ast.parse(mutated)
        if code.count(mutant.old) != 1 or mutated == code:
            wrong.append(mutant.name)
    assert wrong == []
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_mutants_name_tests_that_exist() -> None:
    """Each has tests that have to find it, and all of these are there."""
    wrong = [
        (mutant.name, test)
        for mutant in MUTANTS
        for test in mutant.tests or ("",)
        if name_of(test) not in functions(test.partition("::")[0])
    ]
    assert wrong == []


def test_mutants_are_all_found_as_the_document_tells() -> None:
    """docs/reliability.md has one row a mutant, in order, with a test of its own that found it, unless it is new."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == [mutant.name for mutant in MUTANTS]
    for (_, path, found), mutant in zip(rows, MUTANTS, strict=True):
        assert path == f"`{mutant.path}`"
        assert set(found.split("<br>")) <= {NEW, *(f"`{name_of(test)}`" for test in mutant.tests)}
    assert len(rows) >= 20
