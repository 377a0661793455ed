"""The best of many scores."""

from __future__ import annotations

import numpy as np

from router.types import Positions, Scores


def top(scores: Scores, depth: int) -> Positions:
    """Give the indexes of the `depth` highest scores, best first, ties by index."""
    if depth < len(scores):
        bound = np.partition(scores, len(scores) - depth)[len(scores) - depth]
        candidates = np.flatnonzero(scores >= bound)
        return candidates[np.argsort(-scores[candidates], kind="stable")][:depth]
    return np.argsort(-scores, kind="stable")
