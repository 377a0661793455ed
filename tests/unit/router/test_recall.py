"""A running conversation keeps its list: whatever becomes of the bytes of the client's list, and after haste."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from router.catalog import EMPTY, Catalog, Pool
from router.cut import Held
from router.embed.embedder import Embedder
from router.frame import Frame
from router.pipeline import Router
from router.recall import Recall
from router.types import Budget, Mask, Reason, RouteRequest, Selection, Source, Tool
from tests.unit.router.fakes import GatedEncoder, HashingEncoder, catalog, now, soon, talk, tool

_WORDS = ("mail", "map", "song", "hotel", "ticket", "refund", "flight", "list", "weather", "rain", "snow", "wind")
_OWN = [tool(f"{word}_{verb}", f"{verb} one {word}") for word in _WORDS for verb in ("find", "keep", "drop")]
_BUDGET = Budget(6, 12)
_FIRST, _LATER = talk("one mail"), talk("one mail", "find the song")


@pytest.fixture
def router() -> Router:
    """A router with an encoder that is always ready."""
    return Router(Embedder(HashingEncoder()))


def _listed(*tools: Tool) -> Catalog:
    """Give a client's list; its version follows from its bytes, as that of a real one."""
    return catalog(*tools, version="tools:" + ",".join(one.name for one in tools))


def _names(selection: Selection) -> list[str]:
    return [one.name for one in selection.tools]


def _request(turns: object = _LATER) -> RouteRequest:
    return RouteRequest(turns, budget=_BUDGET, source=Source.BOTH)  # type: ignore[arg-type]


def _sent(router: Router, *tools: Tool, turns: object = _LATER) -> list[str]:
    return _names(router.route(EMPTY, _listed(*tools), _request(turns), soon()))


def _shuffled(tools: list[Tool]) -> list[Tool]:
    mixed = list(tools)
    random.Random(1).shuffle(mixed)
    return mixed


def test_a_shuffled_list_goes_on_as_it_was(router: Router) -> None:
    """Members and order are those that were sent, and what is new comes behind."""
    first = _sent(router, *_OWN, turns=_FIRST)
    later = _sent(router, *_shuffled(_OWN))
    assert later[: len(first)] == first
    assert later == _sent(Router(Embedder(HashingEncoder())), *_OWN)


def test_a_list_with_one_tool_more_goes_on_as_it_was(router: Router) -> None:
    """Wherever the new one stands."""
    first = _sent(router, *_OWN, turns=_FIRST)
    later = _sent(router, tool("new_one", "find the song"), *_OWN)
    assert later[: len(first)] == first
    assert "new_one" in later


def test_tools_that_are_gone_fall_out_of_a_list(router: Router) -> None:
    """The others stay in the order in which they were sent."""
    first = _sent(router, *_OWN, turns=_FIRST)
    left = [one for one in _OWN if one.name != first[2]]
    later = _sent(router, *_shuffled(left))
    assert later[: len(first) - 1] == [name for name in first if name != first[2]]


def test_a_new_tool_that_is_kept_comes_behind(router: Router) -> None:
    """In a short list with the catalogue's tools beside it."""
    registered = catalog(*(tool(f"registered_{word}", f"one {word}") for word in _WORDS))
    first = router.route(registered, _listed(*_OWN[:3]), _request(_FIRST), soon())
    later = router.route(registered, _listed(tool("ask_user"), *_OWN[:3]), _request(_LATER), soon())
    assert _names(later)[: len(first.tools)] == _names(first)
    assert _names(later)[len(first.tools)] == "ask_user"
    assert later.reasons[len(first.tools)] is Reason.OWN


def test_another_application_of_the_same_caller_is_another(router: Router) -> None:
    """Of two lists with one question each goes on as it was, and one that has other tools is not taken for it."""
    other = [tool(f"other_{one.name}", one.description) for one in _OWN]
    first, second = _sent(router, *_OWN, turns=_FIRST), _sent(router, *other, turns=_FIRST)
    assert _sent(router, *_OWN)[: len(first)] == first
    assert _sent(router, *other)[: len(second)] == second
    fewer = _OWN[:2] + [tool(f"third_{one.name}", one.description) for one in _OWN]
    third = _sent(router, *fewer)
    assert third == _sent(Router(Embedder(HashingEncoder())), *fewer)


def test_a_changed_list_is_that_of_the_application_that_asked_last(router: Router) -> None:
    """Two lists that have much in common: what goes on is what was sent with the one that was seen last."""
    first = _sent(router, *_OWN, turns=_FIRST)
    _sent(router, *(tool(f"{one.name}_too", one.description) for one in _OWN), *_OWN, turns=_FIRST)
    assert _sent(router, *_OWN, turns=_FIRST) == first
    assert _sent(router, *_shuffled(_OWN))[: len(first)] == first


def test_a_list_that_is_not_sent_yet_is_not_that_of_another(router: Router) -> None:
    """The first question with a shuffled list is decided as by a process that has seen nothing."""
    _sent(router, *_OWN, turns=_FIRST)
    mixed = _shuffled(_OWN)
    assert _sent(router, *mixed, turns=_FIRST) == _sent(Router(Embedder(HashingEncoder())), *mixed, turns=_FIRST)


def test_names_with_any_characters_are_found_again() -> None:
    """Also where one has a NUL, or there are several of one name, or none at all."""
    tools = [tool("a\0b"), tool("same"), tool("same"), tool("", fixed=True), tool("last")]
    recall, pool = Recall(2**24), Pool(_listed(*tools), EMPTY)
    order = (4, 1, 2, 0, 3)
    recall.put(b"key", Held(order, (Reason.RETRIEVED,) * 5, started=True), pool)
    moved = Pool(_listed(*reversed(tools)), EMPTY)
    held = recall.get(b"key", moved, _all(moved), {}, sent=True)
    assert held is not None
    assert [moved.tool(position).name for position in held.order] == ["last", "same", "same", ""]
    assert recall.get(b"key", moved, _all(moved), {}, sent=False) is None


def test_what_is_kept_today_is_in_a_list_that_is_remembered() -> None:
    """Other instructions may name others of the client's tools: they come behind."""
    recall, pool = Recall(2**24), Pool(_listed(*_OWN), EMPTY)
    recall.put(b"key", Held((1, 2), (Reason.RETRIEVED,) * 2, started=True), pool)
    held = recall.get(b"key", pool, _all(pool), {5: Reason.OWN}, sent=True)
    assert held is not None
    assert (held.order, held.settled) == ((1, 2, 5), False)
    assert recall.get(b"key", pool, _all(pool), {5: Reason.OWN}, sent=False) is None


def test_scope_is_the_same_for_every_list(router: Router) -> None:
    """What keys a set is neither the bytes of a list nor what its instructions name."""
    pools = [Pool(_listed(*tools), EMPTY) for tools in (_OWN, _shuffled(_OWN), _OWN[:5])]
    scopes = {Frame.build(pool, _request(), np.zeros(0, dtype=np.bool_)).scope for pool in pools}
    assert len(scopes) == 1


def test_what_was_found_in_haste_settles_with_the_next_turn() -> None:
    """The list that was sent is what the next turn goes on from; asked again, that turn is not searched again."""
    encoder = GatedEncoder(lambda said: said.startswith("mail") or "one" in said)
    router = Router(Embedder(encoder))
    own = _listed(*_OWN)
    hasty = router.route(EMPTY, own, _request(_FIRST), now())
    encoder.gate.set()
    _ = router.route(EMPTY, own, replace(_request(_FIRST), owner="another"), soon())  # now all vectors are there
    later = router.route(EMPTY, own, _request(_LATER), soon())
    assert later.positions[: len(hasty.positions)] == hasty.positions
    known = router.known(EMPTY, own, _request(_LATER))
    assert known is not None
    assert known.positions == later.positions
    router.close()


def test_a_first_question_in_haste_is_extended_once() -> None:
    """Asked three times more it has grown once, not to the cap, and needs no search."""
    encoder = GatedEncoder()
    router = Router(Embedder(encoder))
    own = _listed(*_OWN)
    hasty = router.route(EMPTY, own, _request(_FIRST), now())
    encoder.gate.set()
    again = [router.route(EMPTY, own, _request(_FIRST), soon()).positions for _ in range(3)]
    assert again[0][: len(hasty.positions)] == hasty.positions
    assert again[0] == again[1] == again[2]
    assert len(again[0]) <= _BUDGET.most
    assert router.known(EMPTY, own, _request(_FIRST)) is not None
    router.close()


def _all(pool: Pool) -> Mask:
    everything: Mask = np.ones(len(pool), dtype=np.bool_)
    return everything
