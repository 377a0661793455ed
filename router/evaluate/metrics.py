"""Where the wanted tools stood -> recall, completeness, nDCG, reciprocal rank.

Laws. Tools that do the same are one *group*, and finding any of them is finding it. Ranks count from 1 by original
position: duplicates use up slots, as they would in a prompt. All figures of a query follow from its `Places`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router.types import Positions

Places = tuple[int | None, ...]  # one rank a wanted group, None where the ranking does not hold it

DEPTHS = (1, 5, 10, 20)
CURVE = (1, 2, 3, 5, 8, 10, 12, 15, 20, 30, 50, 100)


def places(gold: Sequence[int], ranked: Positions, groups: NDArray[np.int64]) -> Places:
    """Give the first rank of each wanted group; `groups` is the group of every position, `int64[n]`."""
    order = groups[ranked]
    found = (np.flatnonzero(order == group) for group in gold)
    return tuple(int(hits[0]) + 1 if len(hits) else None for hits in found)


def recall(found: Places, k: int) -> float:
    """Give the share of the wanted groups in the top k."""
    return sum(_within(found, k)) / len(found)


def completeness(found: Places, k: int) -> float:
    """Give 1 where every wanted group is in the top k, else 0. Source: Shi et al., ToolRet (2025), C@K."""
    return float(all(_within(found, k)))


def ndcg(found: Places, k: int = 10) -> float:
    """Give the discounted gain in the top k over the best possible one.

    A group gains 1 at its first rank r, discounted by log2(r + 1). Source: Järvelin and Kekäläinen, Cumulated
    gain-based evaluation of IR techniques (2002), with binary gains.
    """
    gain = sum(1 / math.log2(place + 1) for place in found if place is not None and place <= k)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(len(found), k) + 1))


def reciprocal_rank(found: Places) -> float:
    """Give 1 over the rank of the first wanted tool, 0 where none is ranked."""
    return 1 / min((place for place in found if place is not None), default=math.inf)


def of_query(found: Places) -> dict[str, float]:
    """Give every figure of one query by its name, all in 0..1.

    `found` has at least one entry: where nothing is wanted there is nothing to measure.
    """
    figures = {f"R@{k}": recall(found, k) for k in DEPTHS}
    figures |= {f"C@{k}": completeness(found, k) for k in DEPTHS[1:]}
    return figures | {"nDCG@10": ndcg(found), "MRR": reciprocal_rank(found)}


def curve(queries: Sequence[Places]) -> dict[int, float]:
    """Give the mean recall at growing k."""
    return {k: sum(recall(found, k) for found in queries) / max(len(queries), 1) for k in CURVE}


def _within(found: Places, k: int) -> list[bool]:
    return [place is not None and place <= k for place in found]
