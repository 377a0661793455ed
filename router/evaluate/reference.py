"""The reference recipe, to measure others by: two channels, each stretched to 0..1, and summed with fixed weights.

It stays as it is when the pipeline's own channels and weights change.
"""

from __future__ import annotations

import numpy as np

from router.ordering import top
from router.types import Positions, Scores

DENSE = 0.7
LEXICAL = 0.3


def ranked(dense: Scores, lexical: Scores) -> Positions:
    """Give the rows of `float32[n]` each, best first, ties by row."""
    return top(np.float32(DENSE) * _stretched(dense) + np.float32(LEXICAL) * _stretched(lexical), len(dense))


def _stretched(scores: Scores) -> Scores:
    span = float(scores.max() - scores.min()) if len(scores) else 0.0
    return (scores - scores.min()) / np.float32(span) if span > 0 else np.zeros_like(scores)
