"""What is named in a conversation is sent: in the first list, in later ones, whatever the floor and the order say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router import naming
from router.catalog import EMPTY, Catalog, Pool
from router.embed.embedder import Embedder
from router.embed.profile import Profile
from router.explain import candidates
from router.pipeline import Router
from router.types import (
    Budget,
    Conversation,
    Grants,
    Kind,
    Reason,
    Risk,
    RouteRequest,
    Selection,
    Turn,
)
from tests.unit.router.fakes import HashingEncoder, catalog, greetings, now, soon, talk, tool

_ENCODER = HashingEncoder()
_WORDS = ("mail", "map", "song", "hotel", "ticket", "refund", "flight", "list", "weather", "rain", "snow", "wind")
_MANY = catalog(
    *(tool(f"find_{word}", f"one {word}") for word in _WORDS),
    *(tool(f"keep_{word}", f"another {word}", source="flood") for word in _WORDS),
    tool("drop_table", risk=Risk.WRITE),
    encoder=_ENCODER,
)
_BUDGET = Budget(3, 6)
_KINDS = frozenset({Kind.FUNCTION})


@pytest.fixture
def router() -> Router:
    """A router to which greetings need no tool."""
    return Router(Embedder(_ENCODER, Profile(small_talk=greetings(_ENCODER))))


def _names(selection: Selection) -> list[str]:
    return [one.name for one in selection.tools]


def _routed(router: Router, *turns: str | Turn, own: Catalog = EMPTY, budget: Budget = _BUDGET) -> Selection:
    said = tuple(turn if isinstance(turn, Turn) else Turn(turn) for turn in turns)
    return router.route(_MANY, own, RouteRequest(Conversation(said), budget=budget), soon(), explain=True)


def test_named_tools_take_the_room_first(router: Router) -> None:
    """Two of three places are theirs, the best of the rest has the third; the order is the catalogue's."""
    selection = _routed(router, "keep_wind and find_rain for the hotel")
    assert selection.reasons.count(Reason.NAMED) == 2
    assert {"keep_wind", "find_rain"} < set(_names(selection))
    assert (len(selection.tools), list(selection.positions)) == (3, sorted(selection.positions))


def test_more_may_be_named_than_a_first_list_has(router: Router) -> None:
    """Beyond the initial budget named tools come up to the cap, in order of mention."""
    said = " ".join(f"keep_{word}" for word in reversed(_WORDS))
    selection = _routed(router, said)
    assert selection.reasons == (Reason.NAMED,) * 6
    assert set(_names(selection)) == {f"keep_{word}" for word in _WORDS[-6:]}


def test_the_floor_does_not_keep_out_what_is_named(router: Router) -> None:
    """A question that needs no tool gets the one it names, and nothing else; the next one starts as ever."""
    first = _routed(router, "hello friend findRain")
    assert (_names(first), first.relevance is not None and first.relevance < 0) == (["find_rain"], True)
    later = _routed(router, "hello friend findRain", "a song")
    assert _names(later)[0] == "find_rain"
    assert "find_song" in _names(later)
    assert len(later.tools) == 4


def test_what_is_named_later_is_appended(router: Router) -> None:
    """The list of the turn before stays, also where the floor lets nothing grow."""
    first = _routed(router, "one mail")
    later = _routed(router, "one mail", "hello friend keepWind")
    assert later.positions[: len(first.positions)] == first.positions
    assert (_names(later)[-1], later.reasons[-1], len(later.tools)) == ("keep_wind", Reason.NAMED, 4)


def test_where_there_is_no_room_the_list_is_chosen_anew(router: Router) -> None:
    """At the cap what is named comes in all the same."""
    full = " ".join(f"keep_{word}" for word in _WORDS[:6])
    later = _routed(router, full, "and find_rain, find_snow")
    assert {"find_rain", "find_snow"} <= set(_names(later))
    assert len(later.tools) <= 6


def test_a_client_s_long_list_keeps_what_is_named(router: Router) -> None:
    """Of thirty own tools the last is sent because it is named, with its namesake."""
    own = catalog(*(tool(f"own_{i}", "one mail") for i in range(30)), tool("last_one"), tool("last_one"), version="own")
    selection = _routed(router, "mail, and lastOne", own=own)
    sent = zip(_names(selection), selection.reasons, strict=True)
    assert [reason for name, reason in sent if name == "last_one"] == [Reason.NAMED, Reason.NAMED]


def test_a_name_is_no_way_to_what_is_not_permitted(router: Router) -> None:
    """What the caller may not have is not sent; the explanation shows it first of what was not, and why."""
    selection = _routed(router, "drop_table and find_rain")
    assert "drop_table" not in _names(selection)
    rows = candidates(Pool(EMPTY, _MANY), selection, Grants(), _KINDS, _BUDGET)
    first = next(row for row in rows if not row.chosen)
    assert (first.tool.name, first.reason, first.named) == ("drop_table", Reason.NOT_PERMITTED, True)
    assert [row.tool.name for row in rows if row.named] == ["find_rain", "drop_table"]


def test_a_mistake_counts_where_one_permitted_tool_is_meant(router: Router) -> None:
    """What the caller may not have makes no name ambiguous."""
    registered = catalog(tool("read_page_a"), tool("read_page_b", risk=Risk.WRITE), *_MANY.tools)
    request = RouteRequest(talk("use read_page_x"), budget=_BUDGET)
    assert "read_page_a" in _names(router.route(registered, EMPTY, request, soon()))
    both = replace(request, grants=Grants(frozenset(Risk)))
    assert Reason.NAMED not in router.route(registered, EMPTY, both, soon()).reasons


def test_words_of_a_sentence_are_no_way_around_the_share_of_a_source(router: Router) -> None:
    """A source that calls its tools like what people say has its share of the list; identifiers are meant."""
    budget = Budget(6, 12, 0.34)
    spoken = _routed(router, ", ".join(f"keep {word}" for word in _WORDS[:6]), budget=budget)
    assert sum(one.source == "flood" for one in spoken.tools) == 2
    meant = _routed(router, ", ".join(f"keep_{word}" for word in _WORDS[:6]), budget=budget)
    assert sum(one.source == "flood" for one in meant.tools) == 6


def test_what_is_around_a_request_names_by_identifiers(router: Router) -> None:
    """A file that has a tool's identifier brings it, one that has its words does not."""
    assert "keep_wind" in _names(_routed(router, Turn("hello", context="def f(): keep_wind()")))
    assert "keep_wind" not in _names(_routed(router, Turn("hello you", context="keep wind, and keepwind")))


def test_the_assistant_s_words_name_where_a_request_leans_on_them(router: Router) -> None:
    """The answer to "Shall I find rain, or keep wind?" brings both."""
    assert {"keep_wind", "find_rain"} <= set(
        _names(_routed(router, Turn("hello", before="Shall I find rain, or keep wind?")))
    )


def test_another_context_in_a_running_turn_is_read(router: Router) -> None:
    """Contexts are no part of what keys a list: what another one names comes behind what was sent."""
    first = _routed(router, Turn("one mail", context="find_rain"))
    again = _routed(router, Turn("one mail", ("find_mail",), context="keep_wind"))
    assert again.positions[: len(first.positions)] == first.positions
    assert _names(again)[-1] == "keep_wind"
    without = _routed(router, Turn("one mail", ("find_mail",)))
    assert without.positions == again.positions


def test_named_tools_need_no_time(router: Router) -> None:
    """What is named at a turn that cannot be ranked in time is sent: naming needs no vectors."""
    said = talk("one mail", "hello friend keepWind", "a song")
    selection = router.route(_MANY, EMPTY, RouteRequest(said, budget=Budget(3, 9)), now())
    assert "keep_wind" in _names(selection)


def test_what_texts_name_is_remembered_within_bounds() -> None:
    """The same text is read once, and many texts take no more than the share."""
    memory = naming.Memory(20_000)
    pool = Pool(EMPTY, _MANY)
    found = memory.find(pool, "find_rain", identifiers=True)
    assert memory.find(pool, "find_rain", identifiers=True) is found
    for number in range(100):
        memory.find(pool, f"find_rain {number}", identifiers=True)
    assert 0 < memory.used_bytes <= 20_000
