"""By word: BM25 over everything a tool says of itself, and how much of its name a question says.

BM25 has the statistics of all tools in the pool, names those of their part. Source: Robertson and Zaragoza, The
Probabilistic Relevance Framework: BM25 and Beyond (2009); the idf is Lucene's, log(1 + (N - n + 0.5) / (n + 0.5)),
which is never negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np

from router.catalog import Pool
from router.text import phrases, terms
from router.types import RoutingQuery, Scores

K1 = 1.5
B = 0.75
MOST_TERMS = 64  # of one text; the commoner ones tell little and cost most


@dataclass(frozen=True, slots=True)
class Words:
    """What words say of every tool of a pool.

    `bm25` and `names`, `float32[n]`: the scores, and the share of the name that the question says, weighed by rarity;
    several texts add up with their weights. `ideal` is the score that a tool of all the question's words could have,
    `covered` the share of it whose words any tool holds, `terms` counts the different ones of the newest text.
    """

    bm25: Scores
    names: Scores
    ideal: float
    covered: float
    terms: int


def measure(query: RoutingQuery, pool: Pool) -> Words:
    """Score every tool of the pool, permitted or not."""
    bm25 = np.zeros(len(pool), dtype=np.float32)
    names = np.zeros(len(pool), dtype=np.float32)
    ideal = covered = 0.0
    split = [list(dict.fromkeys(terms(text))) for text in query.texts]
    for asked, weight in zip(split, query.weights, strict=True):
        held = _frequencies(asked, pool)
        known = [(term, frequency) for term, frequency in held if frequency]
        ideal += weight * sum(_idf(len(pool), frequency) for _, frequency in held)
        covered += weight * sum(_idf(len(pool), frequency) for _, frequency in known)
        _add_words(bm25, _rarest(known), weight, pool)
        _add_names(names, asked, weight, pool)
    for text, weight in query.beside:
        held = _frequencies(list(dict.fromkeys(terms(text))), pool)
        _add_words(bm25, _rarest([(term, frequency) for term, frequency in held if frequency]), weight, pool)
    newest = set(chain.from_iterable(split[: query.asked]))
    return Words(bm25, names, ideal, covered / ideal if ideal else 0.0, len(newest))


def _frequencies(asked: list[str], pool: Pool) -> list[tuple[str, int]]:
    return [(term, sum(part.postings.frequency(term) for _, part in pool.parts)) for term in asked]


def keyword_hits(query: RoutingQuery, pool: Pool) -> list[int]:
    """Give the positions whose keywords or tags the newest texts name exactly."""
    if not query.texts:
        return []
    named = {phrase for text in query.newest for phrase in phrases(text)}
    return [
        first + row
        for first, part in pool.parts
        if part.by_phrase
        for word in named & part.by_phrase.keys()
        for row in part.by_phrase[word].tolist()
    ]


def _add_words(scores: Scores, known: list[tuple[str, int]], weight: float, pool: Pool) -> None:
    average = sum(part.postings.total for _, part in pool.parts) / max(len(pool), 1) or 1.0
    norms = [(first, part, K1 * (1 - B + B * part.postings.lengths / average)) for first, part in pool.parts]
    for term, frequency in known:
        factor = weight * _idf(len(pool), frequency) * (K1 + 1)
        for first, part, norm in norms:
            rows, counts = part.postings.of(term)
            if len(rows):
                scores[first + rows] += factor * counts / (counts + norm[rows])


def _add_names(shares: Scores, asked: list[str], weight: float, pool: Pool) -> None:
    for first, part in pool.parts:
        for term in asked:
            rows, _ = part.names.of(term)
            if len(rows):
                shares[first + rows] += np.float32(weight * _idf(len(part), len(rows))) / part.name_weights[rows]


def _rarest(known: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Give the rarest terms of a long text in its order: sums of floats must not follow the hash seed."""
    if len(known) <= MOST_TERMS:
        return known
    bound = sorted(frequency for _, frequency in known)[MOST_TERMS - 1]
    return [(term, frequency) for term, frequency in known if frequency <= bound]


def _idf(total: int, frequency: int) -> float:
    return math.log1p((total - frequency + 0.5) / (frequency + 0.5))
