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
MOST_TERMS = 64  # of one text; the commoner ones tell little and cost most


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
    total = len(pool)
    average = sum(part.postings.total for _, part in pool.parts) / max(total, 1) or 1.0
    norms = [(first, part, K1 * (1 - B + B * part.postings.lengths / average)) for first, part in pool.parts]
    for term, frequency in _telling(text, pool):
        idf = math.log1p((total - frequency + 0.5) / (frequency + 0.5))
        for first, part, norm in norms:
            rows, counts = part.postings.of(term)
            if len(rows):
                scores[first + rows] += weight * idf * (K1 + 1) * counts / (counts + norm[rows])


def _telling(text: str, pool: Pool) -> list[tuple[str, int]]:
    """Give the terms that any tool holds, and how many tools do: in the text's order, the rarest of a long text."""
    # In order: float sums must not follow the hash seed.
    held = [(term, sum(part.postings.frequency(term) for _, part in pool.parts)) for term in dict.fromkeys(terms(text))]
    known = [(term, frequency) for term, frequency in held if frequency]
    if len(known) <= MOST_TERMS:
        return known
    bound = sorted(frequency for _, frequency in known)[MOST_TERMS - 1]
    return [(term, frequency) for term, frequency in known if frequency <= bound]
