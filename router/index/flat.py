"""Exact search: every row is compared."""

from __future__ import annotations

import numpy as np

from router.ordering import top
from router.types import Mask, Positions, Scores, Vectors


class FlatIndex:
    """Holds `float32[n, d]` and compares all of it."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        """Give the `depth` best permitted rows and their scores, best first, ties by row."""
        rows = np.flatnonzero(permitted)
        few = 8 * len(rows) < len(self.vectors)  # the rows alone: reading them one by one costs more a row
        scores = self.score(query, rows) if few else (self.vectors @ query)[rows]
        best = top(scores, depth)
        return rows[best], scores[best]

    def score(self, query: Vectors, rows: Positions) -> Scores:
        """Give the exact scores of rows, `float32[k]`."""
        scores: Scores = self.vectors[rows] @ query
        return scores
