"""By word: BM25 over everything a tool says of itself, with the statistics of all tools in the pool.

Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009); the idf is
Lucene's, log(1 + (N - n + 0.5) / (n + 0.5)), which is never negative.
"""

from __future__ import annotations

import math

import numpy as np

from router.catalog import Pool
from router.ordering import top
from router.text import phrases, terms
from router.types import Mask, RankedList, RoutingQuery, Scores

K1 = 1.5
B = 0.75


def rank(query: RoutingQuery, pool: Pool, permitted: Mask, depth: int) -> RankedList:
    """Rank the permitted tools; several texts add up with their weights."""
    scores = np.zeros(len(pool), dtype=np.float32)
    for text, weight in zip(query.texts, query.weights, strict=True):
        _add(scores, text, weight, pool)
    rows = np.flatnonzero(permitted)
    allowed = scores[rows]
    best = top(allowed, depth)
    return RankedList(rows[best], allowed[best], float(allowed.min()) if len(allowed) else 0.0)


def keyword_hits(query: RoutingQuery, pool: Pool) -> list[int]:
    """Give the positions whose keywords or tags the newest text names exactly."""
    if not query.texts:
        return []
    named = set(phrases(query.texts[0]))
    return [
        first + row
        for first, part in pool.parts
        if part.by_phrase
        for word in named & part.by_phrase.keys()
        for row in part.by_phrase[word]
    ]


def _add(scores: Scores, text: str, weight: float, pool: Pool) -> None:
    lengths = [part.postings.lengths for _, part in pool.parts]
    total = len(pool)
    average = float(sum(part.sum() for part in lengths)) / max(total, 1) or 1.0
    for term in dict.fromkeys(terms(text)):  # in the text's order: float sums must not follow the hash seed
        frequency = sum(part.postings.frequency(term) for _, part in pool.parts)
        if not frequency:
            continue
        idf = math.log1p((total - frequency + 0.5) / (frequency + 0.5))
        for first, part in pool.parts:
            rows, counts = part.postings.of(term)
            length_norm = K1 * (1 - B + B * part.postings.lengths[rows] / average)
            scores[first + rows] += weight * idf * (K1 + 1) * counts / (counts + length_norm)
