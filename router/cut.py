"""Budget and invariants -> the tools in force.

Laws: invariants stand on top of the budget and are never trimmed. Rank decides membership, never order: the
first set stands in the order of the pool (the client's, then the catalogue's), what comes later is appended.
Nothing is removed and nothing moves until the cap; over the cap the set is selected once anew. However many tools one
source floods the catalogue with, they have no more of the budget than its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from router import keeping
from router.catalog import Pool
from router.named import Mention
from router.types import Budget, Mask, RankedList, Reason, Source

# Appending costs the prompt cache of the whole history once, however many tools come. So it is done only when the best
# missing tool leads the best of the set, or comes as near to it as MARGIN (in deviations), and then those come that are
# missing of the best STEP: what ranks further down takes room that later turns need. A set that is full is selected
# anew, which is what costs most, only where what is missing leads by LEADS. All were chosen on multi-turn data:
# docs/adr/0019.
MARGIN = 0.5
STEP = 6
LEADS = 1.0

BUDGETED = frozenset(
    {Reason.OWN, Reason.ASKED, Reason.CONTROL, Reason.INSTRUCTED, Reason.NAMED, Reason.RETRIEVED, Reason.GROWN}
)


@dataclass(frozen=True, slots=True)
class Held:
    """The tools in force at a turn: positions in sent order and why each is there.

    `started`: they were searched for. `by_words`: at least once without any vectors; `hasty`: the last time before all
    vectors were there. `settled`: they follow from catalogue, grants and request alone, or were found in haste and have
    been extended since: asked again, they are the same.
    """

    order: tuple[int, ...] = ()
    reasons: tuple[Reason, ...] = ()
    started: bool = False
    by_words: bool = False
    hasty: bool = False
    settled: bool = True

    @property
    def budgeted(self) -> int:
        """Count the tools that use up the budget."""
        return len(budgeted(self.order, self.reasons))


def budgeted(positions: Iterable[int], reasons: Iterable[Reason]) -> set[int]:
    """Give the positions that use up the budget."""
    return {position for position, reason in zip(positions, reasons, strict=True) if reason in BUDGETED}


def invariants(  # noqa: PLR0913, PLR0917 - what it follows from
    pool: Pool,
    permitted: Mask,
    source: Source,
    budget: Budget,
    asked: Iterable[str] = (),
    named: frozenset[int] = frozenset(),
) -> dict[int, Reason]:
    """Give what every set of this conversation holds: fixed and pinned tools, a client's short list, some of a long.

    `asked` are names that the client wants kept, `named` the positions of its tools that its instructions name.
    """
    kept = {i: Reason.FIXED for i, tool in enumerate(pool.own.tools) if tool.fixed}
    if source is not Source.REGISTRY:
        if len(pool.own) - len(kept) <= budget.most:
            own = dict.fromkeys(range(len(pool.own)), Reason.OWN)
        else:
            own = keeping.of_long_list(pool.own, asked, named, budget)
        kept = own | kept
    pinned = (pool.registered.tools[i].name for i in pool.registered.pinned)
    return dict.fromkeys(_callable(pool, pinned, permitted), Reason.PINNED) | kept


def history(pool: Pool, called: Iterable[str], permitted: Mask) -> dict[int, Reason]:
    """Give the tools that were called."""
    return dict.fromkeys(_callable(pool, called, permitted), Reason.HISTORY)


def named(pool: Pool, mentions: Iterable[Mention], permitted: Mask, budget: Budget) -> list[int]:
    """Give what is named and may be sent, in order of mention.

    What words of a sentence name by chance is no way around the share of a source: it could call its tools like them.
    """
    found: dict[int, None] = {}
    by_chance = Counter[str]()
    most = source_slots(budget, budget.initial)
    for mention in mentions:
        positions = [p for name in mention.among(pool) for p in pool.positions(name) if permitted[p]]
        if mention.few is not None and len({pool.tool(p).name for p in positions}) > mention.few:
            continue
        for position in positions:
            source = pool.tool(position).source
            if mention.spoken and source and source not in budget.trusted and position not in found:
                by_chance[source] += 1
                if by_chance[source] > most:
                    continue
            found[position] = None
    return list(found)


def source_slots(budget: Budget, slots: int) -> int:
    """Give how many of a list's slots one source can have: its share, rounded, and one at least."""
    return max(1, int(budget.source_share * slots + 0.5))


def within_share(pool: Pool, ranked: RankedList, held: Mapping[int, Reason], budget: Budget, slots: int) -> RankedList:
    """Leave out what comes when its source has had its share of `slots`; what is held counts as far as it is chosen."""
    if budget.source_share >= 1:
        return ranked
    most = source_slots(budget, slots)
    taken = Counter(pool.tool(position).source for position in budgeted(held, held.values()))
    within = np.ones(len(ranked), dtype=np.bool_)
    for place, position in enumerate(ranked.ids.tolist()):
        source = pool.tool(position).source
        if source and source not in budget.trusted and position not in held:
            within[place] = taken[source] < most
            taken[source] += 1
    return RankedList(ranked.ids[within], ranked.scores[within])


def initial(pool: Pool, ranked: RankedList, kept: dict[int, Reason], budget: Budget, named: Iterable[int] = ()) -> Held:
    """Select a first set: what is kept, what is named up to the cap, and the best of the rest up to the budget.

    It is in the pool's order.
    """
    reasons = dict(kept)
    taken = len(budgeted(kept, kept.values()))
    # Kept ones leave the others a few places, as far as the cap does: what is asked for now is among these.
    own = taken - sum(reason is Reason.NAMED for reason in kept.values())
    room = max(budget.initial - own, min(STEP, budget.initial // 2, budget.most - len(kept)))
    room = min(room, budget.most - taken)
    for position in named:
        fresh = [p for p in with_namesakes(pool, [position]) if p not in reasons]
        if taken + len(fresh) <= budget.most:
            reasons |= dict.fromkeys(fresh, Reason.NAMED)
            taken += len(fresh)
            room -= len(fresh)
    reasons |= dict.fromkeys(_best(pool, ranked, reasons, room), Reason.RETRIEVED)
    order = tuple(sorted(reasons))
    return Held(order, tuple(reasons[p] for p in order), started=True)


def _best(pool: Pool, ranked: RankedList, there: Mapping[int, Reason], room: int) -> dict[int, None]:
    """Give the best of what is not there, as many as there is room for."""
    found: dict[int, None] = {}
    looked_at: set[str] = set()  # names of the client's: one that has no room now has none later
    for position in ranked.ids.tolist():
        if len(found) >= room:
            break
        if pool.is_own(position):
            if (name := pool.tool(position).name) in looked_at:
                continue
            looked_at.add(name)
        fresh = [p for p in with_namesakes(pool, [position]) if p not in there and p not in found]
        if len(found) + len(fresh) <= room:
            found |= dict.fromkeys(fresh)
    return found


def behind(held: Held, first: Held) -> Held:
    """Put a first set behind what was sent before it."""
    reasons = dict(zip(held.order, held.reasons, strict=True)) | dict(zip(first.order, first.reasons, strict=True))
    return replace(first, order=tuple(reasons), reasons=tuple(reasons.values()))


def newcomers(held: Held, ranked: RankedList) -> list[int]:
    """Give the missing tools worth appending, best first: none while the best of the set leads clearly."""
    missing, leader = _lead(held, ranked)
    if missing is None or missing[1] <= 0 or missing[1] < leader - MARGIN:
        return []
    present = set(held.order)
    best = zip(ranked.ids[:STEP].tolist(), ranked.scores[:STEP].tolist(), strict=True)
    fresh = [position for position, score in best if position not in present and score > 0]
    return fresh or [missing[0]]


def is_outdone(held: Held, ranked: RankedList, best: int, budget: Budget) -> bool:
    """Tell whether a full set lacks the best so clearly that it is to be selected anew.

    One that can never grow is selected anew as soon as the very best is missing.
    """
    _, leader = _lead(held, ranked)
    lead = float(ranked.scores[0]) - leader
    return best == int(ranked.ids[0]) and lead >= (LEADS if budget.initial < budget.most else 0.0)


def _lead(held: Held, ranked: RankedList) -> tuple[tuple[int, float] | None, float]:
    """Give the best missing tool with its score, and the score of the best of the set."""
    present = set(held.order)
    look = len(present) + 1
    best = list(zip(ranked.ids[:look].tolist(), ranked.scores[:look].tolist(), strict=True))
    missing = next((one for one in best if one[0] not in present), None)
    leader = next((score for position, score in best if position in present), float("-inf"))
    return missing, leader


def appended(held: Held, positions: Sequence[int], reason: Reason) -> Held:
    """Append what is not there yet."""
    present = set(held.order)
    fresh = [p for p in dict.fromkeys(positions) if p not in present]
    if not fresh:
        return held
    return replace(held, order=(*held.order, *fresh), reasons=(*held.reasons, *[reason] * len(fresh)))


def filled(held: Held, pool: Pool, positions: Iterable[int], most: int, reason: Reason = Reason.GROWN) -> Held:
    """Append of the positions, best first, what the cap leaves room for."""
    for position in positions:
        present = set(held.order)
        fresh = [p for p in with_namesakes(pool, [position]) if p not in present]
        if held.budgeted + len(fresh) <= most:
            held = appended(held, fresh, reason)
    return held


def with_calls(held: Held, pool: Pool, called: Iterable[str], permitted: Mask) -> Held:
    """Append the tools that were called and are not in the set."""
    return appended(held, _callable(pool, called, permitted), Reason.HISTORY)


def with_forced(held: Held, pool: Pool, forced: Iterable[str], permitted: Mask) -> Held:
    """Append the tools that `tool_choice` names."""
    return appended(held, _callable(pool, forced, permitted), Reason.FORCED)


def with_namesakes(pool: Pool, positions: Iterable[int]) -> list[int]:
    """Add the client's other tools of the same names: either both are kept or both are dropped."""
    found = (pool.positions(pool.tool(p).name) if pool.is_own(p) else [p] for p in positions)
    return list(dict.fromkeys(namesake for namesakes in found for namesake in namesakes))


def _callable(pool: Pool, names: Iterable[str], permitted: Mask) -> list[int]:
    return [p for name in names for p in pool.positions(name) if permitted[p] or undisputed(pool, p)]


def undisputed(pool: Pool, position: int) -> bool:
    """Tell whether a tool is the client's alone, or fixed: nothing of the catalogue speaks against it."""
    tool = pool.tool(position)
    return pool.is_own(position) and (tool.fixed or tool.name not in pool.registered.by_name)
