"""GET /admin/requests/{id}: why a request that is over got the tools that it got."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.admin.asking import KEY, clear, client_for, refused
from tests.cli.command import wait_until
from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import DONE, Upstream, event, json_answer, sse

QUESTION = "Compare two versions of a contract for Zanzibar"


@pytest.fixture(scope="module")
def stocked(keyed_gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    """A server with 60 tools that are all embedded."""
    clear(keyed_gateway)
    keyed_gateway.register([tools.record(tool) for tool in tools.distinct(60)])
    yield keyed_gateway
    clear(keyed_gateway)


def asked_for(gateway: GatewayProcess, request_id: str) -> httpx.Response:
    """Ask for a request, until it has ended: its record is made after the last byte of its answer."""
    with client_for(gateway) as client:
        wait_until(lambda: client.get(f"/admin/requests/{request_id}").status_code == 200, 10)
        return client.get(f"/admin/requests/{request_id}")


def explained(gateway: GatewayProcess, answer: httpx.Response) -> Any:
    """Give what is remembered of the request that this answers."""
    return asked_for(gateway, answer.headers["x-request-id"]).json()


def test_a_request_is_explained_by_the_id_in_its_answer(stocked: GatewayProcess, upstream: Upstream) -> None:
    """What was sent, in its order, each with its reason and rank; what came close; and what it came to."""
    answer = stocked.post(tools.chat(QUESTION))
    told = explained(stocked, answer)
    choice, figures = told["choice"], told["figures"]
    assert [one["name"] for one in choice["chosen"]] == upstream.last.tool_names
    assert {(one["from"], one["why"]) for one in choice["chosen"]} == {("catalogue", "retrieved")}
    best = next(one for one in choice["chosen"] if one["rank"] == 1)
    assert best["name"] == "compare_contract"
    assert [one["rank"] for one in choice["near"]] == list(range(13, 23))
    assert choice["searched"]
    assert choice["relevance"] > 0
    assert (figures["status"], figures["outcome"], figures["end"], figures["mode"]) == (
        200,
        "routed",
        "whole",
        "hybrid",
    )
    assert (figures["sent"], figures["available"]) == (12, 60)
    assert figures["tokens"]["after"] < figures["tokens"]["before"]
    assert 0 < figures["timings_ms"]["route"] <= figures["timings_ms"]["answer"]


def test_no_text_of_anybody_is_remembered(stocked: GatewayProcess) -> None:
    """Neither the question, nor a word of a tool of the client's but its name, nor the key that was shown."""
    own = tools.function("own_tool", "Does a Grumbleshaft.")
    answer = stocked.post(tools.chat(QUESTION, tools=[own], user="somebody-by-name"))
    text = asked_for(stocked, answer.headers["x-request-id"]).text
    assert "own_tool" in text
    for word in ("Zanzibar", "Grumbleshaft", "somebody", "sk-of-the-caller"):
        assert word not in text


def test_a_request_is_found_by_the_clients_id_and_the_providers(stocked: GatewayProcess, upstream: Upstream) -> None:
    """A client that names its request finds it by that name; the id that a provider gave is as good."""
    upstream.respond_with(json_answer({"ok": True}, headers=[("x-request-id", "req_of_the_provider")]))
    answer = stocked.post(tools.chat(QUESTION), x_request_id="from-the-client-1")
    assert answer.headers["x-request-id"] == "req_of_the_provider"
    by_provider, by_client = (asked_for(stocked, one).json() for one in ("req_of_the_provider", "from-the-client-1"))
    assert by_provider == by_client
    assert by_client["id"] == "from-the-client-1"
    assert by_client["figures"]["upstream_id"] == "req_of_the_provider"


def test_a_request_that_failed_and_one_that_was_streamed_are_explained(
    stocked: GatewayProcess, upstream: Upstream
) -> None:
    """Whatever it came to, and however it was answered."""
    upstream.respond_with(json_answer({"error": {}}, status=500), sse(event({"content": "a"}), DONE))
    failed = explained(stocked, stocked.post(tools.chat(QUESTION)))
    streamed = explained(stocked, stocked.post(tools.chat(QUESTION, stream=True)))
    assert (failed["figures"]["status"], len(failed["choice"]["chosen"])) == (500, 12)
    assert (streamed["figures"]["end"], len(streamed["choice"]["chosen"])) == ("whole", 12)


def test_a_request_that_was_not_routed_says_why(stocked: GatewayProcess) -> None:
    """There is no choice to explain, and the figures say what became of it."""
    told = explained(stocked, stocked.post(tools.chat(QUESTION), x_toolfunnel_tools="off"))
    assert (told["choice"], told["figures"]["outcome"]) == (None, "off")
    unreadable = explained(stocked, stocked.post(b'{"messages": 5}'))
    assert (unreadable["choice"], unreadable["figures"]["untrimmed"]) == (None, "unreadable")


def test_a_running_conversation_is_explained_without_a_search(stocked: GatewayProcess) -> None:
    """The same request again finds its list remembered: the names are told, and that nothing was ranked."""
    stocked.post(tools.chat(QUESTION), x_request_id="the-first")
    again = stocked.post(tools.chat([*tools.chat(QUESTION)["messages"], {"role": "assistant", "content": "Done."}]))
    told = explained(stocked, again)
    assert len(told["choice"]["chosen"]) == 12
    assert (told["choice"]["searched"], told["choice"]["near"]) == (False, [])


def test_what_is_not_known_is_answered_with_what_that_can_mean(stocked: GatewayProcess) -> None:
    """404, and another worker among the reasons; other paths below /v1 are not explained."""
    with client_for(stocked) as client:
        refused(client.get("/admin/requests/nobody"), 404, "not_found", "another worker or machine answered it")
        passed = httpx.get(f"{stocked.base_url}/models", headers={"authorization": "Bearer sk-of-the-caller"})
        refused(client.get(f"/admin/requests/{passed.headers['x-request-id']}"), 404, "not_found", "no chat request")


def test_strangers_are_told_nothing(stocked: GatewayProcess) -> None:
    """It asks for the operator's key, as all of the admin API does."""
    answer = stocked.post(tools.chat(QUESTION))
    for headers in ({}, {"authorization": "Bearer sk-of-the-caller"}):
        told = httpx.get(f"{stocked.url}/admin/requests/{answer.headers['x-request-id']}", headers=headers)
        refused(told, 401, "invalid_api_key")


def test_nothing_is_remembered_where_the_setting_says_so(start_gateway: StartGateway) -> None:
    """404 that names the setting, and no byte is held."""
    gateway = start_gateway(ADMIN__KEY=KEY, SAFETY__EXPLAIN_REQUESTS="false")
    answer = gateway.post(tools.chat(QUESTION))
    with client_for(gateway) as client:
        told = client.get(f"/admin/requests/{answer.headers['x-request-id']}")
        refused(told, 404, "not_found", "safety.explain_requests is false")
        wait_until(lambda: "toolfunnel_cache_bytes{" in client.get("/metrics").text)  # they are looked at now and then
        figures = client.get("/metrics").text
    assert 'toolfunnel_cache_bytes{cache="requests"} 0.0' in figures
