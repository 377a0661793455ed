"""One request's pool, ranked by the question of a turn, and judged for relevance."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from router import pipeline, search
from router.catalog import EMPTY, Catalog, Pool, Space
from router.embed.embedder import Embedder
from router.embed.profile import Profile
from router.embed.reading import EVERYTHING, Reading
from router.embed.small_talk import SmallTalk
from router.errors import IndexAway
from router.index.flat import FlatIndex
from router.pipeline import Router
from router.retrieve import relevance
from router.types import (
    Budget,
    Grants,
    Mask,
    Mode,
    Positions,
    Rankings,
    Reason,
    Risk,
    RouteRequest,
    Scores,
    Selection,
    Source,
    Vectors,
)
from tests.unit.router.fakes import (
    BreakingEncoder,
    GatedEncoder,
    HashingEncoder,
    catalog,
    greetings,
    soon,
    space,
    talk,
    tool,
)

_ONE = HashingEncoder({"car": "automobile"}, name="one")
_OTHER = HashingEncoder({"lorry": "truck"}, name="other")
_TOOLS = (
    *(tool(f"thing_{i}", f"handles thing number {i}", keywords=(f"keyword{i}",)) for i in range(60)),
    tool("automobile", "rent an automobile"),
    tool("truck", "rent a truck"),
    tool("erase_truck", "erase a truck", risk=Risk.DANGEROUS),
)
_TWICE = Catalog.build("twice", _TOOLS, spaces=[space(_ONE, _TOOLS), space(_OTHER, _TOOLS)])
_SMALL = Budget(3, 6)


@contextmanager
def _router(*encoders: HashingEncoder, small_talk: bool = False, reading: Reading = EVERYTHING) -> Iterator[Router]:
    """Make a router; `small_talk`: its encoders know what greetings are."""
    embedders = [
        Embedder(one, Profile(reading, greetings(HashingEncoder()) if small_talk else None)) for one in encoders
    ]
    router = Router(*embedders)
    try:
        yield router
    finally:
        for one in encoders:
            if isinstance(one, GatedEncoder):
                one.gate.set()
        router.close()


def _route(router: Router, registered: Catalog, *turns: str, own: Catalog = EMPTY, floor: bool = True) -> Selection:
    request = RouteRequest(talk(*turns), budget=_SMALL, floor=floor)
    return router.route(registered, own, request, soon(), explain=True)


def _names(selection: Selection) -> list[str]:
    return [sent.name for sent in selection.tools]


def _channels(selection: Selection) -> list[str]:
    assert selection.rankings is not None
    return [channel.name for channel in selection.rankings.channels]


@pytest.mark.parametrize(("asked", "found"), [("car", "automobile"), ("lorry", "truck")])
def test_search_asks_two_encoders(asked: str, found: str) -> None:
    """What either of two encoders understands is found, and both show what they gave."""
    with _router(_ONE, _OTHER) as router:
        selection = _route(router, _TWICE, asked)
    assert found in _names(selection)
    assert _channels(selection) == ["one", "other", "lexical", "names", "keywords"]


def test_search_embeds_a_clients_list_with_two_encoders() -> None:
    """The client's own tools compete with the catalogue's in both encoders' vectors."""
    own = catalog(*(replace(one, name=f"my_{one.name}") for one in _TOOLS[50:62]), version="own")
    with _router(_ONE, _OTHER) as router:
        selection = _route(router, _TWICE, "lorry", own=own)
    assert selection.rankings is not None
    for channel in selection.rankings.channels[:2]:
        assert not np.isnan(channel.scores).any()
    assert {"my_truck", "truck"} <= set(_names(selection))


def test_search_goes_on_with_one_of_two_encoders() -> None:
    """An encoder that fails is left out; the other one is asked all the same."""
    broken = BreakingEncoder()
    broken.key = _OTHER.key
    with _router(_ONE, broken) as router:
        selection = _route(router, _TWICE, "car")
    assert "automobile" in _names(selection)
    assert (_channels(selection)[0], len(_channels(selection))) == ("one", 4)
    assert selection.mode is Mode.HYBRID


def test_search_asks_only_encoders_whose_vectors_are_there() -> None:
    """An encoder that the catalogue holds no vectors of is not asked, and does not keep requests waiting."""
    other = GatedEncoder()
    with _router(_ONE, other) as router:
        selection = _route(router, catalog(*_TOOLS, encoder=_ONE), "car")
        assert not other.reached.is_set()
    assert _channels(selection) == ["one", "lexical", "names", "keywords"]


def test_search_without_a_catalogue_asks_every_encoder() -> None:
    """A client's own list is ranked by all there is."""
    with _router(_ONE, _OTHER) as router:
        selection = _route(router, EMPTY, "lorry", own=catalog(*_TOOLS, version="own"))
    assert _channels(selection)[:2] == ["one", "other"]
    assert "truck" in _names(selection)


def test_search_weighs_an_encoder_by_what_it_reads() -> None:
    """An encoder that does not read the question's script has no vote, as the channels show."""
    reading = Reading({("latin", "latin"): 1.0, ("han", "latin"): 0.0})
    with _router(_ONE, reading=reading) as router:
        rankings = {asked: _route(router, catalog(*_TOOLS, encoder=_ONE), asked).rankings for asked in ("car", "汽车")}
    weights = {asked: found.channels[0].weight for asked, found in rankings.items() if found is not None}
    assert weights["car"] > 0
    assert weights["汽车"] == 0


def test_search_without_encoders_is_by_words() -> None:
    """A router that has no encoder ranks by words."""
    selection = _route(Router(), _TWICE, "truck")
    assert (selection.mode, "truck" in _names(selection)) == (Mode.LEXICAL, True)


def test_search_without_vectors_of_the_list_is_by_words() -> None:
    """A question that is understood finds by words where no tool has a vector yet."""
    pending = Catalog.build("pending", _TOOLS, spaces=[space(_ONE, _TOOLS, [False] * len(_TOOLS))])
    with _router(_ONE) as router:
        selection = _route(router, pending, "truck")
    assert selection.mode is Mode.LEXICAL
    assert _channels(selection) == ["lexical", "names", "keywords"]


# The candidates' path: more tools than are ranked in full.


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sixty tools be too many to be ranked in full."""
    monkeypatch.setattr(search, "_FULL", 20)
    monkeypatch.setattr(search, "_DEPTH", 5)


def _ranked(router: Router, asked: str, *, forbidden: bool = False) -> Rankings:
    tools = _TOOLS if forbidden else _TOOLS[:-1]
    registered = Catalog.build("many", tools, spaces=[space(_ONE, tools), space(_OTHER, tools)])
    request, pool = RouteRequest(talk(asked), budget=_SMALL), Pool(EMPTY, registered)
    embedders = list(router.embedders.values())
    return search.Search(search.Memory(2**22), embedders, pool, router.frame(pool, request), request, soon()).rankings(
        0
    )


@pytest.mark.parametrize("asked", ["car", "rent a lorry", "handles thing number 7", "keyword33", "nothing of it"])
def test_search_among_many_has_the_same_best(asked: str, request: pytest.FixtureRequest) -> None:
    """Ranked from each channel's best, the best tool and its score are those of a ranking in full."""
    with _router(_ONE, _OTHER) as router:
        full = _ranked(router, asked)
        request.getfixturevalue("few")
        short = _ranked(router, asked)
    assert len(full.rows) == 62
    assert len(short.rows) <= 16
    assert short.fused.ids[0] == full.fused.ids[0]
    assert short.fused.scores[0] == pytest.approx(full.fused.scores[0], abs=1e-5)


@pytest.mark.usefixtures("few")
def test_search_among_many_takes_every_keyword() -> None:
    """A tool whose keyword is named is ranked, however many tools words and meaning put before it."""
    with _router(_ONE) as router:
        ranked = _ranked(router, " ".join([*(f"number {i}" for i in range(9)), "keyword59"]))
    assert 59 in ranked.rows


@pytest.mark.usefixtures("few")
def test_search_among_many_keeps_to_what_is_permitted() -> None:
    """A tool that may not be offered is no candidate; positions rise."""
    with _router(_ONE, _OTHER) as router:
        ranked = _ranked(router, "erase_truck erase a truck", forbidden=True)
    assert 62 not in ranked.rows
    assert (np.diff(ranked.rows) > 0).all()


@pytest.mark.usefixtures("few")
def test_search_among_many_goes_on_by_words() -> None:
    """Without vectors the candidates are those of the words."""
    with _router(BreakingEncoder()) as router:
        assert _ranked(router, "truck").fused.ids[0] == 61


# Relevance.


def test_search_adds_nothing_to_small_talk() -> None:
    """A greeting gets no tool of the catalogue, a question does, and both say by how much."""
    with _router(_ONE, small_talk=True) as router:
        greeted, asked = (_route(router, catalog(*_TOOLS, encoder=_ONE), text) for text in ("hello", "automobile"))
    assert greeted.relevance is not None
    assert asked.relevance is not None
    assert greeted.relevance < 0 < asked.relevance
    assert (greeted.mode, greeted.tools) == (Mode.UNTOUCHED, ())
    assert "automobile" in _names(asked)


@pytest.mark.parametrize(("needed", "grows"), [(pipeline.GROWS, True), (1_000.0, False)])
def test_search_changes_a_list_only_for_what_is_well_above_the_floor(
    monkeypatch: pytest.MonkeyPatch, needed: float, grows: bool
) -> None:
    """A turn that is above the floor, but not by as much as a change needs, leaves the list as it is."""
    monkeypatch.setattr(pipeline, "GROWS", needed)
    with _router(_ONE, small_talk=True) as router:
        selection = _route(router, catalog(*_TOOLS, encoder=_ONE), "thing number 7", "rent a truck")
    assert selection.relevance is not None
    assert selection.relevance > 0
    assert ("truck" in _names(selection)) is grows


def test_search_without_a_floor_judges_nothing() -> None:
    """Where the floor is off a greeting is a question like any other."""
    with _router(_ONE, small_talk=True) as router:
        selection = _route(router, catalog(*_TOOLS, encoder=_ONE), "hello", floor=False)
    assert (selection.relevance, len(selection.tools)) == (None, 3)


def test_search_trims_a_clients_list_whatever_is_said() -> None:
    """Of a client's own long list the best are sent with a greeting, and nothing of the catalogue."""
    own = catalog(*(tool(f"own_{i}") for i in range(9)), version="own")
    with _router(_ONE, small_talk=True) as router:
        selection = _route(router, catalog(*_TOOLS, encoder=_ONE), "hello", own=own)
    assert [name.startswith("own_") for name in _names(selection)] == [True] * 3


def test_search_leaves_a_running_list_to_small_talk() -> None:
    """Thanks in the middle of a conversation change nothing, and the next question finds its tool."""
    registered = catalog(*_TOOLS, encoder=_ONE)
    with _router(_ONE, small_talk=True) as router:
        first = _route(router, registered, "automobile")
        assert _route(router, registered, "automobile", "hello").positions == first.positions
        third = _route(router, registered, "automobile", "hello", "truck")
    assert third.positions[:3] == first.positions
    assert "truck" in _names(third)


def test_search_finds_tools_after_small_talk() -> None:
    """A conversation that begins with a greeting gets its first set with the first question."""
    with _router(_ONE, small_talk=True) as router:
        selection = _route(router, catalog(*_TOOLS, encoder=_ONE), "hello", "rent a truck")
    assert "truck" in _names(selection)
    assert selection.reasons == (Reason.RETRIEVED,) * 3


def test_search_keeps_its_list_when_a_question_follows_small_talk() -> None:
    """What was sent with a greeting, such as a pinned tool, stays in front of what the question brings."""
    registered = catalog(*_TOOLS[:-1], tool("ask_a_person", pinned=True), encoder=_ONE)
    with _router(_ONE, small_talk=True) as router:
        greeted = _route(router, registered, "hello")
        asked = _route(router, registered, "hello", "rent a truck")
    assert _names(greeted) == ["ask_a_person"]
    assert _names(asked)[0] == "ask_a_person"
    assert "truck" in _names(asked)


def test_search_keeps_its_list_from_greeting_to_greeting() -> None:
    """A tool that was called between two greetings stands behind what was sent with the first."""
    registered = catalog(*_TOOLS[:-1], tool("ask_a_person", pinned=True), encoder=_ONE)
    request = RouteRequest(talk(("hello", ("thing_1",)), "hello again"), budget=_SMALL)
    with _router(_ONE, small_talk=True) as router:
        assert _names(router.route(registered, EMPTY, request, soon())) == ["ask_a_person", "thing_1"]


def test_search_does_not_judge_where_no_tool_on_offer_has_a_vector() -> None:
    """When the client's definitions hide every tool that has a vector, the question is answered by words."""
    tools = (tool("mail", "send mail"), tool("truck", "rent a truck"))
    half = Catalog.build("half", tools, spaces=[space(_ONE, tools, [True, False])])
    with _router(_ONE, small_talk=True) as router:
        assert _route(router, half, "rent a truck").relevance is not None
        selection = _route(router, half, "rent a truck", own=catalog(tool("mail"), version="own"))
    assert (selection.relevance, _names(selection)) == (None, ["mail", "truck"])


def test_search_judges_alike_whoever_comes_first() -> None:
    """What is usual for small talk is measured over what the caller may have, whatever the first one's list hides."""
    registered = catalog(*_TOOLS, encoder=_ONE)
    hiding = catalog(*_TOOLS[60:62], version="own")
    with _router(_ONE, small_talk=True) as router:
        expected = _route(router, registered, "rent a truck").relevance
    with _router(_ONE, small_talk=True) as router:
        _route(router, registered, "rent a truck", own=hiding)
        assert _route(router, registered, "rent a truck").relevance == expected


@pytest.mark.parametrize("asked", ["hello", "truck"])
def test_search_does_not_judge_what_is_not_read(asked: str) -> None:
    """An encoder that reads the question badly does not say whether it needs a tool."""
    with _router(_ONE, small_talk=True, reading=Reading({("latin", "latin"): 0.4})) as router:
        assert _route(router, catalog(*_TOOLS, encoder=_ONE), asked).relevance is None


def test_search_does_not_judge_without_vectors() -> None:
    """A question without a vector, and a catalogue without vectors, are not judged."""
    with _router(_ONE, small_talk=True) as router:
        assert _route(router, catalog(*_TOOLS), "hello").relevance is None
        pending = Catalog.build("pending", _TOOLS, spaces=[space(_ONE, _TOOLS, [False] * len(_TOOLS))])
        assert _route(router, pending, "hello").relevance is None
    with _router(BreakingEncoder(), small_talk=True) as router:
        assert _route(router, catalog(*_TOOLS, encoder=HashingEncoder()), "hello").relevance is None


def test_search_takes_the_mean_of_what_encoders_judge() -> None:
    """Two encoders judge together."""
    margins = []
    for encoders in ((_ONE,), (_OTHER,), (_ONE, _OTHER)):
        with _router(*encoders, small_talk=True) as router:
            margins.append(_route(router, _TWICE, "rent a car").relevance)
    assert None not in margins
    one, other, both = (margin for margin in margins if margin is not None)
    assert both == pytest.approx((one + other) / 2)


def test_search_judges_by_what_the_caller_may_have() -> None:
    """A tool that is not offered makes no question relevant; with nothing on offer nothing is judged."""
    registered = Catalog.build("1", _TOOLS[60:], spaces=[space(_ONE, _TOOLS[60:])])
    request = RouteRequest(talk("truck"), budget=_SMALL)
    with _router(_ONE, small_talk=True) as router:
        nothing = replace(request, grants=Grants(frozenset({Risk.WRITE})))
        assert router.route(registered, EMPTY, nothing, soon()).relevance is None
        only_own = replace(request, source=Source.REQUEST)
        assert router.route(registered, catalog(*_TOOLS[:9], version="own"), only_own, soon()).relevance is None


@dataclass(frozen=True)
class GatedTalk(SmallTalk):
    """Small talk that nothing is compared with before the gate is open."""

    gate: threading.Event = field(default_factory=threading.Event)
    compared: list[str] = field(default_factory=list)

    @property
    def few(self) -> Vectors:
        """Give some exemplars, after the gate."""
        self.compared.append(threading.current_thread().name)
        assert self.gate.wait(60), "nobody opened the gate"
        return super().few


def test_case_13_a_demand_is_judged_without_what_describes_its_object() -> None:
    """Just below the floor a clear demand decides; small talk, and a demand of nothing that there is, stay below."""
    encoder = HashingEncoder({"truckを": "truck", "moonを": "moon"}, name="demands")
    registered = catalog(*_TOOLS, encoder=encoder)
    with _router(encoder, small_talk=True) as router:
        asked = "hello friend folks の truckを rent out"
        known, other, talked = (
            _route(router, registered, said).relevance
            for said in (asked, "hello friend folks の moonを paint red", "hello friend folks")
        )
    assert known is not None
    assert other is not None
    assert talked is not None
    assert known >= 1.5
    assert max(other, talked) < 0


@contextmanager
def _measuring(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Router, GatedTalk]]:
    """Make a router to which sixty tools are too many to be compared with small talk within a request."""
    monkeypatch.setattr(relevance, "ROWS_AT_ONCE", 20)
    known = greetings(HashingEncoder())
    gated = GatedTalk(known.vectors, known.to_requests, known.to_itself)
    router = Router(Embedder(_ONE, Profile(small_talk=gated)))
    try:
        yield router, gated
    finally:
        gated.gate.set()
        router.close()


def test_search_measures_small_talk_over_many_tools_beside_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many tools it is measured in the background, once for each of the rights that an explanation judges by."""
    registered, give_up = catalog(*_TOOLS, encoder=_ONE), soon()
    with _measuring(monkeypatch) as (router, talk_):
        assert [_route(router, registered, f"hello {i}").relevance for i in range(3)] == [None] * 3
        talk_.gate.set()
        while (judged := _route(router, registered, "hello again").relevance) is None or len(talk_.compared) < 2:
            assert time.perf_counter() < give_up
    assert judged < 0
    assert talk_.compared == ["measure-small-talk"] * 2


def test_search_that_was_not_judged_yet_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a greeting got before small talk was measured stays where it was sent, and is nobody else's."""
    registered, give_up = catalog(*_TOOLS, encoder=_ONE), soon()
    request = RouteRequest(talk("hello"), budget=_SMALL)
    with _measuring(monkeypatch) as (router, talk_):
        sent = router.route(registered, EMPTY, request, soon()).positions
        talk_.gate.set()
        while _route(router, registered, "hello again").relevance is None:
            assert time.perf_counter() < give_up
        again, other = (router.route(registered, EMPTY, replace(request, owner=who), soon()) for who in ("", "other"))
    assert len(sent) == 3
    assert (again.positions, other.positions) == (sent, ())


class AwayIndex(FlatIndex):
    """Vectors that another process holds, which answers while `there`."""

    at_hand = False
    there = False

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        self._ask()
        return super().search(query, permitted, depth)

    def score(self, query: Vectors, rows: Positions) -> Scores:
        self._ask()
        return super().score(query, rows)

    def _ask(self) -> None:
        if not self.there:
            raise IndexAway("not now")


def _away() -> tuple[Catalog, AwayIndex]:
    index = AwayIndex(space(_ONE, _TOOLS).index.take(np.arange(len(_TOOLS))))
    return Catalog.build("away", _TOOLS, spaces=[Space(_ONE.key, index, np.ones(len(_TOOLS), np.bool_))]), index


def test_search_without_its_index_is_by_words() -> None:
    """Vectors that cannot be searched now cost no tool that words find; what was found so is not settled."""
    registered, index = _away()
    with _router(_ONE) as router:
        first = _route(router, registered, "rent an automobile")
        assert (first.mode, "automobile" in _names(first)) == (Mode.LEXICAL, True)
        index.there = True
        assert _route(router, registered, "rent a car").mode is Mode.HYBRID


def test_search_measures_small_talk_where_the_vectors_are() -> None:
    """An index elsewhere is asked for the best of each piece of small talk, beside requests, until it answers."""
    (registered, index), give_up = _away(), soon()
    with _router(_ONE, small_talk=True) as router:
        assert [_route(router, registered, f"hello {i}").relevance for i in range(3)] == [None] * 3
        index.there = True
        while (judged := _route(router, registered, "hello again").relevance) is None:
            assert time.perf_counter() < give_up
    assert judged < 0
