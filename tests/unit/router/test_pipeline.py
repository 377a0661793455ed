"""The whole way from a conversation to the tools it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from router import text
from router.catalog import EMPTY, Catalog
from router.embed.embedder import Embedder
from router.embed.use import EmbeddedEncoder
from router.pipeline import Router
from router.types import (
    Budget,
    Conversation,
    Encoder,
    Grants,
    Mode,
    Reason,
    Risk,
    RouteRequest,
    Selection,
    Source,
)
from tests.unit.router.fakes import (
    BreakingEncoder,
    GatedEncoder,
    HashingEncoder,
    catalog,
    digests,
    now,
    soon,
    talk,
    tool,
)

_ENCODER = HashingEncoder()
_NAMES = ("mail", "weather", "refund", "flight", "hotel", "song", "ticket", "invoice", "contact", "map")
_MANY = catalog(*(tool(name, f"work with one {name}") for name in _NAMES), encoder=_ENCODER)
_SMALL = Budget(3, 6)


def _names(selection: Selection) -> list[str]:
    return [sent.name for sent in selection.tools]


@contextmanager
def _router(encoder: Encoder) -> Iterator[Router]:
    embedder = Embedder(encoder)
    try:
        yield Router(embedder)
    finally:
        if isinstance(encoder, GatedEncoder):
            encoder.gate.set()
        embedder.close()


def _embedder(router: Router) -> Embedder:
    (embedder,) = router.embedders.values()
    return embedder


def _is_tool(asked: str) -> bool:
    return ": " in asked


def test_route_finds_the_tool_in_a_catalogue(router: Router) -> None:
    """A question brings its tool, within the budget and in the catalogue's order."""
    request = RouteRequest(talk("a map of the hotel"), budget=_SMALL)
    selection = router.route(_MANY, EMPTY, request, soon())
    assert {"hotel", "map"} <= set(_names(selection))
    assert list(selection.positions) == sorted(selection.positions)
    assert selection.reasons == (Reason.RETRIEVED,) * 3
    assert (selection.mode, selection.changed, selection.available) == (Mode.HYBRID, True, 10)


def test_route_counts_tokens(router: Router) -> None:
    """Tokens before are those of all that was available, tokens after those of what is sent."""
    selection = router.route(_MANY, EMPTY, RouteRequest(talk("mail"), budget=_SMALL), soon())
    assert selection.tokens_before == sum(text.estimate_tokens(one.definition) for one in _MANY.tools)
    assert selection.tokens_after == sum(text.estimate_tokens(one.definition) for one in selection.tools)
    assert selection.timings_ms["route"] > 0


def test_route_keeps_a_short_list_whole(router: Router) -> None:
    """The client's own tools within the budget are kept in their order, the catalogue fills the rest."""
    own = catalog(tool("zebra"), tool("apple"), version="own")
    selection = router.route(_MANY, own, RouteRequest(talk("a refund"), budget=_SMALL), soon())
    assert _names(selection) == ["zebra", "apple", "refund"]
    assert selection.reasons == (Reason.OWN, Reason.OWN, Reason.RETRIEVED)


@pytest.mark.parametrize(
    ("registered", "own", "conversation"),
    [
        (EMPTY, catalog(tool("b"), tool("a"), version="own"), talk("anything")),
        (EMPTY, catalog(*(tool(n) for n in _NAMES), version="own"), talk("", "")),
        (EMPTY, catalog(*(tool(n) for n in _NAMES), version="own"), Conversation()),
        (_MANY, EMPTY, Conversation()),
        (catalog(tool("a")), catalog(tool("b"), tool("a"), version="own"), talk("anything")),
    ],
)
def test_route_with_nothing_to_do_changes_nothing(
    router: Router, registered: Catalog, own: Catalog, conversation: Conversation
) -> None:
    """With nothing to trim or add the client's list is to go out as it came."""
    selection = router.route(registered, own, RouteRequest(conversation, budget=_SMALL), soon())
    assert (selection.changed, selection.mode) == (False, Mode.UNTOUCHED)
    assert selection.tools == own.tools


def test_route_without_text_adds_what_is_pinned_or_was_called(router: Router) -> None:
    """Without text the client's list stands first and whole; pinned and called tools come behind it."""
    own = catalog(*(tool(f"own_{i}") for i in range(5)), version="own")
    registered = catalog(tool("called"), tool("pinned", pinned=True), tool("other"))
    selection = router.route(registered, own, RouteRequest(talk(("", ("called",))), budget=_SMALL), soon())
    assert _names(selection) == [*(f"own_{i}" for i in range(5)), "pinned", "called"]


def test_route_trims_a_long_list(router: Router) -> None:
    """Of the client's own long list the best are kept, in the client's order, with their vectors."""
    own = catalog(*_MANY.tools, version="own")
    selection = router.route(EMPTY, own, RouteRequest(talk("song and mail"), budget=Budget(2, 4)), soon())
    assert (_names(selection), selection.mode) == (["mail", "song"], Mode.HYBRID)


def test_route_keeps_the_vectors_of_a_list() -> None:
    """A list of the same version is embedded once, whatever is asked of it."""
    own = catalog(*_MANY.tools, version="own")
    encoder = HashingEncoder()
    with _router(encoder) as router:
        for asked in ("mail", "song"):
            router.route(EMPTY, own, RouteRequest(talk(asked), budget=_SMALL), soon())
    assert sum(_is_tool(asked) for asked in encoder.seen) == 2 * len(own)


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        (Source.BOTH, ["zebra", "mail", "weather", "refund"]),
        (Source.REQUEST, ["zebra", "mail"]),
        (Source.REGISTRY, ["mail", "weather", "refund"]),
    ],
)
def test_route_draws_from_the_source(router: Router, source: Source, sent: list[str]) -> None:
    """Both, the client's list alone, or the catalogue alone, where the client's definition of a name wins."""
    own = catalog(tool("zebra"), tool("mail"), version="own")
    registered = catalog(tool("mail"), tool("weather"), tool("refund"), encoder=_ENCODER)
    request = RouteRequest(talk("mail weather refund"), budget=Budget(4, 6), source=source)
    selection = router.route(registered, own, request, soon())
    assert _names(selection) == sent
    assert own.tools[1] in selection.tools


def test_route_from_the_registry_embeds_no_stranger() -> None:
    """When only the catalogue counts, the client's own long list is not embedded in vain."""
    own = catalog(*(tool(f"own_{i}") for i in range(9)), version="own")
    encoder = HashingEncoder()
    with _router(encoder) as router:
        request = RouteRequest(talk("mail"), budget=_SMALL, source=Source.REGISTRY)
        assert "mail" in _names(router.route(_MANY, own, request, soon()))
    assert encoder.seen
    assert not any(_is_tool(asked) for asked in encoder.seen)


def test_route_from_the_registry_keeps_a_called_tool(router: Router) -> None:
    """A client's tool that was called stays in later turns, also when there is nothing to search."""
    own = catalog(tool("a"), tool("b"), version="own")
    request = RouteRequest(talk(("one", ("b",)), "two"), source=Source.REGISTRY)
    selection = router.route(EMPTY, own, request, soon())
    assert (_names(selection), selection.reasons) == (["b"], (Reason.HISTORY,))


def test_route_lets_the_clients_definition_win(router: Router) -> None:
    """A name in both is sent once, as the client defines it."""
    own = catalog(tool("mail", "mine"), version="own")
    selection = router.route(_MANY, own, RouteRequest(talk("mail"), budget=_SMALL), soon())
    assert [one for one in selection.tools if one.name == "mail"] == [own.tools[0]]
    assert selection.available == len(_MANY)


def test_route_keeps_or_drops_both_namesakes_when_growing(router: Router) -> None:
    """Two own tools of one name also come together when they are appended later."""
    songs = tool("song", "play a tune"), tool("song", "other")
    own = catalog(tool("mail"), songs[0], tool("map"), songs[1], tool("hotel"), version="own")
    request = RouteRequest(talk("mail map", "play a tune"), budget=Budget(2, 4), source=Source.REQUEST)
    selection = router.route(EMPTY, own, request, soon())
    assert selection.positions == (0, 2, 1, 3)
    assert selection.reasons[2:] == (Reason.GROWN, Reason.GROWN)


def test_route_selects_anew_over_the_cap(router: Router) -> None:
    """When another tool would break the cap, the set is selected once anew, in the order of the pool."""
    turns, budget = talk("mail", ("weather", ("contact",)), "refund"), Budget(1, 2)
    before = router.route(_MANY, EMPTY, RouteRequest(Conversation(turns.turns[:2]), budget=budget), soon())
    assert _names(before) == ["mail", "weather", "contact"]
    assert _names(router.route(_MANY, EMPTY, RouteRequest(turns, budget=budget), soon())) == ["refund", "contact"]


def test_route_over_the_cap_still_brings_the_tool(router: Router) -> None:
    """A client's list that fills the initial budget does not keep a needed tool out when the set is renewed."""
    own = catalog(tool("zebra"), tool("apple"), version="own")
    request = RouteRequest(talk("mail", "weather", "refund", "map"), budget=Budget(2, 4))
    selection = router.route(_MANY, own, request, soon())
    assert _names(selection)[:2] == ["zebra", "apple"]
    assert "map" in _names(selection)


def test_route_with_forced_tools_appends_them(router: Router) -> None:
    """What `tool_choice` demands is appended when it is not there, if the caller may have it."""
    registered = catalog(tool("a"), tool("b"), tool("bad", risk=Risk.DANGEROUS))
    request = RouteRequest(talk("a"), forced=("b", "bad", "unknown"), budget=Budget(1, 1))
    selection = router.route(registered, EMPTY, request, soon())
    assert (_names(selection), selection.reasons) == (["a", "b"], (Reason.RETRIEVED, Reason.FORCED))


def test_route_separates_owners(router: Router) -> None:
    """What is remembered for one caller is not used for another."""
    conversation = talk("mail", "weather")
    mine = RouteRequest(conversation, budget=_SMALL, owner="me")
    router.route(_MANY, EMPTY, mine, soon())
    assert router.route(_MANY, EMPTY, mine, soon()).rankings is None
    theirs = RouteRequest(conversation, budget=_SMALL, owner="them")
    assert router.route(_MANY, EMPTY, theirs, soon()).rankings is not None


def test_route_tells_conversations_apart(router: Router) -> None:
    """No text can pass for two turns: what is remembered for one is not taken for the other."""
    router.route(_MANY, EMPTY, RouteRequest(talk("mail", "song"), budget=_SMALL), soon())
    one = talk("mail'()'song", "mail()\0usong")
    for turn in one.turns:
        request = RouteRequest(Conversation((turn,)), budget=_SMALL)
        assert router.route(_MANY, EMPTY, request, soon()).rankings is not None


def test_route_takes_lone_surrogates(router: Router) -> None:
    """Half a surrogate pair in a question or in a call does not stop the routing."""
    request = RouteRequest(talk(("mail \ud83d", ("\udc00",)), "map \ud83d"), budget=_SMALL)
    assert {"mail", "map"} <= set(_names(router.route(_MANY, EMPTY, request, soon())))


def test_route_explains_what_it_remembers(router: Router) -> None:
    """A remembered turn has no rankings, unless they are asked for; there are none before the first turn."""
    request = RouteRequest(talk("mail"), budget=_SMALL)
    ranked = router.route(_MANY, EMPTY, request, soon()).rankings
    assert ranked is not None
    assert router.route(_MANY, EMPTY, request, soon()).rankings is None
    again = router.route(_MANY, EMPTY, request, soon(), explain=True).rankings
    assert again is not None
    assert again.fused.ids.tolist() == ranked.fused.ids.tolist()
    nothing = RouteRequest(Conversation())
    assert router.route(_MANY, EMPTY, nothing, soon(), explain=True).rankings is None


def test_route_of_a_textless_turn_keeps_the_set(router: Router) -> None:
    """A turn without text, such as an image, leaves the list as it is."""
    lists = [
        _names(router.route(_MANY, EMPTY, RouteRequest(said, budget=_SMALL), soon()))
        for said in (talk("mail"), talk("mail", ""), talk("mail", "", ""))
    ]
    assert lists[0] == lists[1] == lists[2]


def test_route_starts_at_the_first_text(router: Router) -> None:
    """When the first turn has no text the set is selected at the first that has, behind what was called before."""
    request = RouteRequest(talk(("", ("map",)), "a mail"), budget=Budget(1, 2))
    selection = router.route(_MANY, EMPTY, request, soon())
    assert (_names(selection), selection.reasons) == (["map", "mail"], (Reason.HISTORY, Reason.RETRIEVED))


def test_route_goes_on_without_an_encoder() -> None:
    """A failing encoder leaves the words, and the mode says so, also for what is remembered."""
    with _router(BreakingEncoder()) as router:
        request = RouteRequest(talk("mail"), budget=_SMALL)
        first, again = (router.route(_MANY, EMPTY, request, soon()) for _ in range(2))
    assert "mail" in _names(first)
    assert first.mode is again.mode is Mode.LEXICAL
    assert first.rankings is not None
    assert first.rankings.by_words
    assert [channel.name for channel in first.rankings.channels] == ["lexical", "names", "keywords"]


# A list of 300 tools that was never seen, one of which only its meaning finds.
_LONG = catalog(
    *(tool(f"thing_{i}", f"handles thing number {i}") for i in range(299)),
    tool("automobile", "rent an automobile"),
    version="long",
)
_CAR = RouteRequest(talk("car"), budget=Budget(3, 12))


def test_route_of_an_unseen_list_returns_by_words() -> None:
    """The first request does not wait for vectors, and the next turn's list starts with what it was sent."""
    encoder = GatedEncoder(stops=_is_tool, synonyms={"car": "automobile"})
    with _router(encoder) as router:
        first = router.route(EMPTY, _LONG, _CAR, now())
        assert (first.mode, "automobile" in _names(first)) == (Mode.LEXICAL, False)
        encoder.gate.set()
        ready = _embedder(router).tools(_LONG.tools, digests(*_LONG.tools), range(300), soon())[1]
        assert ready.all()
        second = router.route(EMPTY, _LONG, replace(_CAR, conversation=talk("car", "a car")), soon())
        assert second.positions[: len(first.positions)] == first.positions
        assert "automobile" in _names(second)
        assert "automobile" in _names(Router(_embedder(router)).route(EMPTY, _LONG, _CAR, soon()))


def test_route_uses_the_vectors_that_are_ready() -> None:
    """When time runs out over a long list, question and finished vectors count, words for the rest."""
    encoder = GatedEncoder(stops=lambda asked: "number 7:" in asked or "number 290" in asked)
    encoder.synonyms = {"car": "thing"}
    with _router(encoder) as router:
        _embedder(router).tools(_LONG.tools, digests(*_LONG.tools), range(300), now())
        assert encoder.reached.wait(60)
        _embedder(router).questions(["car"], soon())
        selection = router.route(EMPTY, _LONG, _CAR, now())
    assert selection.mode is Mode.HYBRID
    assert selection.rankings is not None
    meaning = selection.rankings.channels[0]
    assert meaning.name == "hashing"
    assert 200 <= np.count_nonzero(~np.isnan(meaning.scores)) < 300


def test_route_asks_for_the_question_before_the_list() -> None:
    """A question is not left unencoded because its list took all the time."""
    encoder = GatedEncoder(stops=_is_tool)
    with _router(encoder) as router, ThreadPoolExecutor(1) as threads:
        going = threads.submit(router.route, EMPTY, _LONG, _CAR, soon())
        assert encoder.reached.wait(60)
        assert encoder.seen == ["car"]
        encoder.gate.set()
        assert going.result(60).mode is Mode.HYBRID


def test_route_of_a_remembered_turn_waits_for_nothing() -> None:
    """A request within a turn whose tools are known does not wait for vectors that are still being made."""
    encoder = GatedEncoder(stops=_is_tool)
    with _router(encoder) as router, ThreadPoolExecutor(1) as threads:
        first = router.route(EMPTY, _LONG, _CAR, now())
        loop = replace(_CAR, conversation=talk(("car", ("thing_1",))))
        again = threads.submit(router.route, EMPTY, _LONG, loop, soon()).result(30)
        assert not encoder.gate.is_set()
    assert again.positions[: len(first.positions)] == first.positions


def test_route_of_the_same_question_again_extends_what_words_found() -> None:
    """What was sent stays, and the vectors that have come bring what they find: nobody is stuck with words."""
    encoder = GatedEncoder(stops=_is_tool, synonyms={"car": "automobile"})
    with _router(encoder) as router:
        hasty = _names(router.route(EMPTY, _LONG, _CAR, now()))
        assert "automobile" not in hasty
        encoder.gate.set()
        _embedder(router).tools(_LONG.tools, digests(*_LONG.tools), range(300), soon())
        again, third = (_names(router.route(EMPTY, _LONG, _CAR, soon())) for _ in range(2))
    assert (again[:3], "automobile" in again) == (hasty, True)
    assert third == again


# 20 tools that are as near to the question as each other: whoever looks again finds more of them.
_ALIKE = catalog(
    *(tool(f"thing_{i}", f"handles thing number {i}") for i in range(280)),
    *(tool(f"automobile_{i}", "rent an automobile") for i in range(20)),
    version="alike",
)


def test_route_of_the_same_question_again_is_extended_once_and_when_all_vectors_are_there() -> None:
    """Until then, and from then on, the same request goes out with the same tools: C32."""
    encoder = GatedEncoder(stops=_is_tool, synonyms={"car": "automobile"})
    with _router(encoder) as router:
        hasty, still = (router.route(EMPTY, _ALIKE, _CAR, now()) for _ in range(2))
        encoder.gate.set()
        _embedder(router).tools(_ALIKE.tools, digests(*_ALIKE.tools), range(300), soon())
        again, *later = (router.route(EMPTY, _ALIKE, _CAR, soon()) for _ in range(4))
        went_on = replace(_CAR, conversation=talk("car", "a car, please"))
        turns = [router.route(EMPTY, _ALIKE, went_on, soon()).positions for _ in range(3)]
    assert hasty.positions == still.positions == again.positions[:3]
    assert len(hasty.positions) < len(again.positions) < _CAR.budget.most
    assert {one.positions for one in later} == {again.positions}
    assert len(set(turns)) == 1
    assert turns[0][: len(again.positions)] == again.positions


def test_route_of_a_history_without_time_is_not_remembered() -> None:
    """Turns that could not be replayed in time are passed over once; with time the list is what it would be."""
    request = RouteRequest(talk("mail", "weather", "song", "refund", "refund"), budget=_SMALL)
    encoder = GatedEncoder(stops=lambda text: text == "weather")
    with _router(encoder) as router:
        _embedder(router).questions(["mail", "refund"], soon())
        hasty = router.route(_MANY, EMPTY, request, now())
        assert {"mail", "refund"} <= set(_names(hasty))
        encoder.gate.set()
        calm = router.route(_MANY, EMPTY, request, soon())
        fresh = Router(_embedder(router)).route(_MANY, EMPTY, request, soon())
    assert (calm.positions, calm.mode) == (fresh.positions, Mode.HYBRID)


def test_route_keeps_what_was_forced(router: Router) -> None:
    """A tool that one request demanded stays in the conversation's list, and in no other conversation's."""
    first = RouteRequest(talk("mail"), forced=("map",), budget=_SMALL)
    sent = _names(router.route(_MANY, EMPTY, first, soon()))
    following = _names(router.route(_MANY, EMPTY, replace(first, conversation=talk("mail", "song"), forced=()), soon()))
    assert following[: len(sent)] == sent
    assert "map" not in _names(router.route(_MANY, EMPTY, replace(first, forced=()), soon()))


def test_route_keeps_a_running_list_when_the_catalogue_changes(router: Router) -> None:
    """A new version moves nothing; what may no longer be offered goes, what is pinned now comes."""
    first = _names(router.route(_MANY, EMPTY, RouteRequest(talk("mail"), budget=Budget(3, 6)), soon()))
    changed = [replace(one, enabled=one.name != first[1]) for one in _MANY.tools]
    newer = catalog(tool("news", pinned=True), *changed, encoder=HashingEncoder(), version="newer")
    request = RouteRequest(talk("mail", "mail"), budget=Budget(3, 6))
    assert _names(router.route(newer, EMPTY, request, soon())) == [first[0], first[2], "news"]


def test_route_keeps_a_clients_tools_when_the_catalogue_changes(router: Router) -> None:
    """Of a running list the client's own tools stay where they are, but for one that the catalogue now forbids."""
    own = catalog(*(tool(name, f"work with one {name}") for name in _NAMES), version="own")
    request = RouteRequest(talk("mail and map"), budget=Budget(3, 6), source=Source.REGISTRY)
    offered = catalog(*(tool(name) for name in _NAMES), encoder=_ENCODER)
    first = _names(router.route(offered, own, request, soon()))
    newer = catalog(tool("mail", enabled=False), *(tool(n) for n in _NAMES[1:]), encoder=_ENCODER, version="newer")
    later = replace(request, conversation=talk("mail and map", "map"))
    assert _names(router.route(newer, own, later, soon())) == [name for name in first if name != "mail"]
    assert "mail" in first


def test_close_ends_the_threads_of_every_encoder() -> None:
    """A closed router leaves no thread behind."""
    first, second = Embedder(HashingEncoder()), Embedder(HashingEncoder(name="second"))
    Router(first, second).close()
    for embedder in (first, second):
        with pytest.raises(RuntimeError, match="shutdown"):
            embedder.questions(["too late"], soon())


def test_route_sees_a_changed_catalogue_in_a_new_conversation(router: Router) -> None:
    """What was remembered over an older catalogue does not keep a new tool from a new conversation."""
    request = RouteRequest(talk("mail"), budget=Budget(1, 2))
    assert _names(router.route(_MANY, EMPTY, request, soon())) == ["mail"]
    newer = catalog(tool("a", "mail mail mail"), encoder=HashingEncoder(), version="newer")
    assert _names(router.route(newer, EMPTY, request, soon())) == ["a"]


def test_route_with_the_embedded_encoder(embedded: EmbeddedEncoder) -> None:
    """The encoder of the house finds a tool by its meaning, in another language than the tool's."""
    tools = catalog(*(tool(f"get_{name}", f"Look up a {name}") for name in _NAMES), encoder=embedded, version="use")
    with _router(embedded) as router:
        request = RouteRequest(talk("明天会下雨吗？"), budget=Budget(2, 4), grants=Grants())
        assert "get_weather" in _names(router.route(tools, EMPTY, request, soon()))


def test_route_gives_the_tools_of_the_list_at_hand(router: Router) -> None:
    """A list that was read again, with other objects of the same tools, is answered with those objects."""
    listed = [tool(name, f"work with one {name}") for name in _NAMES]
    request = RouteRequest(talk("mail"), budget=Budget(2, 4))
    for _ in range(2):
        own = catalog(*(replace(one) for one in listed), version="own")
        selection = router.route(EMPTY, own, request, soon())
        assert all(any(sent is one for one in own.tools) for sent in selection.tools)


def test_route_embeds_the_ends_of_a_long_question() -> None:
    """Of a long question its start and end are embedded, so that it is found by meaning in time."""
    encoder = GatedEncoder()
    encoder.gate.set()
    with _router(encoder) as router:
        asked = "mail " + "x " * 5_000 + "weather"
        selection = router.route(_MANY, EMPTY, RouteRequest(talk(asked), budget=_SMALL), soon())
    assert selection.mode is Mode.HYBRID
    assert all(len(seen) <= text.MAX_GIST_CHARS + 1 for seen in encoder.seen)


def test_known_gives_what_route_gives_where_nothing_is_searched(router: Router) -> None:
    """A remembered question, and a list with nothing to choose from, need no search; anything else gives None."""
    asked = RouteRequest(talk("a map of the hotel"), budget=_SMALL)
    assert router.known(_MANY, EMPTY, asked) is None, "the grants were never seen"
    routed = router.route(_MANY, EMPTY, asked, soon())
    assert router.known(_MANY, EMPTY, replace(asked, conversation=talk("a song"))) is None
    known = router.known(_MANY, EMPTY, asked)
    assert known is not None
    assert (known.positions, known.reasons, known.mode) == (routed.positions, routed.reasons, routed.mode)
    silent = router.known(_MANY, EMPTY, replace(asked, conversation=Conversation()))
    assert silent is not None
    assert not silent.changed


def test_known_searches_again_for_a_set_found_in_haste() -> None:
    """What was found before the vectors were there is known only once the conversation went on after it."""
    encoder = GatedEncoder()
    with _router(encoder) as router:
        own = catalog(*_MANY.tools, version="own")
        asked = RouteRequest(talk("song"), budget=_SMALL, source=Source.REQUEST)
        hasty = router.route(EMPTY, own, asked, now())
        assert router.known(EMPTY, own, asked) is None
        went_on = router.known(EMPTY, own, replace(asked, conversation=talk(("song", ("song",)))))
        assert went_on is not None
        assert went_on.positions == hasty.positions
