"""Names of imported tools: legal, unique, the same at every import, whatever the others are called."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.imports.names import assign

LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ORIGINALS = st.lists(st.text(min_size=0, max_size=90), unique=True, max_size=12)


@given(first=ORIGINALS, later=ORIGINALS)
def test_names_are_legal_unique_and_stay(first: list[str], later: list[str]) -> None:
    """Whatever a source calls its tools, and whatever comes later: a name once given means the same tool."""
    before = assign({one: one for one in first}, "crm__", {})
    after = assign({one: one for one in [*later, *first]}, "crm__", before)
    assert all(LEGAL.fullmatch(name) for name in after.values())
    assert len(set(after.values())) == len(after)
    assert {one: after[one] for one in first} == before


def test_names_that_are_legal_stay_as_they_are() -> None:
    """A legal name wins over one that has to be changed, wherever it stands."""
    assert assign({"a.b": "a.b", "a_b": "a_b"}, "", {}) == {"a_b": "a_b", "a.b": "a_b_2e7336dc"}


def test_names_that_are_too_long_end_with_a_mark() -> None:
    """Two names with the same beginning stay apart."""
    names = assign({"x" * 100: "x" * 100, "x" * 101: "x" * 101}, "crm__", {})
    assert {len(name) for name in names.values()} == {64}
    assert len(set(names.values())) == 2
