"""By meaning: cosine similarity of question and tool vectors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from router.catalog import Pool
from router.ordering import top
from router.types import Mask, RankedList, RoutingQuery, Vectors


def rank(
    query: RoutingQuery, vectors: Mapping[str, Vectors], pool: Pool, permitted: Mask, depth: int
) -> RankedList | None:
    """Rank the permitted tools that have vectors; None when a text of the query has none yet."""
    if not query.texts or any(text not in vectors for text in query.texts):
        return None
    mixed = np.zeros_like(vectors[query.texts[0]])
    for text, weight in zip(query.texts, query.weights, strict=True):
        mixed += np.float32(weight) * vectors[text]
    mixed /= max(float(np.linalg.norm(mixed)), 1e-9)
    found = [
        (first + rows, scores)
        for first, part in pool.parts
        if part.index is not None
        for rows, scores in [part.index.search(mixed, part.ready & permitted[first : first + len(part)], depth)]
        if len(rows)
    ]
    if not found:
        return None
    ids = np.concatenate([rows for rows, _ in found])
    scores = np.concatenate([part for _, part in found])
    best = top(scores, depth)
    return RankedList(ids[best], scores[best], float(scores.min()))
