"""The inverted index."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from router.postings import Postings

_DOCUMENTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=8).map(Counter[str]), max_size=8)


@given(_DOCUMENTS)
def test_postings_hold_each_count(documents: list[Counter[str]]) -> None:
    """What comes out for a term is what went in: the tools in order and how often each holds it."""
    postings = Postings.build(documents)
    for term in "abcdefg":
        rows, counts = postings.of(term)
        expected = [(row, float(found[term])) for row, found in enumerate(documents) if term in found]
        assert list(zip(rows.tolist(), counts.tolist(), strict=True)) == expected
        assert postings.frequency(term) == len(expected)


@given(_DOCUMENTS)
def test_postings_know_lengths(documents: list[Counter[str]]) -> None:
    """A tool's length is the number of its terms, repeated ones too."""
    assert Postings.build(documents).lengths.tolist() == [found.total() for found in documents]
