"""Exact search against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from router.index.flat import FlatIndex
from router.ordering import top

# Small whole numbers: sums are exact and ties are many.
_VALUES = st.integers(-2, 2).map(np.float32)


@st.composite
def _searches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    n = draw(st.integers(0, 12))
    vectors = draw(hnp.arrays(np.float32, (n, 3), elements=_VALUES))
    query = draw(hnp.arrays(np.float32, 3, elements=_VALUES))
    permitted = draw(hnp.arrays(np.bool_, n))
    return vectors, query, permitted, draw(st.integers(1, 14))


@given(_searches())
def test_search_is_brute_force(case: tuple[np.ndarray, np.ndarray, np.ndarray, int]) -> None:
    """The permitted rows come by falling product, ties by row."""
    vectors, query, permitted, depth = case
    products = {row: float(vectors[row] @ query) for row in range(len(vectors)) if permitted[row]}
    expected = sorted(products, key=lambda row: (-products[row], row))[:depth]
    rows, scores = FlatIndex(vectors).search(query, permitted, depth)
    assert rows.tolist() == expected
    assert scores.tolist() == [products[row] for row in expected]


@given(hnp.arrays(np.float32, st.integers(0, 20), elements=_VALUES), st.integers(1, 25))
def test_top_is_a_stable_sort(scores: np.ndarray, depth: int) -> None:
    """The best come first and ties stand by index, cut short or not."""
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:depth]
    assert top(scores, depth).tolist() == expected


def test_top_passes_over_what_is_no_number() -> None:
    """One broken score takes no other's place."""
    scores = np.asarray([1, np.nan, 3, 2], dtype=np.float32)
    assert top(scores, 2).tolist() == [2, 3]
