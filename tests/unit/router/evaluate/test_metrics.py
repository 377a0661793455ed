"""Figures of a ranking, against examples worked by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from router.evaluate import metrics


def _ids(*positions: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(positions, dtype=np.int64)


def test_places_are_first_ranks_of_wanted_groups() -> None:
    """Tools 1 and 3 are one group, found at rank 2; the other one wanted stands fourth; a third is not ranked."""
    groups = _ids(0, 1, 2, 1, 3, 4)
    assert metrics.places((1, 3, 4), _ids(0, 3, 1, 4), groups) == (2, 4, None)


def test_places_count_duplicates_as_slots() -> None:
    """Two tools of one group before the wanted one take two ranks, as they would in a prompt."""
    assert metrics.places((1,), _ids(0, 1, 2), _ids(0, 0, 1)) == (3,)


def test_recall_is_the_share_of_wanted_tools_in_the_top() -> None:
    """Of three wanted tools one is in the top 2, two in the top 5."""
    found = (1, 5, None)
    assert [metrics.recall(found, k) for k in (1, 2, 5)] == pytest.approx([1 / 3, 1 / 3, 2 / 3])


def test_completeness_asks_for_all_of_them() -> None:
    """All are in the top 5, not in the top 4; what is not ranked is never complete."""
    assert [metrics.completeness((1, 5), k) for k in (4, 5)] == [0.0, 1.0]
    assert metrics.completeness((1, None), 100) == 0.0


def test_ndcg_discounts_by_rank() -> None:
    """Hits at ranks 2 and 4 of two wanted: (1/log2 3 + 1/log2 5) over the best, (1/log2 2 + 1/log2 3)."""
    assert metrics.ndcg((2, 4)) == pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3)))


def test_ndcg_looks_no_further_than_ten() -> None:
    """Rank 10 counts, rank 11 does not; more than ten wanted can fill ten places at most."""
    assert metrics.ndcg((11,)) == 0.0
    assert metrics.ndcg((10,)) == pytest.approx(1 / log2(11))
    assert metrics.ndcg(tuple(range(1, 13))) == pytest.approx(1.0)


def test_reciprocal_rank_is_of_the_first_hit() -> None:
    """The best of several ranks counts; none gives 0."""
    assert metrics.reciprocal_rank((None, 4, 2)) == 0.5
    assert metrics.reciprocal_rank((None,)) == 0.0


def test_of_query_names_every_figure() -> None:
    """A tool at rank 7 is in the top 10 and 20, not in the top 5."""
    figures = metrics.of_query((7,))
    assert list(figures) == ["R@1", "R@5", "R@10", "R@20", "C@5", "C@10", "C@20", "nDCG@10", "MRR"]
    assert [figures[name] for name in ("R@5", "R@10", "C@5", "C@20")] == [0.0, 1.0, 0.0, 1.0]
    assert [figures["nDCG@10"], figures["MRR"]] == pytest.approx([1 / 3, 1 / 7])


def test_curve_is_the_mean_recall_and_never_falls() -> None:
    """Two questions, found at ranks 2 and 40."""
    found = metrics.curve([(2,), (40,)])
    assert [found[k] for k in (1, 2, 30, 50)] == [0.0, 0.5, 0.5, 1.0]
    assert list(found.values()) == sorted(found.values())


def test_curve_of_nothing_is_zero() -> None:
    """Without questions there is no recall."""
    assert set(metrics.curve([]).values()) == {0.0}
