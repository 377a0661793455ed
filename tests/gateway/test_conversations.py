"""The tool list of a conversation: the same everywhere, and only ever longer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import MakeClient, StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import STREAM, Upstream

QUESTIONS = [
    "export the invoices of the last quarter",
    "and list those of this one",
    "now schedule a meeting about them",
    "share that meeting with a colleague",
    "thanks, that is all",
]


def turns() -> list[list[dict[str, Any]]]:
    """Give the messages of five requests, each with the history of the one before."""
    history: list[dict[str, Any]] = []
    requests = []
    for question in QUESTIONS:
        history = [*history, tools.user(question)]
        requests.append(history)
        history = [*history, {"role": "assistant", "content": "Yes."}]
    return requests


def assert_grows(lists: list[list[bytes]]) -> None:
    """Check that each tool list begins with the one before, and that something ever changed."""
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(lists))
    assert 1 <= len(lists[0]) < len(lists[-1]) <= 20


@pytest.mark.parametrize("own", [None, "own_", ""], ids=["registered", "both", "own"])
def test_c33_a_list_begins_with_that_of_the_turn_before(
    bare_gateway: GatewayProcess, stocked_gateway: GatewayProcess, upstream: Upstream, own: str | None
) -> None:
    """Over five turns the list only grows: for registered tools, for both together, for a client's own 300."""
    gateway = stocked_gateway if own is None or own else bare_gateway
    listed = None if own is None else tools.distinct(300 if not own else 30, own)
    for messages in turns():
        gateway.post(tools.chat(messages, listed), x_toolfunnel_source="both")
    assert_grows([tools.listed(request.body) for request in upstream.requests])


def test_c33_over_the_cap_the_list_is_chosen_anew(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A conversation that wanders never has more than 20 tools, and always those of its latest question."""
    things = ["coupon", "vaccine", "lamp", "thesis", "flight", "robot"]
    messages: list[dict[str, Any]] = []
    for thing in things:
        messages = [*messages, tools.user(f"archive the {thing}"), {"role": "assistant", "content": "Yes."}]
        stocked_gateway.post(tools.chat(messages))
    assert all(len(request.tool_names) <= 20 for request in upstream.requests)
    assert [f"archive_{thing}" in seen.tool_names for thing, seen in zip(things, upstream.requests, strict=True)] == [
        True
    ] * len(things)


def test_c33_a_replica_that_sees_only_the_last_turn_sends_the_same_list(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """The list follows from the history in the request: asked first at turn five, by a stranger, it is the same."""
    for messages in turns():
        stocked_gateway.post(tools.chat(messages))
    stocked_gateway.post(tools.chat(turns()[-1]), authorization="Bearer someone-else")
    assert upstream.requests[-1].body == upstream.requests[-2].body


def test_c32_the_same_request_goes_out_the_same_from_every_process(
    start_gateway: StartGateway, stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Two processes on one registry, and one process asked twice, forward the same bytes."""
    registry = f"sqlite:///{stocked_gateway.directory / 'registry.db'}"
    second = start_gateway(REGISTRY__URL=registry, SELECT__BUDGET_MS="3000")
    bodies = [tools.chat(messages, tools.distinct(30, "own_")) for messages in turns()]
    for gateway in (stocked_gateway, second, stocked_gateway):
        for body in bodies:
            gateway.post(body)
    sent = [request.body for request in upstream.requests]
    assert sent[:5] == sent[5:10] == sent[10:]


def test_c35_a_sub_agent_in_the_same_session_has_its_own_list(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A session header does not tie two conversations with other tools together."""
    for prefix in ("main_", "sub_"):
        body = tools.chat("list the invoices", tools.distinct(40, prefix))
        bare_gateway.post(body, x_session_id="s", x_toolfunnel_k="4")
    names = [request.tool_names for request in upstream.requests]
    assert all(name.startswith("main_") for name in names[0])
    assert all(name.startswith("sub_") for name in names[1])


def test_c33_conversations_without_text_keep_what_they_had(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Only sound and pictures: the client's tools stay as they are, and what was called stays."""
    parts = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
    messages = [{"role": "user", "content": parts}]
    body = tools.encoded(tools.chat(messages, tools.distinct(40, "own_")))
    stocked_gateway.post(body)
    assert upstream.last.body == body
    stocked_gateway.post(tools.chat([*messages, *tools.called("approve_exam")]))
    assert upstream.last.tool_names == ["approve_exam"]


def test_c33_sound_after_text_keeps_the_list(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A turn that only holds sound goes out with the list of the turn before."""
    sound = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}]}
    first = [tools.user(QUESTIONS[0])]
    stocked_gateway.post(tools.chat(first))
    stocked_gateway.post(tools.chat([*first, {"role": "assistant", "content": "Yes."}, sound]))
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert lists[0] == lists[1]


def test_c04_the_official_client_streams_through_three_hundred_registered_tools(
    start_gateway: StartGateway, client_of: MakeClient, upstream: Upstream
) -> None:
    """With default settings the provider sees at most 20 tools, the right one among them; the stream is its own."""
    gateway = start_gateway()
    gateway.register([tools.record(tool) for tool in tools.distinct(300)])
    with client_of(gateway).chat.completions.with_streaming_response.create(
        model="m", messages=[{"role": "user", "content": "archive the exam of last week"}], stream=True
    ) as answer:
        assert b"".join(answer.iter_bytes()) == STREAM.body
    assert len(upstream.last.tool_names) <= 20
    assert "archive_exam" in upstream.last.tool_names
