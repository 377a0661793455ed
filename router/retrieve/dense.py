"""By meaning: cosine similarity of question and tool vectors, in the units of what is usual for the question.

A similarity says little by itself: for one question 0.3 is high, for another low, and other encoders have other ranges.
So scores are counted in deviations from the mean over all tools; where not all are compared, over a sample of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from router.catalog import Pool
from router.types import Mask, Positions, RoutingQuery, Scores, Vectors


@dataclass(frozen=True, slots=True)
class Similarity:
    """Cosines of some tools, `float32[k]`, NaN where there is no vector yet; and mean and deviation over all tools."""

    scores: Scores
    mean: float
    deviation: float

    @property
    def standing(self) -> Scores:
        """Give by how many deviations each tool is above the mean, `float32[k]`."""
        return (self.scores - np.float32(self.mean)) / np.float32(self.deviation)


def mixed(query: RoutingQuery, vectors: Mapping[str, Vectors]) -> Vectors | None:
    """Give the query as one unit vector, `float32[d]`; None when a text of it has no vector yet."""
    if not query.texts or any(text not in vectors for text in query.texts):
        return None
    found = (np.float32(weight) * vectors[text] for text, weight in zip(query.texts, query.weights, strict=True))
    total: Vectors = np.sum(list(found), axis=0)
    return total / np.float32(max(float(np.linalg.norm(total)), 1e-9))


def nearest(asked: Vectors, key: str, pool: Pool, permitted: Mask, depth: int) -> Positions:
    """Give the best permitted tools of each part, `depth` at most."""
    found = [
        first + space.index.search(asked, space.ready & permitted[first : first + len(part)], depth)[0]
        for first, part in pool.parts
        if (space := part.space(key)) is not None
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def measure(asked: Vectors, key: str, pool: Pool, rows: Positions, *, every: bool) -> Similarity:
    """Measure the tools at `rows`, ascending positions; `every`: those are all there are to choose from."""
    scores = np.full(len(rows), np.nan, dtype=np.float32)
    usual = []
    for first, part in pool.parts:
        space = part.space(key)
        if space is None or not space.ready.any():
            continue
        begin, end = np.searchsorted(rows, (first, first + len(part)))
        inside = rows[begin:end] - first
        scores[begin:end] = np.where(space.ready[inside], space.index.score(asked, inside), np.nan)
        usual.append((int(space.ready.sum()), scores[begin:end] if every else space.sample @ asked))
    return Similarity(scores, *_moments(usual))


def _moments(usual: list[tuple[int, Scores]]) -> tuple[float, float]:
    """Give mean and standard deviation over all parts, from each one's size and scores that stand for it."""
    found = [(size, known) for size, scores in usual if len(known := scores[~np.isnan(scores)])]
    total = max(sum(size for size, _ in found), 1)
    mean = sum(size * float(known.mean()) for size, known in found) / total
    square = sum(size * float(np.square(known).mean()) for size, known in found) / total
    return mean, max((max(square - mean * mean, 0.0)) ** 0.5, 1e-6)
