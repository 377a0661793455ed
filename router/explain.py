"""A Selection laid open: every tool that was considered, with its scores, its ranks and the reason."""

from __future__ import annotations

from router.catalog import Pool
from router.permit import refusal
from router.types import Candidate, Grants, Kind, RankedList, Reason, Selection


def candidates(pool: Pool, selection: Selection, grants: Grants, kinds: frozenset[Kind]) -> list[Candidate]:
    """Give one entry a tool of the pool: the chosen in sent order, the others by rank, then the refused."""
    chosen = dict(zip(selection.positions, selection.reasons, strict=True))
    rankings = selection.rankings
    fused = _places(rankings.fused if rankings else None)
    dense = _places(rankings.dense if rankings else None)
    lexical = _places(rankings.lexical if rankings else None)
    rows = []
    for position in range(len(pool)):
        tool = pool.tool(position)
        reason = chosen.get(position) or _why_not(pool, position, grants, kinds)
        score, rank = fused.get(position, (None, None))
        dense_score, dense_rank = dense.get(position, (None, None))
        lexical_score, lexical_rank = lexical.get(position, (None, None))
        rows.append(
            Candidate(
                tool=tool,
                position=position,
                chosen=position in chosen,
                reason=reason,
                fused=score,
                rank=rank,
                dense=dense_score,
                dense_rank=dense_rank,
                lexical=lexical_score,
                lexical_rank=lexical_rank,
            )
        )
    sent = {position: place for place, position in enumerate(selection.positions)}
    beyond = len(pool) + 1
    return sorted(rows, key=lambda row: (sent.get(row.position, beyond), row.rank or beyond, row.position))


def _places(ranked: RankedList | None) -> dict[int, tuple[float, int]]:
    if ranked is None:
        return {}
    pairs = zip(ranked.ids.tolist(), ranked.scores.tolist(), strict=True)
    return {position: (score, place) for place, (position, score) in enumerate(pairs, start=1)}


def _why_not(pool: Pool, position: int, grants: Grants, kinds: frozenset[Kind]) -> Reason:
    tool = pool.tool(position)
    if pool.is_own(position):
        return Reason.OVER_BUDGET
    if tool.name in pool.own.by_name:
        return Reason.SHADOWED
    if tool.kind not in kinds:
        return Reason.NOT_PERMITTED
    return refusal(tool, grants) or Reason.OVER_BUDGET
