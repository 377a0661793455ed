"""The interval of a difference."""

from __future__ import annotations

import numpy as np
import pytest

from router.evaluate.bootstrap import paired


def test_interval_of_a_constant_difference_has_no_width() -> None:
    """Every question gained a half: there is nothing to be unsure of."""
    (interval,) = paired(np.full((20, 1), 0.5))
    assert (interval.mean, interval.low, interval.high, interval.sure) == (0.5, 0.5, 0.5, True)


def test_interval_agrees_with_the_normal_approximation() -> None:
    """For 2,000 draws of known spread the ends lie 1.96 standard errors from the mean."""
    drawn = np.random.default_rng(1).normal(0.2, 1.0, (2_000, 1))
    (interval,) = paired(drawn)
    error = 1.96 * drawn.std() / np.sqrt(len(drawn))
    assert interval.low == pytest.approx(drawn.mean() - error, abs=0.006)
    assert interval.high == pytest.approx(drawn.mean() + error, abs=0.006)


def test_interval_of_as_many_gains_as_losses_is_not_sure() -> None:
    """Ten up and ten down: the interval holds zero. Only losses: it lies below."""
    even, losses = paired(np.asarray([[1.0, -1.0], [-1.0, -1.0]] * 10))
    assert (even.mean, even.sure) == (0.0, False)
    assert (losses.high, losses.sure) == (-1.0, True)


def test_interval_is_the_same_every_time() -> None:
    """The draw is seeded, and a column's interval does not depend on its neighbours."""
    drawn = np.random.default_rng(2).normal(0, 1, (50, 3))
    assert paired(drawn) == paired(drawn)
    alone, among = paired(drawn[:, :1])[0], paired(drawn)[0]
    assert [alone.low, alone.high] == pytest.approx([among.low, among.high])
