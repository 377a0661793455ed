"""A selection laid open."""

from __future__ import annotations

import pytest

from router.catalog import EMPTY, Pool
from router.explain import candidates
from router.pipeline import Router
from router.types import (
    Budget,
    Candidate,
    Conversation,
    Grants,
    Kind,
    Reason,
    Risk,
    RouteRequest,
    Selection,
)
from tests.unit.router.fakes import HashingEncoder, catalog, soon, talk, tool

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
    """The chosen stand in sent order, the others by rank, and what was never ranked last, by position."""
    selection, rows = laid_open
    sent = len(selection.positions)
    assert [row.position for row in rows[:sent]] == list(selection.positions)
    assert [row.chosen for row in rows] == [True] * sent + [False] * (len(rows) - sent)
    rest = [(row.rank or 99, row.position) for row in rows[sent:]]
    assert rest == sorted(rest)
    assert rows[-1].rank is None


def test_candidates_carry_scores_and_ranks(laid_open: tuple[Selection, list[Candidate]]) -> None:
    """Every ranked tool shows its place in each channel, counted from 1; a refused one shows none."""
    rows = {row.position: row for row in laid_open[1]}
    weather, mail, refused = rows[3], rows[2], rows[11]
    assert (weather.rank, weather.dense_rank, weather.lexical_rank) == (1, 1, 1)
    assert weather.fused is not None
    assert mail.fused is not None
    assert weather.fused > mail.fused
    assert (refused.fused, refused.rank, refused.dense, refused.lexical_rank) == (None, None, None, None)


def test_candidates_of_an_unsearched_selection_have_no_ranks(router: Router) -> None:
    """Without rankings there are reasons all the same; an own tool that was left out is over budget."""
    pool = Pool(catalog(tool("a"), tool("b")), EMPTY)
    selection = router.route(pool.registered, pool.own, RouteRequest(Conversation()), soon())
    rows = candidates(pool, selection, Grants(), _KINDS)
    assert [(row.reason, row.rank) for row in rows] == [(Reason.OWN, None)] * 2


def test_candidates_tell_own_tools_over_budget(router: Router) -> None:
    """Of a client's long list the tools that did not fit are over budget."""
    pool = Pool(catalog(tool("mail"), tool("pay"), tool("play")), EMPTY)
    request = RouteRequest(talk("mail"), budget=Budget(1, 1))
    selection = router.route(pool.registered, pool.own, request, soon())
    rows = candidates(pool, selection, Grants(), _KINDS)
    assert [row.reason for row in rows] == [Reason.RETRIEVED, Reason.OVER_BUDGET, Reason.OVER_BUDGET]
