"""Whether a question needs a tool of the catalogue at all: "hello" does not, and tools that do not fit get called.

Two things are measured, in units that are the same for every encoder and catalogue: how far the best tool is above what
the best tool is for small talk, and how near the question is to small talk. What is near needs a tool that stands out
more. The two numbers below were chosen on data with and without a need for tools (docs/adr/0008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.catalog import Space
from router.embed.small_talk import SmallTalk
from router.types import Mask, Vectors

_CLOSENESS = 4.0
_FLOOR = 0.3
ROWS_AT_ONCE = 5_000  # as many tools are compared with small talk within a request: 5 ms


@dataclass(frozen=True, slots=True)
class Usual:
    """The best similarity of a catalogue to small talk: its mean and its deviation."""

    mean: float
    deviation: float


def usual(talk: SmallTalk, space: Space, permitted: Mask) -> Usual | None:
    """Measure what the best permitted tool is for small talk; None where there is no tool."""
    rows = np.flatnonzero(permitted & space.ready)
    if not len(rows):
        return None
    few = talk.few
    highest = np.full(len(few), -np.inf, dtype=np.float32)
    if not space.index.at_hand:
        highest[:] = [space.index.search(one, permitted & space.ready, 1)[1].max(initial=-1.0) for one in few]
    for start in range(0, len(rows) if space.index.at_hand else 0, ROWS_AT_ONCE):
        part = space.index.take(rows[start : start + ROWS_AT_ONCE])
        np.maximum(highest, (few @ part.T).max(axis=1), out=highest)
    return Usual(float(highest.mean()), max(float(highest.std()), 1e-3))


def best(asked: Vectors, space: Space, permitted: Mask) -> float | None:
    """Give the similarity of the best permitted tool to a question, `float32[d]`; None where no tool has a vector."""
    _, scores = space.index.search(asked, permitted & space.ready, 1)
    return float(scores[0]) if len(scores) else None


def margin(best: float, asked: Vectors, talk: SmallTalk, among: Usual) -> float:
    """Tell by how much a question, `float32[d]`, is above the floor; below 0 it needs no tool."""
    stands = (best - among.mean) / among.deviation
    return stands - _CLOSENESS * talk.closeness(asked) - _FLOOR
