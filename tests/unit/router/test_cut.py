"""Budget and invariants."""

from __future__ import annotations

import numpy as np
import pytest

from router import cut
from router.catalog import EMPTY, Pool
from router.cut import Held
from router.types import Budget, Mask, RankedList, Reason, Source
from tests.unit.router.fakes import catalog, tool

_LETTERS = Pool(EMPTY, catalog(*(tool(name) for name in "abcdefgh")))
_OWN = Pool(catalog(tool("a"), tool("b"), tool("web", fixed=True)), catalog(tool("c"), tool("p", pinned=True)))
_TWICE = Pool(catalog(tool("x"), tool("y"), tool("x"), tool("z")), EMPTY)


def _all(pool: Pool) -> Mask:
    return np.ones(len(pool), dtype=np.bool_)


def _ranked(*ids: int, scores: tuple[float, ...] = ()) -> RankedList:
    given = scores or tuple(1 - i / 10 for i in range(len(ids)))
    return RankedList(np.asarray(ids, dtype=np.int64), np.asarray(given, dtype=np.float32))


def _held(*order: int, reason: Reason = Reason.RETRIEVED) -> Held:
    return Held(order, (reason,) * len(order), started=True)


@pytest.mark.parametrize(
    ("source", "most", "kept"),
    [
        (Source.BOTH, 2, {0: Reason.OWN, 1: Reason.OWN, 2: Reason.FIXED, 4: Reason.PINNED}),
        (Source.BOTH, 1, {2: Reason.FIXED, 4: Reason.PINNED}),
        (Source.REGISTRY, 2, {2: Reason.FIXED, 4: Reason.PINNED}),
    ],
)
def test_invariants_keep_a_short_list_fixed_and_pinned(source: Source, most: int, kept: dict[int, Reason]) -> None:
    """Fixed and pinned tools are always kept; the client's own when the cap has room, unless the registry decides."""
    assert cut.invariants(_OWN, _all(_OWN), source, Budget(1, most)) == kept


def test_invariants_leave_out_a_pin_that_is_not_permitted() -> None:
    """Pinning a tool does not permit it."""
    permitted = np.asarray([True, True, True, True, False])
    assert 4 not in cut.invariants(_OWN, permitted, Source.BOTH, Budget(2, 9))


def test_invariants_keep_the_clients_definition_of_a_pinned_name() -> None:
    """When the client defines a pinned name itself, its definition is the one that is kept."""
    pool = Pool(catalog(tool("a"), tool("p")), catalog(tool("p", pinned=True)))
    permitted = np.asarray([True, True, False])
    assert cut.invariants(pool, permitted, Source.BOTH, Budget(1, 1)) == {1: Reason.PINNED}


def test_initial_takes_the_best_in_the_order_of_the_pool() -> None:
    """Rank decides which tools are in, the pool in which order they stand."""
    held = cut.initial(_LETTERS, _ranked(6, 1, 4, 0), {}, Budget(3, 9))
    assert held == Held((1, 4, 6), (Reason.RETRIEVED,) * 3, started=True)


def test_initial_keeps_invariants_on_top_of_the_budget() -> None:
    """Pinned and called tools take no room; the client's own do."""
    kept = {7: Reason.PINNED, 6: Reason.HISTORY, 5: Reason.OWN}
    held = cut.initial(_LETTERS, _ranked(7, 6, 5, 4, 3, 2), kept, Budget(2, 9))
    assert held.order == (4, 5, 6, 7)
    assert held.budgeted == 2


def test_initial_without_room_keeps_what_is_kept() -> None:
    """A list that uses up the budget leaves no room for others."""
    held = cut.initial(_LETTERS, _ranked(1, 2), {0: Reason.OWN}, Budget(1, 9))
    assert held.order == (0,)


@pytest.mark.parametrize(
    ("ranked", "order"),
    [((0, 3, 1), (0, 2)), ((3, 0, 1), (1, 3)), ((2, 1), (0, 2))],
)
def test_initial_keeps_or_drops_both_namesakes(ranked: tuple[int, ...], order: tuple[int, ...]) -> None:
    """Two own tools of one name come together, and never break the budget."""
    assert cut.initial(_TWICE, _ranked(*ranked), {}, Budget(2, 9)).order == order


@pytest.mark.parametrize(
    ("scores", "fresh"),
    [
        ((2.0, 1.0, 1.4, 1.0), []),  # the set leads clearly
        ((2.0, 1.0, 1.6, 1.0), [2, 1, 3]),  # one comes near to its best, and the next come with it
        ((2.0, 1.0, 2.5, 1.0), [2, 1, 3]),  # the best of all is missing
        ((2.0, 0.0, 2.5, -1.0), [2]),
    ],
)
def test_newcomers_come_when_one_is_as_good_as_the_set(scores: tuple[float, ...], fresh: list[int]) -> None:
    """Nothing is appended while the set leads by more than the margin; else the best missing come together."""
    best = sorted(range(4), key=lambda position: (-scores[position], position))
    assert cut.newcomers(_held(0), _ranked(*best, scores=tuple(scores[p] for p in best))) == fresh


def test_behind_keeps_what_was_sent_in_front() -> None:
    """What a first set holds and was sent before stays where it stood; the others follow in their order."""
    first = cut.initial(_LETTERS, _ranked(1, 6), {3: Reason.HISTORY, 5: Reason.PINNED}, Budget(2, 9))
    after = cut.behind(_held(5, 3, reason=Reason.PINNED), first)
    assert after.order == (5, 3, 1, 6)
    assert after.reasons == (Reason.PINNED, Reason.HISTORY, Reason.RETRIEVED, Reason.RETRIEVED)


def test_newcomers_of_nothing_are_none() -> None:
    """Where nothing was ranked, or all of it is there, nothing comes."""
    assert cut.newcomers(_held(0), _ranked()) == []
    assert cut.newcomers(_held(0, 1), _ranked(0, 1)) == []


def test_newcomers_come_a_few_at_a_time() -> None:
    """However many lead the set, one step brings the best few."""
    assert cut.newcomers(_held(0), _ranked(*range(7, -1, -1))) == [7, 6, 5, 4, 3, 2, 1][: cut.STEP]


def test_newcomers_are_of_the_best() -> None:
    """What ranks further down stays out, but for the one that is as good as the set."""
    ranked = _ranked(0, 4, 1, 5, 2, 3, 6, 7, scores=tuple(2 - place / 10 for place in range(8)))
    assert cut.newcomers(_held(0, 1, 2, 3), ranked) == [4, 5]
    assert cut.newcomers(_held(0, 1, 2, 3, 4, 5), ranked) == []
    near = _ranked(0, 4, 1, 5, 2, 3, 6, 7, scores=tuple(2 - place / 100 for place in range(8)))
    assert cut.newcomers(_held(0, 1, 2, 3, 4, 5), near) == [6]


@pytest.mark.parametrize(
    ("second", "best", "budget", "outdone"),
    [
        (1.0, 1, Budget(2, 4), True),
        (1.1, 1, Budget(2, 4), False),
        (1.9, 1, Budget(4, 4), True),
        (0.0, 2, Budget(2, 4), False),
    ],
)
def test_a_full_set_is_outdone_by_what_leads_clearly(
    second: float, best: int, budget: Budget, *, outdone: bool
) -> None:
    """By a deviation, or at all where the set never grows; and only by the very best."""
    assert cut.is_outdone(_held(0), _ranked(1, 0, scores=(2.0, second)), best, budget) is outdone


def test_newcomers_of_an_unranked_set_need_a_score() -> None:
    """When nothing in the set was ranked, a missing tool still has to be better than nothing."""
    assert cut.newcomers(_held(7), _ranked(0, 1, scores=(0.5, 0.0))) == [0]


def test_appended_leaves_what_is_there() -> None:
    """Tools that are there keep their place and their reason, the new stand behind them once."""
    held = cut.appended(_held(3, 1), [1, 5, 5], Reason.GROWN)
    assert held.order == (3, 1, 5)
    assert held.reasons == (Reason.RETRIEVED, Reason.RETRIEVED, Reason.GROWN)
    assert held.started


def test_appended_nothing_is_the_same_set() -> None:
    """With nothing new the set is given back."""
    held = _held(3, 1)
    assert cut.appended(held, [1], Reason.GROWN) is held


def test_filled_stops_at_the_cap() -> None:
    """The best are appended as far as the cap leaves room, namesakes together or not at all."""
    assert cut.filled(_held(0), _LETTERS, [5, 4, 3], 3).order == (0, 5, 4)
    assert cut.filled(_held(1), _TWICE, [0, 3], 2).order == (1, 3)


def test_with_calls_appends_what_may_be_called() -> None:
    """Called tools are appended once, without those not permitted or unknown."""
    permitted = np.asarray([True] * 3 + [False] + [True] * 4)
    held = cut.with_calls(_held(0), _LETTERS, ["b", "d", "a", "b", "unknown"], permitted)
    assert (held.order, held.reasons[1]) == ((0, 1), Reason.HISTORY)


def test_with_forced_appends_the_clients_own_always() -> None:
    """A tool that the client sent itself needs nobody's permission."""
    nothing = np.zeros(len(_OWN), dtype=np.bool_)
    held = cut.with_forced(Held(), _OWN, ["b", "c"], nothing)
    assert (held.order, held.reasons) == ((1,), (Reason.FORCED,))


def test_history_gives_each_called_tool() -> None:
    """Called tools are known by position, all namesakes of them."""
    assert cut.history(_TWICE, ["x", "y"], _all(_TWICE)) == dict.fromkeys((0, 2, 1), Reason.HISTORY)


def test_initial_leaves_the_others_a_few_places_beside_many_that_are_kept() -> None:
    """Half the budget at most, and no more than the cap has room for."""
    assert cut.initial(_LETTERS, _ranked(7, 6, 5, 4, 3), dict.fromkeys(range(3), Reason.OWN), Budget(4, 9)).order == (
        *range(3), 6, 7
    )  # fmt: skip
    assert cut.initial(_LETTERS, _ranked(7, 6, 5), dict.fromkeys(range(4), Reason.CONTROL), Budget(4, 5)).budgeted == 5


def test_budgeted_counts_what_uses_the_budget() -> None:
    """Own, retrieved and grown tools count; fixed, pinned, forced and called ones do not."""
    reasons = (Reason.OWN, Reason.RETRIEVED, Reason.GROWN, Reason.FIXED, Reason.PINNED, Reason.FORCED)
    assert Held(tuple(range(7)), (*reasons, Reason.HISTORY)).budgeted == 3
