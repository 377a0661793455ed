"""Near-duplicates: pairs of tools whose vectors are nearly the same, or whose descriptions are. They are only told.

Law: exact, whatever the number of tools; what takes memory is a block of comparisons and the pairs that are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.ordering import top
from router.text import normalised
from router.types import Mask, Positions, Scores, Tool, Vectors

_MOST_COMPARISONS = 20_000**2 // 2  # a few seconds of one core at 512 dimensions
_BLOCK = 2**21  # comparisons at a time: 8 MB of similarities
_NO_WORD = bytes(code for code in range(128) if not chr(code).isalnum())
_SAME = 4.0  # what the same description adds where pairs are ordered: more than any cosine


@dataclass(frozen=True, slots=True)
class Embedded:
    """Tools and their vectors, `float32[n, d]` of any length; what is not `ready` is compared by its description."""

    tools: Sequence[Tool]
    vectors: Vectors
    ready: Mask


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows; `similarity` is the cosine of their vectors, None where one has none."""

    row: int
    like: int
    similarity: float | None
    same_description: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The likest pairs, those of the same description first, and how many there are."""

    pairs: tuple[Pair, ...]
    total: int


def takes_seconds(rows: int, tools: int) -> bool:
    """Tell whether comparing so many rows with so many tools is a matter of seconds, and not of minutes."""
    return rows * (tools if rows < tools else tools // 2) <= _MOST_COMPARISONS


def find(embedded: Embedded, rows: Positions, *, threshold: float, limit: int) -> Found:
    """Compare the tools of `rows`, ascending, with all tools. How long that takes, `takes_seconds` tells."""
    vectors, ready = embedded.vectors, embedded.ready
    n, said = len(embedded.tools), _descriptions(embedded.tools)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    lengths[~ready | (lengths == 0)] = np.inf  # nothing is like it
    asked = np.zeros(n, dtype=np.bool_)
    asked[rows] = True
    total, best, scores = 0, np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32)
    step = max(1, _BLOCK // max(1, n))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        first = int(block[0]) if len(rows) == n else 0  # where all are asked for, what stands before was compared
        places, columns, alike = _block(vectors, lengths, said, block, first, threshold)
        fresh = ~asked[columns] | (columns > block[places])
        found = np.column_stack([block[places], columns])[fresh]
        total += len(found)
        best, scores = np.concatenate([best, found]), np.concatenate([scores, alike[fresh]])
        kept = top(scores, limit)
        best, scores = best[kept], scores[kept]
    pairs = zip(best.tolist(), scores.tolist(), strict=True)
    return Found(tuple(_pair(row, like, score, ready) for (row, like), score in pairs), total)


def _block(  # noqa: PLR0913, PLR0917 - arrays of one comparison
    vectors: Vectors, lengths: Scores, said: Positions, block: Positions, first: int, threshold: float
) -> tuple[Positions, Positions, Scores]:
    """Compare some rows with all from `first` on: places in the block, rows that are like them, and how much."""
    alike = (vectors[block] / lengths[block, np.newaxis]) @ vectors[first:].T
    same = said[block, np.newaxis] == said[first:]
    places, columns = np.divmod(np.flatnonzero(same | (alike >= threshold * lengths[first:])), alike.shape[1])
    return places, columns + first, alike[places, columns] / lengths[first + columns] + _SAME * same[places, columns]


def _pair(row: int, like: int, score: float, ready: Mask) -> Pair:
    same = score >= _SAME - 1
    known = bool(ready[row] and ready[like])
    return Pair(row, like, score - _SAME * same if known else None, same)


def _descriptions(tools: Sequence[Tool]) -> Positions:
    """Number the descriptions, equal ones alike, however they are written; what has none is like nothing."""
    numbers: dict[str | bytes, int] = {}
    folded = (_folded(tool.description) for tool in tools)
    return np.fromiter(
        (numbers.setdefault(one, row) if one else -1 - row for row, one in enumerate(folded)), np.int64, len(tools)
    )


def _folded(text: str) -> str | bytes:
    """Give the letters and digits of a text, without case and width."""
    folded = text if text.isascii() else normalised(text).casefold()
    if folded.isascii():  # a tenth of the time: for one new tool all others are looked at
        return folded.lower().encode().translate(None, _NO_WORD)
    return "".join(filter(str.isalnum, folded))
