"""Whose tools a request gets, with the settings that the gateway starts with."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import MakeClient, StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

AGENT = [
    tools.function("final_answer", "Give the final answer and end the task."),
    tools.function("ask_user", "Ask the user for a missing detail."),
    tools.function("bash", "Run a shell command."),
]
QUESTION = "list the exams"
SCHEMA = {"type": "json_schema", "json_schema": {"name": "exams", "schema": {"type": "object"}}}


def catalogue_of(upstream: Upstream) -> list[str]:
    """Return the names of the catalogue's tools that the provider saw last."""
    registered = set(map(tools.name_of, tools.distinct(300)))
    return [name for name in upstream.last.tool_names if name in registered]


def test_an_agents_tools_go_out_as_they_came(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Nothing that it could not run is added, and its bytes are its own."""
    body = tools.encoded(tools.chat(QUESTION, AGENT))
    answer = stocked_gateway.post(body)
    assert upstream.last.body == body
    assert answer.headers["x-toolfunnel-tools"] == "3/3"
    assert answer.headers["x-toolfunnel-source"] == "request; reason=own"


def test_a_request_without_tools_gets_the_catalogues(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """A plain client that is pointed at the gateway, streaming or not."""
    for stream in (False, True):
        with client_of(stocked_gateway).chat.completions.with_streaming_response.create(
            model="m", messages=[{"role": "user", "content": QUESTION}], stream=stream
        ) as answer:
            assert answer.headers["x-toolfunnel-source"] == "both; reason=no-own"
        assert "list_exam" in catalogue_of(upstream)


def test_both_lets_the_catalogue_join(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """An application that runs the catalogue's tools says so in a header."""
    answer = stocked_gateway.post(tools.chat(QUESTION, AGENT), x_toolfunnel_source="BOTH")
    assert upstream.last.tool_names[:3] == ["final_answer", "ask_user", "bash"]
    assert "list_exam" in catalogue_of(upstream)
    assert answer.headers["x-toolfunnel-tools"] == "12/303"
    assert answer.headers["x-toolfunnel-source"] == "both; reason=header"


def test_the_catalogue_joins_whoever_declares_one_of_its_tools(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """A tool with the catalogue's own definition comes from there; one of the same name alone does not."""
    theirs = next(tool for tool in tools.distinct(300) if tools.name_of(tool) == "share_recipe")
    answer = stocked_gateway.post(tools.chat(QUESTION, [*AGENT, theirs]))
    assert answer.headers["x-toolfunnel-source"] == "both; reason=declared"
    assert {"list_exam", "share_recipe"} <= set(catalogue_of(upstream))
    stocked_gateway.post(tools.chat(QUESTION, [*AGENT, tools.function("share_recipe", "Mine, all mine.")]))
    assert catalogue_of(upstream) == ["share_recipe"]


def test_what_has_joined_stays_joined(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """From a call of the catalogue's that was answered on; each list begins with the one before."""
    messages: list[dict[str, Any]] = [tools.user(QUESTION)]
    later = [tools.user("and the invoices?"), tools.user("thank you"), tools.user("now list the flights")]
    stocked_gateway.post(tools.chat(messages, AGENT))
    messages += tools.called("list_exam")
    for message in later:
        stocked_gateway.post(tools.chat(messages, AGENT))
        messages += [{"role": "assistant", "content": "Yes."}, message]
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert [len(one) > len(AGENT) for one in lists] == [False, True, True, True]
    assert all(after[: len(before)] == before for before, after in pairwise(lists))


def test_a_call_that_nobody_could_make_joins_nothing(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A model may dream of a tool; the application says that it has none of this name."""
    call = tools.called("list_exam")
    call[1]["content"] = "Error: list_exam is not a valid tool, try one of [final_answer, ask_user, bash]."
    body = tools.encoded(tools.chat([tools.user(QUESTION), *call], AGENT))
    answer = stocked_gateway.post(body)
    assert answer.headers["x-toolfunnel-source"] == "request; reason=own"
    assert "list_invoice" not in upstream.last.tool_names


@pytest.mark.parametrize("source", ["auto", "both"])
@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_added_to_a_forced_call(
    stocked_gateway: GatewayProcess, upstream: Upstream, source: str, *, legacy: bool
) -> None:
    """The request goes out byte for byte; `tool_choice: required` is not one."""
    forced = {"name": "final_answer"}
    fields: dict[str, Any] = (
        {"function_call": forced} if legacy else {"tool_choice": {"type": "function", "function": forced}}
    )
    lists = {"functions": [tool["function"] for tool in AGENT]} if legacy else {"tools": AGENT}
    body = tools.encoded(tools.chat(QUESTION, **lists, **fields))
    answer = stocked_gateway.post(body, x_toolfunnel_source=source)
    assert upstream.last.body == body
    assert answer.headers["x-toolfunnel-source"] == "request; reason=forced"
    stocked_gateway.post(tools.chat(QUESTION, tool_choice="required"), x_toolfunnel_source=source)
    assert "list_exam" in catalogue_of(upstream)


def test_a_forced_tool_of_the_catalogue_is_sent_alone(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What the client demands and has not is the catalogue's, and nothing else comes with it."""
    forced = {"type": "function", "function": {"name": "share_recipe"}}
    answer = stocked_gateway.post(tools.chat(QUESTION, tool_choice=forced))
    assert upstream.last.tool_names == ["share_recipe"]
    assert answer.headers["x-toolfunnel-tools"] == "1/1"
    stocked_gateway.post(tools.chat(QUESTION, AGENT, tool_choice=forced))
    assert upstream.last.tool_names == ["final_answer", "ask_user", "bash", "share_recipe"]


@pytest.mark.parametrize("form", [SCHEMA, {"type": "json_object"}])
def test_nothing_is_added_where_an_object_is_wanted(
    stocked_gateway: GatewayProcess, upstream: Upstream, form: dict[str, Any]
) -> None:
    """Structured output without tools: a call would be none."""
    body = tools.encoded(tools.chat(QUESTION, response_format=form))
    answer = stocked_gateway.post(body)
    assert upstream.last.body == body
    assert answer.headers["x-toolfunnel-source"] == "request; reason=structured"


def test_nothing_is_added_where_the_official_client_parses(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """`parse` with a schema of the application's."""
    client_of(stocked_gateway).chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": QUESTION}],
        response_format={"type": "json_schema", "json_schema": {"name": "exams", "schema": {"type": "object"}}},
    )
    assert "tools" not in upstream.last.json()


@pytest.mark.parametrize(
    ("setting", "header", "names", "told"),
    [
        ("request", "both", ["bash"], "request; reason=setting"),
        ("request", "registry", ["bash"], "request; reason=setting"),
        ("both", "request", ["bash"], "request; reason=header"),
        ("both", "registry", ["list_invoice"], "registry; reason=header"),
        ("both", "auto", ["bash"], "request; reason=own"),
        ("registry", "both", ["list_invoice"], "registry; reason=setting"),
        ("registry", "request", ["list_invoice"], "registry; reason=setting"),
    ],
)
def test_a_header_never_widens_what_the_operator_grants(  # noqa: PLR0917
    shared_gateway: StartGateway, upstream: Upstream, setting: str, header: str, names: list[str], told: str
) -> None:
    """It gets what is granted, and the answer tells who said so."""
    gateway = shared_gateway(TOOLS__SOURCE=setting)
    gateway.register([tools.record(tool) for tool in tools.distinct(1)])
    answer = gateway.post(tools.chat("list invoices and run bash", AGENT[2:]), x_toolfunnel_source=header)
    assert answer.headers["x-toolfunnel-source"] == told
    assert upstream.last.tool_names == names


def test_a_header_that_sets_own_tools_aside_is_obeyed(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """`registry` of a header alone: the client's own are set aside, and counted."""
    answer = stocked_gateway.post(tools.chat(QUESTION, AGENT), x_toolfunnel_source="registry")
    assert len(catalogue_of(upstream)) == len(upstream.last.tool_names) == 12
    assert answer.headers["x-toolfunnel-set-aside"] == "3"


@pytest.mark.parametrize("value", ["", "all", "both,request"])
def test_a_source_that_nobody_knows_is_refused(stocked_gateway: GatewayProcess, upstream: Upstream, value: str) -> None:
    """With a 400 that names the header; nothing is forwarded."""
    answer = stocked_gateway.post(tools.chat(QUESTION), x_toolfunnel_source=value)
    assert answer.status_code == 400
    assert "x-toolfunnel-source" in answer.json()["error"]["message"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tools": AGENT, "tool_choice": "none"}, "tool-choice"),
        ({"tools": []}, "empty-list"),
        ({"tools": AGENT, "functions": [AGENT[0]["function"]]}, "two-lists"),
        ({"tools": 5}, "unreadable"),
    ],
)
def test_a_request_that_is_not_routed_says_why(
    stocked_gateway: GatewayProcess, upstream: Upstream, fields: dict[str, Any], reason: str
) -> None:
    """In the header, and in a counter."""
    body = tools.encoded(tools.chat(QUESTION, **fields))
    before = untrimmed(stocked_gateway, reason)
    answer = stocked_gateway.post(body)
    assert upstream.last.body == body
    assert answer.headers["x-toolfunnel-tools"] == f"untrimmed; reason={reason}"
    assert untrimmed(stocked_gateway, reason) == before + 1


def untrimmed(gateway: GatewayProcess, reason: str) -> float:
    """Return how many requests were not routed for a reason."""
    begin = f'toolfunnel_untrimmed_total{{reason="{reason}"}} '
    lines = gateway.admin("GET", "/metrics").text.splitlines()
    return sum(float(line.removeprefix(begin)) for line in lines if line.startswith(begin))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/responses", True),
        ("/messages", True),
        ("/services/aigc/text-generation/generation", True),
        ("/models/gemini:generateContent", True),
        ("/threads/t_1/runs", True),
        ("/embeddings", False),
        ("/completions", False),
        ("/messages/count_tokens", False),
        ("/responses/r_1/cancel", False),
    ],
)
def test_an_endpoint_that_is_not_routed_says_so(
    stocked_gateway: GatewayProcess, upstream: Upstream, path: str, told: bool
) -> None:
    """Where requests to a model may have tools; its body passes as it is."""
    before = untrimmed(stocked_gateway, "unsupported")
    body = tools.encoded({"model": "m", "input": QUESTION, "tools": AGENT})
    answer = stocked_gateway.post(body, path)
    assert upstream.last.body == body
    assert answer.headers.get("x-toolfunnel-tools") == ("untrimmed; reason=unsupported" if told else None)
    assert untrimmed(stocked_gateway, "unsupported") == before + told
