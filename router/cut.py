"""Budget and invariants -> the tools in force.

Laws: invariants stand on top of the budget and are never trimmed. Rank decides membership, never order: the first
set stands in the order of the pool (the client's, then the catalogue's), what comes later is appended. Nothing is
removed and nothing moves until the cap; over the cap the set is selected once anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.catalog import Pool
from router.types import Budget, Mask, RankedList, Reason, Source

# Appending a tool costs the prompt cache of the whole history once. A missing tool must therefore lead everything
# in force by this much of the fused scale (0..1), and then the best few come with it.
MARGIN = 0.05
STEP = 4

_BUDGETED = (Reason.OWN, Reason.RETRIEVED, Reason.GROWN)


@dataclass(frozen=True, slots=True)
class Held:
    """The tools in force at a turn: positions in sent order and why each is there. `started`: once searched for."""

    order: tuple[int, ...] = ()
    reasons: tuple[Reason, ...] = ()
    started: bool = False

    @property
    def budgeted(self) -> int:
        """Count the tools that use up the budget."""
        return sum(reason in _BUDGETED for reason in self.reasons)


def invariants(pool: Pool, permitted: Mask, source: Source, budget: Budget) -> dict[int, Reason]:
    """Give what every set of this conversation holds: fixed and pinned tools, and a short list of the client's own."""
    kept = {i: Reason.FIXED for i, tool in enumerate(pool.own.tools) if tool.fixed}
    trimmable = len(pool.own) - len(kept)
    if source is not Source.REGISTRY and trimmable <= budget.initial:
        kept |= {i: Reason.OWN for i in range(len(pool.own)) if i not in kept}
    first = len(pool.own)
    kept |= {first + i: Reason.PINNED for i in pool.registered.pinned if permitted[first + i]}
    return kept


def initial(
    pool: Pool, ranked: RankedList, kept: dict[int, Reason], budget: Budget, called: Iterable[str], permitted: Mask
) -> Held:
    """Select a first set: the invariants and the best of the rest up to the budget, in the order of the pool."""
    reasons = dict(kept)
    room = budget.initial - sum(reason is Reason.OWN for reason in kept.values())
    for position in ranked.ids:
        if room <= 0:
            break
        fresh = [p for p in _namesakes(pool, int(position)) if p not in reasons]
        reasons |= dict.fromkeys(fresh, Reason.RETRIEVED)
        room -= len(fresh)
    for position in _callable(pool, called, permitted):
        reasons.setdefault(position, Reason.HISTORY)
    order = tuple(sorted(reasons))
    return Held(order, tuple(reasons[p] for p in order), started=True)


def newcomers(held: Held, ranked: RankedList) -> list[int]:
    """Give the missing tools worth appending, best first: none, unless the best of them clearly leads the set."""
    present = set(held.order)
    best_held = max(
        (float(s) for p, s in zip(ranked.ids, ranked.scores, strict=True) if int(p) in present), default=0.0
    )
    bar = best_held + MARGIN
    leading = ranked.ids[: int((ranked.scores >= bar).sum())]
    return [int(p) for p in leading if int(p) not in present][:STEP]


def appended(held: Held, positions: Sequence[int], reason: Reason) -> Held:
    """Append what is not there yet."""
    fresh = [p for p in dict.fromkeys(positions) if p not in held.order]
    if not fresh:
        return held
    return Held((*held.order, *fresh), (*held.reasons, *[reason] * len(fresh)), held.started)


def with_calls(held: Held, pool: Pool, called: Iterable[str], permitted: Mask) -> Held:
    """Append the tools that were called and are not in the set."""
    return appended(held, _callable(pool, called, permitted), Reason.HISTORY)


def with_forced(held: Held, pool: Pool, forced: Iterable[str], permitted: Mask) -> Held:
    """Append the tools that `tool_choice` names."""
    return appended(held, _callable(pool, forced, permitted), Reason.FORCED)


def _callable(pool: Pool, names: Iterable[str], permitted: Mask) -> list[int]:
    return [p for name in names for p in pool.positions(name) if pool.is_own(p) or permitted[p]]


def _namesakes(pool: Pool, position: int) -> list[int]:
    """A client may send two tools of one name: both are kept or both are dropped."""
    return pool.positions(pool.tool(position).name) if pool.is_own(position) else [position]
