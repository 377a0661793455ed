"""The laws of routing, held against random catalogues, lists and conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router import cut
from router.catalog import Catalog, Pool
from router.embed.embedder import Embedder
from router.embed.profile import Profile
from router.named import find
from router.permit import permitted
from router.pipeline import Router
from router.types import (
    Budget,
    Conversation,
    Grants,
    Kind,
    Mode,
    Reason,
    Risk,
    RouteRequest,
    Selection,
    Source,
    Turn,
)
from tests.unit.router.fakes import HashingEncoder, catalog, greetings, soon, tool

_WORDS = ("mail", "weather", "refund", "flight", "hotel", "song", "ticket", "map", "天气", "list")
_BUDGETED = cut.BUDGETED
_ENCODER = HashingEncoder()
_WITHOUT_CAP = Budget(3, 1_000)

_GREETINGS = ("hello", "hello you", "hello friend")

_words = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3).map(" ".join)
_questions = _words | _words | _words | st.sampled_from(_GREETINGS)


@dataclass(frozen=True)
class World:
    """One caller with a catalogue, a list and a conversation."""

    registered: Catalog
    own: Catalog
    request: RouteRequest

    @property
    def pool(self) -> Pool:
        return Pool(self.own, self.registered)

    def requests(self) -> Iterator[RouteRequest]:
        """Give every request of the conversation: within each turn one more after each call."""
        turns = self.request.conversation.turns
        for number, turn in enumerate(turns):
            for calls in range(len(turn.calls) + 1):
                seen = (*turns[:number], replace(turn, calls=turn.calls[:calls]))
                yield replace(self.request, conversation=Conversation(seen))

    def route(self, router: Router, request: RouteRequest) -> Selection:
        return router.route(self.registered, self.own, request, soon(), explain=True)


@st.composite
def _registered(draw: st.DrawFn) -> Catalog:
    tools = [
        tool(
            f"{draw(st.sampled_from(_WORDS))}_{number}",
            draw(_words),
            pinned=draw(st.integers(0, 7)) == 0,
            enabled=draw(st.integers(0, 7)) > 0,
            risk=draw(st.sampled_from((Risk.READ, Risk.READ, Risk.WRITE, Risk.DANGEROUS))),
            kind=draw(st.sampled_from((Kind.FUNCTION, Kind.FUNCTION, Kind.CUSTOM))),
            tags=draw(st.sampled_from(((), ("x",), ("y",)))),
            keywords=draw(st.sampled_from(((), ("map",)))),
        )
        for number in range(draw(st.integers(0, 12)))
    ]
    return catalog(*tools, encoder=draw(st.sampled_from((_ENCODER, None))))


@st.composite
def worlds(draw: st.DrawFn, budget: Budget | None = None, *, forced: bool = False) -> World:
    """Draw a world; `forced` lets requests demand tools."""
    registered = draw(_registered())
    both = [one.name for one in registered.tools]
    names = st.sampled_from([*(f"own_{word}" for word in _WORDS), *both])
    fixed = draw(st.sets(names, max_size=2))
    listed = draw(st.lists(names, max_size=8))
    own = catalog(*(tool(name, draw(_words), fixed=name in fixed) for name in listed), version="own")
    everything = [*both, *own.by_name, "unknown"]
    calls = st.lists(st.sampled_from(everything), max_size=2).map(tuple)
    named = st.lists(st.sampled_from(everything), min_size=1, max_size=3).map(lambda them: f"use {' and '.join(them)}")
    around = st.just("") | st.just("") | named
    questions = _questions | _questions | named
    first = draw(st.builds(Turn, questions, calls, around, around))
    later = draw(st.lists(st.builds(Turn, questions | st.just(""), calls, around, around), min_size=1, max_size=7))
    initial = draw(st.integers(1, 4))
    request = RouteRequest(
        Conversation((first, *later)),
        forced=draw(st.lists(st.sampled_from(everything), max_size=2).map(tuple)) if forced else (),
        grants=Grants(
            draw(st.sampled_from((frozenset({Risk.READ}), frozenset(Risk)))),
            draw(st.sampled_from((frozenset[str](), frozenset({"x"})))),
        ),
        budget=budget or Budget(initial, initial + draw(st.integers(0, 5))),
        source=draw(st.sampled_from(Source)),
        kinds=draw(st.sampled_from((frozenset({Kind.FUNCTION}), frozenset(Kind)))),
    )
    return World(registered, own, request)


def _budgeted(selection: Selection) -> int:
    return sum(reason in _BUDGETED for reason in selection.reasons)


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    """An embedder that knows greetings, to which nothing of the catalogue is added."""
    made = Embedder(_ENCODER, Profile(small_talk=greetings(_ENCODER)))
    yield made
    made.close()


@given(world=worlds(budget=_WITHOUT_CAP))
def test_a_later_list_starts_with_the_earlier(embedder: Embedder, world: World) -> None:
    """While no cap is in the way, each request's list starts with that of the request before it."""
    router, before = Router(embedder), tuple[int, ...]()
    for request in world.requests():
        after = world.route(router, request).positions
        assert after[: len(before)] == before
        before = after


@given(world=worlds())
def test_only_the_cap_rewrites_a_list(embedder: Embedder, world: World) -> None:
    """A list that does not start with the one before it was at its cap, and is in the order of the pool."""
    router, before = Router(embedder), None
    for request in world.requests():
        after = world.route(router, request)
        if before is not None and after.positions[: len(before.positions)] != before.positions:
            namesakes = max(Counter(one.name for one in world.own.tools).values(), default=1)
            assert _budgeted(before) + cut.STEP * namesakes > request.budget.most
            chosen = [
                p
                for p, why in zip(after.positions, after.reasons, strict=True)
                if why in {Reason.RETRIEVED, Reason.OWN, Reason.PINNED, Reason.FIXED, Reason.NAMED}
            ]
            assert chosen == sorted(chosen)
        before = after


@given(world=worlds())
def test_a_selection_is_a_function_of_the_request(embedder: Embedder, world: World) -> None:
    """A router that has seen nothing gives what one gives that saw every request of the conversation."""
    router = Router(embedder)
    for request in world.requests():
        seen = world.route(router, request)
        fresh = world.route(Router(embedder), request)
        assert (seen.positions, seen.reasons, seen.mode) == (fresh.positions, fresh.reasons, fresh.mode)


@given(world=worlds())
def test_an_agent_loop_keeps_its_list(embedder: Embedder, world: World) -> None:
    """Within a user turn, calls of tools that are in the list leave it as it is."""
    router = Router(embedder)
    first = world.route(router, world.request)
    *earlier, last = world.request.conversation.turns
    called = tuple(one.name for one in first.tools)
    loop = Conversation((*earlier, replace(last, calls=last.calls + called)))
    again = world.route(router, replace(world.request, conversation=loop))
    assert (again.tools, again.reasons) == (first.tools, first.reasons)


@given(world=worlds(forced=True))
def test_invariants_are_always_in(embedder: Embedder, world: World) -> None:
    """Fixed, pinned, called and forced tools are sent, the client's definition before the catalogue's."""
    request, pool = world.request, world.pool
    sent = set(world.route(Router(embedder), request).positions)
    registered = world.registered if request.source not in (Source.REQUEST, Source.FORCED) else catalog()
    allowed = permitted(registered, request.grants, request.kinds)
    called = [name for turn in request.conversation.turns for name in turn.calls]
    pinned = [one.name for one, offered in zip(registered.tools, allowed, strict=True) if one.pinned and offered]
    assert {i for i, one in enumerate(world.own.tools) if one.fixed} <= sent
    for name in (*called, *request.forced, *pinned):
        for position in pool.positions(name):
            registry = position - len(world.own)
            forbidden = not all(allowed[row] for row in registered.by_name.get(name, ()))
            if registry < 0 and request.source is Source.REGISTRY and forbidden:
                continue  # the catalogue speaks against it
            if registry < 0 or (registry < len(registered) and allowed[registry]):
                assert position in sent


@given(world=worlds(forced=True))
def test_the_forbidden_is_never_in(embedder: Embedder, world: World) -> None:
    """A tool of the catalogue that the caller may not have is neither sent nor ranked, whatever names it."""
    allowed = permitted(world.registered, world.request.grants, world.request.kinds)
    forbidden = {len(world.own) + i for i, offered in enumerate(allowed) if not offered}
    selection = world.route(Router(embedder), world.request)
    assert forbidden.isdisjoint(selection.positions)
    assert selection.rankings is not None
    assert forbidden.isdisjoint(selection.rankings.fused.ids.tolist())
    assert forbidden.isdisjoint(selection.rankings.rows.tolist())


@given(world=worlds())
def test_tags_narrow_the_catalogue_only(embedder: Embedder, world: World) -> None:
    """A tag filter leaves of the catalogue only tools with the tag, and never touches the client's own."""
    request = replace(world.request, grants=Grants(frozenset(Risk), frozenset({"y"})))
    selection = world.route(Router(embedder), request)
    own = len(world.own)
    assert all("y" in world.pool.tool(p).tags for p in selection.positions if p >= own)
    if request.source is not Source.REGISTRY and len(world.own) <= request.budget.most:
        assert set(range(own)) <= set(selection.positions)


@given(world=worlds())
def test_the_budget_holds(embedder: Embedder, world: World) -> None:
    """A first list has at most the initial budget; others, what is named and a client's tools the cap, others aside."""
    router = Router(embedder)
    for request in world.requests():
        only = len(request.conversation.turns) == 1 and not len(world.own)
        selection = world.route(router, request)
        most = request.budget.initial if only else request.budget.most
        assert _budgeted(selection) <= max(most, min(selection.reasons.count(Reason.NAMED), request.budget.most))


@given(world=worlds())
def test_what_is_named_is_sent(embedder: Embedder, world: World) -> None:
    """What the last turn names and may be sent is sent, as far as the cap has room beside a client's short list."""
    router = Router(embedder)
    for request in world.requests():
        selection = world.route(router, request)
        pool = Pool(world.own, world.registered if request.source is not Source.REQUEST else catalog())
        frame = router.frame(pool, request)
        mentions = find(pool, request.conversation.turns[-1].text)
        named = cut.named(pool, mentions, frame.permitted, request.budget)
        others = [p for p in named if frame.kept.get(p) not in _BUDGETED]
        kept = sum(reason in _BUDGETED for reason in frame.kept.values())
        namesakes = sum(len(pool.positions(pool.tool(p).name)) for p in others)
        if frame.chooses and kept + namesakes <= request.budget.most:
            assert set(named) <= set(selection.positions)


@given(world=worlds(forced=True))
def test_a_short_list_is_kept_whole_and_first(embedder: Embedder, world: World) -> None:
    """The client's tools within the cap are the head of the list, whole and in the client's order."""
    assume(world.request.source is not Source.REGISTRY and len(world.own) <= world.request.budget.most)
    for request in world.requests():
        assert world.route(Router(embedder), request).tools[: len(world.own)] == world.own.tools


@given(world=worlds(forced=True))
def test_namesakes_stay_together(embedder: Embedder, world: World) -> None:
    """Of own tools that share a name all are in or none is; the catalogue's of that name never is."""
    for request in world.requests():
        selection = world.route(Router(embedder), request)
        for name in {one.name for one in selection.tools} & world.own.by_name.keys():
            positions = [p for p in selection.positions if world.pool.tool(p).name == name]
            assert sorted(positions) == world.own.by_name[name]


@given(world=worlds(forced=True))
def test_nothing_to_do_is_untouched(embedder: Embedder, world: World) -> None:
    """A selection is unchanged exactly when it is the client's own list in its own order."""
    selection = world.route(Router(embedder), world.request)
    assert selection.changed is (selection.tools != world.own.tools)
    assert (selection.mode is Mode.UNTOUCHED) is not selection.changed
    assert len(set(selection.positions)) == len(selection.positions) == len(selection.reasons)
