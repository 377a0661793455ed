"""However many tools one source has, it has no more of a list than its share."""

from __future__ import annotations

import numpy as np
import pytest

from router import cut
from router.catalog import EMPTY, Catalog, Pool
from router.explain import candidates
from router.pipeline import Router
from router.types import Budget, Grants, Kind, RankedList, Reason, RouteRequest, Selection
from tests.unit.router.fakes import soon, talk, tool

_KINDS = frozenset({Kind.FUNCTION})
_FLOOD = [tool(f"flood_{i}", "invoice invoice payment map", source="flood") for i in range(9)]
_OTHERS = [tool(f"{name}_{i}", f"one {name}", source="own") for name in ("invoice", "map") for i in range(6)]
_FREE = [tool(f"song_{i}", "play a song") for i in range(30)]
_POOL = Pool(EMPTY, Catalog.build("1", [*_FLOOD, *_OTHERS, *_FREE]))
_FIFTH = Budget(5, 10, 0.2)


def _ranked(*ids: int) -> RankedList:
    return RankedList(np.asarray(ids, dtype=np.int64), -np.arange(len(ids), dtype=np.float32))


def _routed(router: Router, budget: Budget, *turns: str) -> Selection:
    request = RouteRequest(talk(*turns), budget=budget)
    return router.route(_POOL.registered, EMPTY, request, soon(), explain=True)


def _of_flood(selection: Selection) -> int:
    return sum(sent.source == "flood" for sent in selection.tools)


def _reasons(selection: Selection, budget: Budget) -> dict[str, Reason]:
    return {row.tool.name: row.reason for row in candidates(_POOL, selection, Grants(), _KINDS, budget)}


@pytest.mark.parametrize(
    ("share", "slots", "most"), [(0.2, 12, 2), (0.2, 20, 4), (0.2, 13, 3), (0.5, 5, 3), (0.01, 12, 1), (1.0, 12, 12)]
)
def test_source_slots_are_rounded_and_one_at_least(share: float, slots: int, most: int) -> None:
    """A fifth of twelve is two, half of five is three, and nobody is shut out."""
    assert cut.source_slots(Budget(12, 20, share), slots) == most


def test_within_share_without_a_limit_is_the_same_list() -> None:
    """A share of one changes nothing."""
    ranked = _ranked(0, 1, 2)
    assert cut.within_share(_POOL, ranked, {}, Budget(), 3) is ranked


def test_within_share_leaves_out_the_worst_of_a_source() -> None:
    """The best of a source stay, in order and with their scores; what has no source is not counted."""
    within = cut.within_share(_POOL, _ranked(0, 1, 2, 21, 9, 3), {}, _FIFTH, 10)
    assert (within.ids.tolist(), within.scores.tolist()) == ([0, 1, 21, 9], [0, -1, -3, -4])


def test_within_share_counts_what_was_chosen_and_keeps_it() -> None:
    """Held tools count and stay; pinned and called ones stand on top and count for nothing."""
    held = {0: Reason.RETRIEVED, 1: Reason.PINNED, 2: Reason.HISTORY, 3: Reason.FORCED}
    within = cut.within_share(_POOL, _ranked(4, 0, 1, 2, 3, 5), held, _FIFTH, 10)
    assert within.ids.tolist() == [4, 0, 1, 2, 3]


def test_within_share_does_not_limit_trusted_sources() -> None:
    """A source that is trusted has no limit, another one still has."""
    budget = Budget(5, 10, 0.2, frozenset({"flood"}))
    assert cut.within_share(_POOL, _ranked(0, 1, 9, 2, 10, 11), {}, budget, 10).ids.tolist() == [0, 1, 9, 2, 10]


def test_route_gives_a_flood_its_share_of_the_first_list(router: Router) -> None:
    """Nine tools that fit best get the list without a limit, and one slot of five with it; the others fill the rest."""
    assert _of_flood(_routed(router, Budget(5, 10), "invoice payment")) == 5
    limited = _routed(router, Budget(5, 10, 0.2, frozenset({"own"})), "invoice payment")
    assert (_of_flood(limited), len(limited.tools)) == (1, 5)


def test_route_gives_a_flood_its_share_of_what_is_added(router: Router) -> None:
    """A list that grows to ten has two tools of the flood, and grows by the best of the others."""
    budget = Budget(5, 10, 0.2, frozenset({"own"}))
    grown = _routed(router, budget, "invoice payment", "a map")
    assert Reason.GROWN in grown.reasons
    assert _of_flood(grown) == 2
    assert sum(sent.name.startswith("map") for sent in grown.tools) >= 3


def test_route_does_not_recall_a_list_of_another_limit(router: Router) -> None:
    """The share and whom it spares are part of what a list depends on."""
    budgets = [Budget(5, 10), Budget(5, 10, 0.4), Budget(5, 10, 0.4, frozenset({"flood"}))]
    assert [_of_flood(_routed(router, budget, "invoice payment")) for budget in budgets] == [5, 2, 5]


def test_candidates_tell_which_tools_their_source_cost_a_place(router: Router) -> None:
    """Passed over for their source are those before the last chosen one; what stands behind is over budget."""
    budget = Budget(3, 10, 0.2, frozenset({"own"}))
    reasons = _reasons(_routed(router, budget, "invoice payment"), budget)
    flood = [reason for name, reason in reasons.items() if name.startswith("flood")]
    assert sorted(flood) == sorted([Reason.RETRIEVED, *[Reason.SOURCE_SHARE] * 8])
    assert reasons["map_0"] is Reason.OVER_BUDGET


def test_candidates_count_a_list_that_could_not_be_filled(router: Router) -> None:
    """Where every source has its share and slots are left, that is why the rest is missing."""
    budget = Budget(40, 40, 0.01)
    selection = _routed(router, budget, "invoice payment")
    assert len(selection.tools) == len(_FREE) + 2
    assert set(_reasons(selection, budget).values()) == {Reason.RETRIEVED, Reason.SOURCE_SHARE}


def test_candidates_of_a_grown_list_go_by_its_larger_share(router: Router) -> None:
    """After growth the share is that of the larger list; without a limit nothing is passed over for its source."""
    budget = Budget(5, 10, 0.2, frozenset({"own"}))
    grown = _routed(router, budget, "invoice payment", "a map")
    flood = [reason for name, reason in _reasons(grown, budget).items() if name.startswith("flood")]
    assert flood.count(Reason.SOURCE_SHARE) == 7
    assert Reason.SOURCE_SHARE not in _reasons(grown, Budget(5, 10)).values()
