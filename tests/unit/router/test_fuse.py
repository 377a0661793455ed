"""Two channels to one."""

from __future__ import annotations

import numpy as np
import pytest

from router.fuse import KEYWORD, normalised, weighted
from router.types import RankedList

_ALL = np.ones(3, dtype=np.bool_)


def _ranked(ids: list[int], scores: list[float], low: float = 0.0) -> RankedList:
    return RankedList(np.asarray(ids, dtype=np.int64), np.asarray(scores, dtype=np.float32), low)


_WORDS = _ranked([0, 1, 2], [4, 2, 0])


def test_weighted_stretches_then_sums() -> None:
    """Worked by hand: words 1, 0.5, 0 and meaning 0.5, 1, 0 give 0.65, 0.85, 0."""
    fused = weighted(_WORDS, _ranked([1, 0], [0.9, 0.5], low=0.1), ready=_ALL, depth=100, permitted=_ALL)
    assert fused.ids.tolist() == [1, 0, 2]
    assert fused.scores.tolist() == pytest.approx([0.85, 0.65, 0.0])
    assert fused.low == 0.0


def test_weighted_counts_words_for_pending_vectors() -> None:
    """A tool without a vector has its words for both channels."""
    ready = np.asarray([False, True, True])
    fused = weighted(_WORDS, _ranked([1, 2], [0.9, 0.1], low=0.1), ready=ready, depth=100, permitted=_ALL)
    assert dict(zip(fused.ids.tolist(), fused.scores.tolist(), strict=True)) == pytest.approx({0: 1.0, 1: 0.85, 2: 0.0})


def test_weighted_is_words_alone_without_meaning() -> None:
    """Without the dense channel the stretched words decide."""
    fused = weighted(_WORDS, None, ready=_ALL, depth=100, permitted=_ALL)
    assert fused.scores.tolist() == [1.0, 0.5, 0.0]


def test_weighted_adds_a_keyword_once() -> None:
    """An exact keyword lifts its tool, however many keywords it hits, and decides a tie."""
    level = _ranked([0, 1, 2], [1, 1, 0])
    fused = weighted(level, None, ready=_ALL, depth=100, permitted=_ALL, hits=[1, 1])
    assert fused.ids.tolist() == [1, 0, 2]
    assert fused.scores.tolist() == pytest.approx([1 + KEYWORD, 1.0, 0.0])


def test_weighted_lists_the_permitted_only() -> None:
    """What is not permitted is not in the fused list, whatever its channels say."""
    fused = weighted(_WORDS, None, ready=_ALL, depth=100, permitted=np.asarray([False, True, True]))
    assert fused.ids.tolist() == [1, 2]


def test_weighted_of_nothing_is_empty() -> None:
    """With nothing permitted the fused list is empty."""
    fused = weighted(_ranked([], []), None, ready=_ALL, depth=100, permitted=~_ALL)
    assert (len(fused), fused.low) == (0, 0.0)


def test_weighted_breaks_ties_by_position() -> None:
    """Equal scores stand in order of position."""
    fused = weighted(_ranked([2, 1, 0], [1, 1, 1]), None, ready=_ALL, depth=100, permitted=_ALL)
    assert fused.ids.tolist() == [0, 1, 2]


def test_normalised_uses_the_lowest_of_all() -> None:
    """A list cut short is stretched over all that was ranked, and what it leaves out is 0."""
    assert normalised(_ranked([3, 1], [5.0, 3.0], low=1.0), 4).tolist() == [0.0, 0.5, 0.0, 1.0]


def test_normalised_of_level_scores_is_nothing() -> None:
    """A channel that tells no tool from another says nothing."""
    assert normalised(_ranked([0, 1], [2.0, 2.0], low=2.0), 2).tolist() == [0.0, 0.0]
