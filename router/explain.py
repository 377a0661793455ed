"""A Selection laid open: every tool that was considered, with its scores, its ranks and the reason."""

from __future__ import annotations

from collections import Counter

import numpy as np

from router import cut
from router.catalog import Pool
from router.ordering import top
from router.permit import refusal
from router.types import Budget, Candidate, Channel, Grants, Kind, Place, Rankings, Reason, Selection


def candidates(
    pool: Pool, selection: Selection, grants: Grants, kinds: frozenset[Kind], budget: Budget | None = None
) -> list[Candidate]:
    """Give one entry a tool of the pool: the chosen in sent order, the others by rank, then the refused."""
    chosen = dict(zip(selection.positions, selection.reasons, strict=True))
    passed = Reason.OVER_BUDGET if _is_relevant(selection) else Reason.IRRELEVANT
    fused, channels = _fused(selection.rankings), _channels(selection.rankings)
    shared = _beyond_share(pool, selection, budget or Budget())
    rows = []
    for position in range(len(pool)):
        tool = pool.tool(position)
        reason = chosen.get(position) or _why_not(pool, position, grants, kinds)
        reason = reason or (Reason.SOURCE_SHARE if position in shared else passed)
        rows.append(
            Candidate(
                tool=tool,
                position=position,
                chosen=position in chosen,
                reason=reason,
                fused=fused.get(position),
                channels={name: places[position] for name, places in channels.items() if position in places},
            )
        )
    sent = {position: place for place, position in enumerate(selection.positions)}
    beyond = len(pool) + 1
    return sorted(
        rows, key=lambda row: (sent.get(row.position, beyond), row.fused.rank if row.fused else beyond, row.position)
    )


def _is_relevant(selection: Selection) -> bool:
    return selection.relevance is None or selection.relevance >= 0


def _fused(rankings: Rankings | None) -> dict[int, Place]:
    if rankings is None:
        return {}
    pairs = zip(rankings.fused.ids.tolist(), rankings.fused.scores.tolist(), strict=True)
    return {position: Place(score, rank, score) for rank, (position, score) in enumerate(pairs, start=1)}


def _channels(rankings: Rankings | None) -> dict[str, dict[int, Place]]:
    if rankings is None:
        return {}
    return {channel.name: _places(channel, rankings) for channel in rankings.channels}


def _places(channel: Channel, rankings: Rankings) -> dict[int, Place]:
    """Give by position what a channel says of the tools that it has a score for."""
    there = np.flatnonzero(~np.isnan(channel.scores))
    scores = channel.scores[there]
    best = top(scores, len(scores))
    pairs = zip(rankings.rows[there][best].tolist(), scores[best].tolist(), strict=True)
    return {
        position: Place(score, rank, channel.weight * score) for rank, (position, score) in enumerate(pairs, start=1)
    }


def _beyond_share(pool: Pool, selection: Selection, budget: Budget) -> set[int]:
    """Give the positions that stand before the last chosen one and were passed over for their source."""
    if budget.source_share >= 1 or selection.rankings is None or not _is_relevant(selection):
        return set()
    slots = budget.most if Reason.GROWN in selection.reasons else budget.initial
    chosen = cut.budgeted(selection.positions, selection.reasons)
    taken = Counter(pool.tool(position).source for position in chosen)
    most = cut.source_slots(budget, slots)
    full = {source for source, times in taken.items() if times >= most} - budget.trusted - {""}
    ranked = selection.rankings.fused.ids.tolist()
    if len(chosen) >= budget.initial:
        last = max((place for place, position in enumerate(ranked) if position in chosen), default=0)
        ranked = ranked[:last]
    return {position for position in ranked if position not in chosen and pool.tool(position).source in full}


def _why_not(pool: Pool, position: int, grants: Grants, kinds: frozenset[Kind]) -> Reason | None:
    """Say why a tool may not be sent; None for one that may, but was passed over."""
    tool = pool.tool(position)
    if pool.is_own(position):
        return None
    if tool.name in pool.own.by_name:
        return Reason.SHADOWED
    if tool.kind not in kinds:
        return Reason.NOT_PERMITTED
    return refusal(tool, grants)
