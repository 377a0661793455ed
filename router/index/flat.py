"""Exact search: every row is compared."""

from __future__ import annotations

import numpy as np

from router.ordering import top
from router.types import Mask, Positions, Scores, Vectors


class FlatIndex:
    """Holds `float32[n, d]` and compares all of it."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores, float]:
        """Give the `depth` best permitted rows, their scores (best first, ties by row), the lowest score."""
        rows = np.flatnonzero(permitted)
        if not len(rows):
            return rows, np.zeros(0, dtype=np.float32), 0.0
        scores = self.vectors @ query
        scores = scores if len(rows) == len(scores) else scores[rows]
        low = float(scores.min())
        best = top(scores, depth)
        return rows[best], scores[best], low
