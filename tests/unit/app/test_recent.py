"""What is kept of recent requests: names and figures, bounded in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from app.recent import Choice, Chosen, Recent, Told, choice_of
from router.catalog import EMPTY, Pool
from router.embed.embedder import Embedder
from router.pipeline import Router
from router.types import Budget, Conversation, RouteRequest
from tests.unit.router.fakes import HashingEncoder, catalog, soon, talk, tool

_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_ENCODER = HashingEncoder()


@pytest.fixture
def router() -> Iterator[Router]:
    """A router whose encoder sums random vectors of words."""
    embedder = Embedder(_ENCODER)
    yield Router(embedder)
    embedder.close()


def _told(request_id: str, name: str = "mail") -> Told:
    choice = Choice([Chosen(name, "catalogue", "retrieved", 1)], [], searched=True, relevance=None)
    return Told(request_id, _AT, choice, {"status": 200})


def _kept(recent: Recent, request_id: str) -> Any:
    found = recent.get(request_id)
    return None if found is None else msgspec.json.decode(found)


def test_a_request_is_found_by_its_ids() -> None:
    """By its own and by the one that the provider gave it; by no other, and by none once all is forgotten."""
    recent = Recent(2**20)
    recent.note(_told("a"), "req_of_the_provider")
    assert _kept(recent, "a") == {
        "id": "a",
        "at": "2026-03-02T09:30:00Z",
        "choice": {
            "chosen": [{"name": "mail", "from": "catalogue", "why": "retrieved", "rank": 1}],
            "near": [],
            "searched": True,
            "relevance": None,
        },
        "figures": {"status": 200},
    }
    assert recent.get("req_of_the_provider") == recent.get("a")
    assert recent.get("b") is None
    recent.clear()
    assert (recent.get("a"), recent.used_bytes) == (None, 0)


def test_what_is_kept_stays_within_its_bytes() -> None:
    """However many come, and however long their names are: the oldest go, and a flood ends at the bound."""
    recent = Recent(64 * 1024)
    for number in range(2_000):
        recent.note(_told(f"request-{number}", "x" * (number % 64)))
    assert 32 * 1024 < recent.used_bytes <= 64 * 1024
    assert recent.get("request-0") is None
    assert recent.get("request-1999") is not None


def test_choice_names_what_was_sent_and_what_came_close(router: Router) -> None:
    """In the order in which it is sent, with its rank and origin; then the best of the others."""
    own = catalog(tool("own"), version="own")
    registered = catalog(*(tool(f"mail_{i}", "send mail") for i in range(30)), tool("post"), encoder=_ENCODER)
    request = RouteRequest(talk("mail_7"), budget=Budget(3, 3))
    selection = router.route(registered, own, request, soon(), explain=True)
    choice = choice_of(selection, Pool(own, registered))
    assert [one.name for one in choice.chosen] == [one.name for one in selection.tools]
    assert {one.name: one.from_ for one in choice.chosen}["own"] == "client"
    assert {one.name: one.rank for one in choice.chosen}["mail_7"] == 1
    assert len(choice.near) == 10
    assert not {one.name for one in choice.near} & {one.name for one in choice.chosen}
    assert [one.rank for one in choice.near] == sorted(one.rank for one in choice.near)
    assert choice.searched


def test_choice_of_a_known_list_says_that_nothing_was_searched(router: Router) -> None:
    """Without a question there are names and no ranks."""
    own = catalog(tool("own"), version="own")
    selection = router.route(EMPTY, own, RouteRequest(Conversation()), soon())
    choice = choice_of(selection, Pool(own, EMPTY))
    assert (choice.chosen[0].name, choice.chosen[0].rank) == ("own", None)
    assert (choice.near, choice.searched) == ([], False)


def test_choice_is_bounded_whatever_a_client_sends(router: Router) -> None:
    """Of 5,000 tools with long names as many are named as fit, by the beginning of their names."""
    own = catalog(*(tool(f"{i:04}" + "n" * 5_000, fixed=True) for i in range(5_000)), version="own")
    selection = router.route(EMPTY, own, RouteRequest(talk("mail")), soon())
    choice = choice_of(selection, Pool(own, EMPTY))
    assert len(choice.chosen) == 128
    assert max(len(one.name) for one in choice.chosen) == 64
    assert len(msgspec.json.encode(choice)) < 32_768
