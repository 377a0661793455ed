"""Exact search: every row is compared."""

from __future__ import annotations

import numpy as np

from router.ordering import top
from router.types import Mask, Positions, Scores, Vectors


class FlatIndex:
    """Holds `float32[n, d]` and compares all of it."""

    at_hand = True

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        """Give the `depth` best permitted rows and their scores, best first, ties by row."""
        rows = np.flatnonzero(permitted)
        scores = self.score(query, rows)
        best = top(scores, depth)
        return rows[best], scores[best]

    def take(self, rows: Positions) -> Vectors:
        """Give the vectors of rows, `float32[k, d]`."""
        return self.vectors[rows]

    def score(self, query: Vectors, rows: Positions) -> Scores:
        """Give the exact scores of rows, `float32[k]`, in their order."""
        if 8 * len(rows) < len(self.vectors):
            return self.vectors[rows] @ query
        scores: Scores = (self.vectors @ query)[rows]  # reading rows one by one costs more a row
        return scores
