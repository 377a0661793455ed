"""Channels -> one ranking, with weights that follow from the question and the catalogue.

No fixed weights serve all: where questions repeat the catalogue's words BM25 alone is best, across languages it is
noise, and an encoder says nothing about a script that it cannot read. So meaning, words and names are weighed by how
much of the question the best tool explains, how long it is and how far the best of each channel stands out. The numbers
were fitted on eight public data sets and judged on each by a fit to the others (docs/adr/0007).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from router.ordering import top
from router.types import KEYWORDS, LEXICAL, NAMES, Channel, Mask, Positions, RankedList, Rankings, Scores

# Beyond what was seen where the weights were fitted, a channel stands out no further: a word that one tool of 100,000
# has stands 90 deviations out.
_HIGHEST, _LOUDEST = 10.0, 20.0
# What an exact keyword or tag adds, in deviations: enough to lead a tie, not enough to beat clear meaning.
KEYWORD = 0.75
# Across scripts only words that the catalogue knows can match: below this share of them they count less.
_COVERED = 0.5


@dataclass(frozen=True, slots=True)
class Weights:
    """What each channel weighs: softplus of a sum over `signals`, one factor for each of them."""

    meaning: tuple[float, ...]
    words: tuple[float, ...]
    names: tuple[float, ...]


# Made by `python -m bench.fit`.
FITTED = Weights(
    meaning=(0.985, -0.011, -0.335, -0.309, -0.280),
    words=(-0.553, 0.134, -0.068, -0.028, -0.096),
    names=(1.078, 0.009, 0.119, 0.011, 0.108),
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an encoder says of the tools: `float32[k]` in deviations, NaN where a tool has no vector.

    `reads`, 0..1: how well it reads this question and this catalogue.
    """

    name: str
    reads: float
    scores: Scores


@dataclass(frozen=True, slots=True)
class Said:
    """What words say of the tools: BM25 in deviations and shares of names, `float32[k]`, and of the question.

    `explained`: the best BM25 as a share of the ideal; `covered`: the share of the question whose words the catalogue
    knows; `terms`: how many it has; `kin`, 0..1: whether question and catalogue are written in one script.
    """

    bm25: Scores
    names: Scores
    explained: float
    covered: float
    terms: int
    kin: float

    @property
    def matches(self) -> float:
        """Tell how much words can count, 0..1."""
        return max(self.kin, min(1.0, self.covered / _COVERED))


def adaptive(
    rows: Positions, said: Said, meanings: Sequence[Meaning], hits: Iterable[int] = (), weights: Weights = FITTED
) -> Rankings:
    """Fuse the channels over the tools at `rows` (ascending); `hits` are positions that a keyword names.

    A tool without a vector counts its words for its meaning; so do all when there are no vectors.
    """
    meaning = _joined(meanings, said.bm25)
    reads = max((one.reads for one in meanings), default=1.0)
    seen = signals(said, meaning)
    of_meaning = reads * _softplus(weights.meaning, seen)
    of_words = said.matches * _softplus(weights.words, seen)
    of_names = _softplus(weights.names, seen)
    unit = 1.0 / max(of_meaning + of_words, 1e-9)
    named = np.isin(rows, np.fromiter(hits, dtype=np.int64)).astype(np.float32)
    votes = sum(one.reads for one in meanings) or 1.0
    channels = (
        *(Channel(one.name, unit * of_meaning * one.reads / votes, one.scores) for one in meanings),
        Channel(LEXICAL, unit * (of_words if meanings else of_meaning + of_words), said.bm25),
        Channel(NAMES, unit * of_names, said.names),
        Channel(KEYWORDS, KEYWORD, np.where(named > 0, named, np.float32(np.nan))),
    )
    fused = unit * (of_meaning * meaning + of_words * said.bm25 + of_names * said.names) + KEYWORD * named
    fused = fused.astype(np.float32)
    order = top(fused, len(fused))
    return Rankings(rows, channels, RankedList(rows[order], fused[order]), by_words=not meanings)


def signals(said: Said, meaning: Scores) -> tuple[float, ...]:
    """Give what weights follow from: 1, explained, length, how far the best of meaning and of words stand out."""
    highest = min(float(meaning.max()), _HIGHEST) if len(meaning) else 0.0
    loudest = min(float(said.bm25.max()), _LOUDEST) if len(said.bm25) else 0.0
    return (
        1.0,
        said.explained - 0.4,
        math.log(max(said.terms, 1)) - 2.5,
        (highest - 4) / 2,
        (loudest - 8) / 4,
    )


def standing(scores: Scores, permitted: Mask) -> Scores:
    """Give scores in deviations from the mean of the permitted, `float32[n]`; 0 where all are alike."""
    among = scores[permitted]
    deviation = float(among.std()) if len(among) else 0.0
    if deviation < 1e-9:
        return np.zeros_like(scores)
    out: Scores = (scores - among.mean()) / np.float32(deviation)
    return out


def _joined(meanings: Sequence[Meaning], instead: Scores) -> Scores:
    """Give the mean of the encoders by how well each reads.

    Where none has a vector, `instead`: but words stand out further than meaning does, and a guess leads nothing.
    """
    total, votes = np.zeros_like(instead), np.zeros_like(instead)
    for one in meanings:
        there = ~np.isnan(one.scores)
        total[there] += np.float32(one.reads) * one.scores[there]
        votes[there] += np.float32(one.reads)
    mean = total / np.maximum(votes, 1e-9)
    if (votes > 0).any():
        instead = np.minimum(instead, mean[votes > 0].max())
    return np.where(votes > 0, mean, instead)


def _softplus(factors: Sequence[float], seen: Sequence[float]) -> float:
    return math.log1p(math.exp(sum(factor * value for factor, value in zip(factors, seen, strict=True))))
