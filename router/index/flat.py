"""Exact search: every row is compared."""

from __future__ import annotations

import numpy as np

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


def top(scores: Scores, depth: int) -> Positions:
    """Give the indexes of the `depth` highest scores, best first, ties by index."""
    if depth < len(scores):
        bound = np.partition(scores, len(scores) - depth)[len(scores) - depth]
        candidates = np.flatnonzero(scores >= bound)
        return candidates[np.argsort(-scores[candidates], kind="stable")][:depth]
    return np.argsort(-scores, kind="stable")
