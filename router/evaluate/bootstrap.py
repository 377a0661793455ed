"""How sure a difference between two runs over the same queries is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2_000
_SEED = 0
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean difference and where it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def paired(differences: NDArray[np.float64]) -> list[Interval]:
    """Give the interval of every column of `float64[q, m]`: one row a query, after minus before.

    Queries are drawn with replacement, each with all its columns; the same input gives the same intervals. Source:
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile method.
    """
    queries = len(differences)
    draw = np.random.default_rng(_SEED)
    means = [differences[draw.integers(0, queries, queries)].mean(axis=0) for _ in range(_RESAMPLES)]
    low, high = np.percentile(np.stack(means), _PERCENTILES, axis=0)
    mean = differences.mean(axis=0)
    return [Interval(*map(float, values)) for values in zip(mean, low, high, strict=True)]
