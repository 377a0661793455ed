"""By meaning: cosine similarity of question and tool vectors, in the units of what is usual for the question.

A similarity says little by itself: for one question 0.3 is high, for another low, and other encoders have other ranges.
So scores are counted in deviations from the mean over the catalogue, which is seen on a sample of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from router.catalog import Pool, Space
from router.types import Mask, Positions, RoutingQuery, Scores, Vectors


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


def standing(asked: Vectors, key: str, pool: Pool, rows: Positions) -> Scores:
    """Give by how many deviations each tool is above the mean, `float32[k]`; NaN: it has no vector yet.

    `rows` are the tools' positions, ascending.
    """
    scores = np.full(len(rows), np.nan, dtype=np.float32)
    usual = []
    for first, part in pool.parts:
        space = part.space(key)
        if space is None or not space.ready.any():
            continue
        begin, end = np.searchsorted(rows, (first, first + len(part)))
        inside = rows[begin:end] - first
        scores[begin:end] = np.where(space.ready[inside], space.index.score(asked, inside), np.nan)
        usual.append((int(space.ready.sum()), *_moments(space, asked)))
    mean, deviation = _joined(usual)
    return (scores - np.float32(mean)) / np.float32(deviation)


def _moments(space: Space, asked: Vectors) -> tuple[float, float]:
    scores = space.sample @ asked
    return float(scores.mean()), float(np.square(scores).mean())


def _joined(usual: list[tuple[int, float, float]]) -> tuple[float, float]:
    """Give mean and standard deviation of all parts from each one's size, mean and mean square."""
    total = max(sum(size for size, _, _ in usual), 1)
    mean = sum(size * mean for size, mean, _ in usual) / total
    square = sum(size * square for size, _, square in usual) / total
    return mean, max((max(square - mean * mean, 0.0)) ** 0.5, 1e-6)
