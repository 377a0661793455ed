"""A Selection laid open: every tool that was considered, with its scores, its ranks and the reason."""

from __future__ import annotations

from collections import Counter

import numpy as np

from router import cut
from router.catalog import Pool
from router.ordering import top
from router.permit import barriers
from router.types import (
    Barrier,
    Budget,
    Candidate,
    Channel,
    Grants,
    Kind,
    Place,
    Rankings,
    Reason,
    Selection,
    Tool,
)


def candidates(
    pool: Pool, selection: Selection, grants: Grants, kinds: frozenset[Kind], budget: Budget | None = None
) -> list[Candidate]:
    """Give one entry a tool of the pool: the chosen in sent order, the others by rank, then the refused.

    What the request names goes before the others. The refused come by the rank that they would have, where an
    explanation was asked for.
    """
    chosen = dict(zip(selection.positions, selection.reasons, strict=True))
    passed = Reason.OVER_BUDGET if _is_relevant(selection) else Reason.IRRELEVANT
    fused, channels = _fused(selection.rankings), _channels(selection.rankings)
    named = set(selection.named)
    shared = _beyond_share(pool, selection, budget or Budget())
    would_be = _fused(selection.unrestricted.rankings if selection.unrestricted else None)
    rows = []
    for position in range(len(pool)):
        tool = pool.tool(position)
        kept_by = () if position in chosen else _barriers(pool, position, grants, kinds)
        reason = chosen.get(position) or _why_not(pool, position, kept_by)
        reason = reason or (Reason.SOURCE_SHARE if position in shared else passed)
        rows.append(
            Candidate(
                tool=tool,
                position=position,
                chosen=position in chosen,
                reason=reason,
                fused=fused.get(position),
                channels={name: places[position] for name, places in channels.items() if position in places},
                barriers=kept_by,
                would_be=would_be.get(position) if kept_by else None,
                named=position in named,
            )
        )
    sent = {position: place for place, position in enumerate(selection.positions)}
    beyond = len(pool) + 1

    def place(row: Candidate) -> tuple[int, ...]:
        ranks = (found.rank if found else beyond for found in (row.fused, row.would_be))
        return (sent.get(row.position, beyond), not row.named, *ranks, row.position)

    return sorted(rows, key=place)


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


def _barriers(pool: Pool, position: int, grants: Grants, kinds: frozenset[Kind]) -> tuple[Barrier, ...]:
    """Return what keeps a tool from being offered; nothing keeps a client's own, or hides what it has itself."""
    tool = pool.tool(position)
    return () if pool.is_own(position) or _is_shadowed(pool, tool) else barriers(tool, grants, kinds)


def _why_not(pool: Pool, position: int, kept_by: tuple[Barrier, ...]) -> Reason | None:
    """Say why a tool may not be sent; None for one that may, but was passed over."""
    if not pool.is_own(position) and _is_shadowed(pool, pool.tool(position)):
        return Reason.SHADOWED
    if not kept_by:
        return None
    return Reason.DISABLED if kept_by[0] is Barrier.DISABLED else Reason.NOT_PERMITTED


def _is_shadowed(pool: Pool, tool: Tool) -> bool:
    return tool.name in pool.own.by_name
