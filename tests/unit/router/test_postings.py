"""The inverted index."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.postings import Postings

Document = list[str]

_DOCUMENT = st.lists(st.sampled_from(["a", "b", "c", "ab", "cc", "abc"]), max_size=6)
_DOCUMENTS = st.lists(_DOCUMENT, max_size=8)


def _postings(documents: list[Document]) -> Postings:
    """Build; the terms of a token are its letters."""
    return Postings.build(documents, tuple)


def _held(postings: Postings) -> dict[str, list[tuple[int, float]]]:
    """Give everything that postings hold, by term."""
    held = {}
    for term in postings.vocabulary:
        rows, counts = postings.of(term)
        if len(rows):
            held[term] = list(zip(rows.tolist(), counts.tolist(), strict=True))
    return held


@given(_DOCUMENTS)
def test_postings_hold_each_count(documents: list[Document]) -> None:
    """What comes out for a term is what went in: the tools in order and how often each holds it."""
    postings = _postings(documents)
    counted = [Counter("".join(document)) for document in documents]
    for term in "abcd":
        rows, counts = postings.of(term)
        expected = [(row, float(found[term])) for row, found in enumerate(counted) if term in found]
        assert list(zip(rows.tolist(), counts.tolist(), strict=True)) == expected
        assert postings.frequency(term) == len(expected)


@given(_DOCUMENTS)
def test_postings_know_lengths(documents: list[Document]) -> None:
    """A tool's length is the number of its terms, repeated ones too."""
    postings = _postings(documents)
    lengths = [len("".join(document)) for document in documents]
    assert (postings.lengths.tolist(), postings.total, len(postings)) == (lengths, sum(lengths), len(documents))


@given(_DOCUMENTS, st.data())
def test_changed_equals_built_anew(documents: list[Document], data: st.DataObject) -> None:
    """After tools went, came and changed, it holds what postings of the new tools hold."""
    places = [data.draw(st.sampled_from([place, place, -1])) for place in data.draw(_some_of(len(documents)))]
    places += [-1] * data.draw(st.integers(0, 3))
    fresh = [data.draw(_DOCUMENT) for place in places if place < 0]
    changed = _postings(documents).changed(np.asarray(places, dtype=np.int64), fresh, tuple)
    coming = iter(fresh)
    anew = _postings([documents[place] if place >= 0 else next(coming) for place in places])
    assert _held(changed) == _held(anew)
    assert (changed.lengths.tolist(), changed.total) == (anew.lengths.tolist(), anew.total)


def test_changed_leaves_the_earlier_one() -> None:
    """What a request still holds does not change under it."""
    before = _postings([["a"], ["b"]])
    held = _held(before)
    before.changed(np.asarray([1, -1]), [["c"]], tuple)
    assert _held(before) == held


def test_changed_forgets_terms_that_nobody_holds() -> None:
    """Tools that come and go do not leave their words behind for ever."""
    postings = _postings([["a"]])
    for number in range(5_000):
        postings = postings.changed(np.asarray([-1]), [[f"term{number}"]], lambda token: [token])
    assert len(postings.vocabulary) < 3_000


def _some_of(n: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.booleans(), min_size=n, max_size=n).map(
        lambda stays: [i for i, stay in enumerate(stays) if stay]
    )
