"""A selection laid open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.catalog import EMPTY, Catalog, Pool
from router.embed.embedder import Embedder
from router.embed.profile import Profile
from router.explain import candidates
from router.fuse import KEYWORD
from router.pipeline import Router
from router.types import (
    Barrier,
    Budget,
    Candidate,
    Conversation,
    Grants,
    Kind,
    Place,
    Reason,
    Risk,
    RouteRequest,
    Selection,
)
from tests.unit.router.fakes import HashingEncoder, catalog, greetings, soon, space, talk, tool

_KINDS = frozenset({Kind.FUNCTION})
_GRANTS = Grants(frozenset({Risk.READ, Risk.DANGEROUS}), frozenset({"x"}))
_ENCODER = HashingEncoder()
_POOL = Pool(
    catalog(tool("web", fixed=True), tool("shared")),
    catalog(
        tool("mail", "send mail", tags=("x",)),
        tool("weather", "weather forecast", tags=("x",)),
        tool("refund", "refund a payment", tags=("x",)),
        tool("pinned", pinned=True, tags=("x",)),
        tool("called", tags=("x",)),
        tool("forced", tags=("x",)),
        tool("shared", tags=("x",)),
        tool("off", enabled=False, tags=("x",)),
        tool("format_disk", risk=Risk.DANGEROUS, tags=("x",)),
        tool("untagged", "send mail"),
        tool("grammar", kind=Kind.CUSTOM, tags=("x",)),
        encoder=_ENCODER,
    ),
)
_REASONS = {
    "web": Reason.FIXED,
    "mail": Reason.RETRIEVED,
    "weather": Reason.GROWN,
    "refund": Reason.OVER_BUDGET,
    "pinned": Reason.PINNED,
    "called": Reason.HISTORY,
    "forced": Reason.FORCED,
    "off": Reason.DISABLED,
    "format_disk": Reason.NOT_PERMITTED,
    "untagged": Reason.NOT_PERMITTED,
    "grammar": Reason.NOT_PERMITTED,
}


def _explained(router: Router, conversation: Conversation) -> tuple[Selection, list[Candidate]]:
    request = RouteRequest(conversation, forced=("forced",), grants=_GRANTS, budget=Budget(2, 3), kinds=_KINDS)
    selection = router.route(_POOL.registered, _POOL.own, request, soon(), explain=True)
    return selection, candidates(_POOL, selection, _GRANTS, _KINDS)


@pytest.fixture
def laid_open(router: Router) -> tuple[Selection, list[Candidate]]:
    """Explain a second turn: mail was found at the first, weather is missing at the second."""
    return _explained(router, talk(("send mail", ("called",)), "weather forecast"))


def test_candidates_tell_every_reason(laid_open: tuple[Selection, list[Candidate]]) -> None:
    """Each tool of the pool has one entry with why it was sent or was not."""
    reasons = {(row.tool.name, row.position): row.reason for row in laid_open[1]}
    assert len(reasons) == len(_POOL)
    assert reasons.pop(("shared", 1)) is Reason.OWN
    assert reasons.pop(("shared", 8)) is Reason.SHADOWED
    assert {name: reason for (name, _), reason in reasons.items()} == _REASONS


def test_candidates_stand_sent_then_ranked_then_refused(
    laid_open: tuple[Selection, list[Candidate]],
) -> None:
    """The chosen stand in sent order, the others by rank, and what is kept back last, by the rank it would have."""
    selection, rows = laid_open
    sent = len(selection.positions)
    assert [row.position for row in rows[:sent]] == list(selection.positions)
    assert [row.chosen for row in rows] == [True] * sent + [False] * (len(rows) - sent)
    rest = [[place.rank if place else 99 for place in (row.fused, row.would_be)] for row in rows[sent:]]
    assert rest == sorted(rest)
    assert rows[-1].fused is None


def test_candidates_carry_scores_and_ranks(laid_open: tuple[Selection, list[Candidate]]) -> None:
    """Every ranked tool shows its place in each channel, counted from 1; a refused one shows none."""
    rows = {row.position: row for row in laid_open[1]}
    weather, mail, refused = rows[3], rows[2], rows[11]
    assert weather.fused is not None
    assert mail.fused is not None
    assert weather.fused.rank == 1
    assert weather.fused.score > mail.fused.score
    assert [weather.channels[name].rank for name in ("hashing", "lexical", "names")] == [1, 1, 1]
    assert weather.channels.keys() == mail.channels.keys() == {"hashing", "lexical", "names"}
    assert (refused.fused, refused.channels) == (None, {})


def test_candidates_tell_what_each_channel_adds(laid_open: tuple[Selection, list[Candidate]]) -> None:
    """What the channels add comes to the fused score, for every tool that has a vector."""
    ranked = [row for row in laid_open[1] if "hashing" in row.channels]
    assert len(ranked) == 6
    for row in ranked:
        assert row.fused is not None
        assert sum(place.adds for place in row.channels.values()) == pytest.approx(row.fused.score, abs=1e-5)
        assert row.fused.adds == row.fused.score


def test_candidates_rank_each_channel_by_itself(laid_open: tuple[Selection, list[Candidate]]) -> None:
    """In each channel ranks count from 1 as its scores fall, ties by position."""
    for name in ("hashing", "lexical", "names", "keywords"):
        places = {row.position: row.channels[name] for row in laid_open[1] if name in row.channels}
        expected = sorted(places, key=lambda position: (-places[position].score, position))
        assert [places[position].rank for position in expected] == list(range(1, len(places) + 1))


def test_candidates_tell_what_words_add_without_vectors(router: Router) -> None:
    """Where there are no vectors at all words add what they count for meaning, too."""
    tools = catalog(tool("mail", "send mail", keywords=("mail",)), tool("weather"))
    selection = Router().route(tools, EMPTY, RouteRequest(talk("mail"), budget=Budget(1, 1)), soon())
    for row in candidates(Pool(EMPTY, tools), selection, Grants(), _KINDS):
        assert row.fused is not None
        assert sum(place.adds for place in row.channels.values()) == pytest.approx(row.fused.score, abs=1e-5)


def test_candidates_show_no_place_where_a_channel_has_none(router: Router) -> None:
    """A tool without a vector has no place by meaning; those that have one are ranked among themselves."""
    tools = [tool("mail", "send mail"), tool("post", "send mail by post"), tool("weather")]
    pending = Catalog.build("pending", tools, spaces=[space(_ENCODER, tools, [False, True, True])])
    selection = router.route(pending, EMPTY, RouteRequest(talk("mail"), budget=Budget(1, 1)), soon())
    rows = {row.tool.name: row for row in candidates(Pool(EMPTY, pending), selection, Grants(), _KINDS)}
    assert rows["mail"].channels.keys() == {"lexical", "names"}
    assert [rows[name].channels["hashing"].rank for name in ("post", "weather")] == [1, 2]


def test_candidates_show_a_keyword_where_it_is_named(router: Router) -> None:
    """A tool whose keyword the question names shows what that adds; the others show none."""
    tools = catalog(tool("a", keywords=("mail",)), tool("b", "mail"), encoder=_ENCODER)
    selection = router.route(tools, EMPTY, RouteRequest(talk("mail"), budget=Budget(1, 1)), soon())
    rows = {row.tool.name: row for row in candidates(Pool(EMPTY, tools), selection, Grants(), _KINDS)}
    assert rows["a"].channels["keywords"] == Place(1.0, 1, KEYWORD)
    assert "keywords" not in rows["b"].channels


def test_candidates_of_an_unsearched_selection_have_no_ranks(router: Router) -> None:
    """Without rankings there are reasons all the same; an own tool that was left out is over budget."""
    pool = Pool(catalog(tool("a"), tool("b")), EMPTY)
    selection = router.route(pool.registered, pool.own, RouteRequest(Conversation()), soon())
    rows = candidates(pool, selection, Grants(), _KINDS)
    assert [(row.reason, row.fused, row.channels) for row in rows] == [(Reason.OWN, None, {})] * 2


def test_candidates_tell_own_tools_over_budget(router: Router) -> None:
    """Of a client's long list the tools that did not fit are over budget."""
    pool = Pool(catalog(tool("mail"), tool("pay"), tool("play")), EMPTY)
    request = RouteRequest(talk("a mail"), budget=Budget(1, 1))
    selection = router.route(pool.registered, pool.own, request, soon())
    rows = candidates(pool, selection, Grants(), _KINDS)
    assert [row.reason for row in rows] == [Reason.RETRIEVED, Reason.OVER_BUDGET, Reason.OVER_BUDGET]


def test_candidates_tell_what_keeps_a_tool_back(laid_open: tuple[Selection, list[Candidate]]) -> None:
    """All that keeps a tool of the catalogue back is told; nothing of what may be sent, or the client has itself."""
    found = {row.tool.name: row.barriers for row in laid_open[1] if row.barriers}
    assert found == {
        "off": (Barrier.DISABLED,),
        "format_disk": (Barrier.DANGEROUS,),
        "untagged": (Barrier.TAGS,),
        "grammar": (Barrier.KIND,),
    }


def test_what_is_kept_back_has_the_rank_that_it_would_have(router: Router) -> None:
    """The best tool that is not permitted would be first; the ranking of the others is what it is without it."""
    tools = [tool("weather"), tool("send_mail", "send mail", risk=Risk.WRITE), tool("pay"), tool("mail", "read mail")]
    pool = Pool(EMPTY, catalog(*tools, encoder=_ENCODER))
    request = RouteRequest(talk("send mail"), budget=Budget(1, 1))
    explained = router.route(pool.registered, EMPTY, request, soon(), explain=True)
    rows = {row.tool.name: row for row in candidates(pool, explained, Grants(), _KINDS)}
    would_be = rows["send_mail"].would_be
    assert would_be is not None
    assert (would_be.rank, rows["send_mail"].fused, rows["send_mail"].barriers) == (1, None, (Barrier.RISK,))
    assert [rows[name].would_be for name in ("weather", "pay", "mail")] == [None] * 3
    alone = catalog(*(one for one in tools if one.risk is Risk.READ), encoder=_ENCODER, version="alone")
    assert rows["mail"].fused is not None
    assert rows["mail"].fused.rank == 1
    assert [one.name for one in router.route(alone, EMPTY, request, soon()).tools] == ["mail"]
    assert [one.name for one in explained.tools] == ["mail"]


def test_nothing_is_ranked_twice_where_nothing_is_kept_back(router: Router) -> None:
    """Without an explanation, and where every tool may be offered, there is no second ranking."""
    open_tools, closed = catalog(tool("mail")), catalog(tool("mail"), tool("off", enabled=False), version="closed")
    request = RouteRequest(talk("mail"), budget=Budget(1, 1))
    assert router.route(open_tools, EMPTY, request, soon(), explain=True).unrestricted is None
    assert router.route(closed, EMPTY, request, soon()).unrestricted is None
    assert router.route(closed, EMPTY, request, soon(), explain=True).unrestricted is not None


def test_a_tool_that_the_client_has_itself_is_not_kept_back(router: Router) -> None:
    """The catalogue's tool of the same name is hidden, whatever it is: it has no rank that it would have."""
    own = catalog(tool("mail", "send mail"), version="own")
    pool = Pool(own, catalog(tool("mail", "send mail", enabled=False), tool("off", enabled=False), encoder=_ENCODER))
    request = RouteRequest(talk("send mail"), budget=Budget(1, 1))
    selection = router.route(pool.registered, own, request, soon(), explain=True)
    hidden = [row for row in candidates(pool, selection, Grants(), _KINDS) if row.reason is Reason.SHADOWED]
    assert [(row.barriers, row.would_be) for row in hidden] == [((), None)]


def test_the_floor_is_judged_as_if_nothing_were_kept_back() -> None:
    """A question whose only tool is kept back needs none that may be offered, and would need that one."""
    judging = Embedder(_ENCODER, Profile(small_talk=greetings(_ENCODER)))
    tools = [tool("weather", "tide tables"), tool("send_mail", "send mail", risk=Risk.WRITE)]
    registered = catalog(*tools, encoder=_ENCODER)
    request = RouteRequest(talk("send mail"), budget=Budget(1, 1))
    router = Router(judging)
    selection = router.route(registered, EMPTY, request, soon(), explain=True)
    again = router.route(registered, EMPTY, request, soon(), explain=True)
    allowed = router.route(registered, EMPTY, replace(request, grants=Grants(frozenset(Risk))), soon(), explain=True)
    judging.close()
    assert selection.relevance is not None
    assert selection.unrestricted is not None
    assert selection.unrestricted.relevance is not None
    assert selection.relevance < 0 < selection.unrestricted.relevance
    assert selection.unrestricted.relevance == allowed.relevance
    assert again.relevance == selection.relevance  # what is usual over all tools is not taken for what is usual here
