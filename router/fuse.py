"""RankedLists -> one RankedList.

Each channel is stretched to 0..1 over everything that was ranked, then they are summed with weights. Measured
on tool retrieval this beats raw scores, and it beats reciprocal rank fusion, which falls below the dense
channel alone where words mislead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.ordering import top
from router.types import Mask, RankedList, Scores

DENSE = 0.7
LEXICAL = 0.3
KEYWORD = 0.15  # what an exact keyword or tag adds: enough to lead a tie, not enough to beat clear meaning


def weighted(  # noqa: PLR0913 - all but the lists by name
    lexical: RankedList,
    dense: RankedList | None,
    *,
    ready: Mask,
    permitted: Mask,
    depth: int,
    hits: Sequence[int] = (),
) -> RankedList:
    """Fuse the channels over the permitted tools; give the `depth` best.

    A tool whose vector is not ready counts its words for both channels; so do all when `dense` is None.
    """
    words = normalised(lexical, len(permitted))
    if dense is None:
        fused = words
    else:
        meaning = np.where(ready, normalised(dense, len(permitted)), words)
        fused = np.float32(DENSE) * meaning + np.float32(LEXICAL) * words
    if hits:
        fused = fused.copy()
        fused[sorted(set(hits))] += np.float32(KEYWORD)  # once, however many words hit
    rows = np.flatnonzero(permitted)
    scores = fused[rows]
    best = top(scores, depth)
    return RankedList(rows[best], scores[best], float(scores.min()) if len(scores) else 0.0)


def normalised(ranked: RankedList, size: int) -> Scores:
    """Stretch scores to 0..1, `float32[size]`; what the list leaves out is 0."""
    out = np.zeros(size, dtype=np.float32)
    if len(ranked):
        span = float(ranked.scores[0]) - ranked.low
        out[ranked.ids] = (ranked.scores - ranked.low) / span if span > 0 else 0.0
    return out
