"""What rankings find: R@5, R@10, R@20, C@20 of every question, `float64[q, 4]`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.fit.sets import Set
from router import fuse
from router.evaluate import reference
from router.evaluate.metrics import completeness, places, recall
from router.ordering import top
from router.types import Positions, Scores

HEADLINE = ("R@5", "R@10", "R@20", "C@20")
_DEPTH = 20

Figures = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Meant:
    """What an encoder says of all questions, `float32[q, k]` in deviations, and how well it reads each."""

    name: str
    reads: Sequence[float]
    scores: Scores


def of_orders(one: Set, orders: Iterable[Positions]) -> Figures:
    """Count for rankings of positions, best first."""
    found = (places(gold, order[:_DEPTH], one.groups) for gold, order in zip(one.gold, orders, strict=True))
    return np.asarray([[*(recall(p, k) for k in (5, 10, 20)), completeness(p, _DEPTH)] for p in found])


def of_scores(one: Set, scores: Scores) -> Figures:
    """Count for scores, `float32[q, k]`, ties by position."""
    return of_orders(one, (one.rows[top(row, _DEPTH)] for row in scores))


def of_reference(one: Set, similarities: Scores) -> Figures:
    """Count for the reference recipe; deviations rank as what they were made of."""
    pairs = zip(similarities, one.words, strict=True)
    return of_orders(one, (one.rows[reference.ranked(dense, words)] for dense, words in pairs))


def of_fused(one: Set, meant: Sequence[Meant], weights: fuse.Weights) -> Figures:
    """Count for the product's fusion."""
    return of_orders(one, fused(one, meant, weights))


def fused(one: Set, meant: Sequence[Meant], weights: fuse.Weights) -> Iterable[Positions]:
    """Give the rankings of the product's fusion."""
    for i, (said, hits) in enumerate(zip(one.said, one.hits, strict=True)):
        meanings = [fuse.Meaning(it.name, it.reads[i], it.scores[i]) for it in meant]
        yield fuse.adaptive(one.rows, said, meanings, hits, weights).fused.ids
