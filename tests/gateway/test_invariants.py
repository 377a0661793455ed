"""Tools that stand on top of the budget: demanded by the request, called in the history, of a legacy list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import COMPLETION, Upstream, json_answer

FORTY = tools.distinct(40)
LAST = tools.function("zzz", "Nothing of interest.")
QUESTION = "list the invoices"


def test_c07_a_demanded_function_is_kept(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The function that `tool_choice` names goes out, whatever its rank."""
    choice = {"type": "function", "function": {"name": "zzz"}}
    bare_gateway.post(tools.chat(QUESTION, [*FORTY, LAST], tool_choice=choice), x_toolfunnel_k="3")
    assert len(upstream.last.tool_names) == 4
    assert "zzz" in upstream.last.tool_names
    assert upstream.last.json()["tool_choice"] == choice


def test_c08_a_demanded_custom_tool_is_kept(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The custom tool that `tool_choice` names goes out, whatever its rank."""
    choice = {"type": "custom", "custom": {"name": "zzz"}}
    bare_gateway.post(tools.chat(QUESTION, [tools.custom("zzz"), *FORTY], tool_choice=choice), x_toolfunnel_k="3")
    assert tools.custom("zzz") in upstream.last.json()["tools"]
    assert upstream.last.json()["tool_choice"] == choice


def test_c08_a_demanded_registered_tool_is_added(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A registered tool that `tool_choice` names goes out, though the question is about something else."""
    choice = {"type": "function", "function": {"name": "approve_vaccine"}}
    stocked_gateway.post(tools.chat(QUESTION, tool_choice=choice))
    assert "approve_vaccine" in upstream.last.tool_names


def test_c09_required_stays_and_has_tools(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """`tool_choice: required` goes out unchanged, with tools to choose from."""
    bare_gateway.post(tools.chat(QUESTION, FORTY, tool_choice="required"), x_toolfunnel_k="3")
    assert upstream.last.json()["tool_choice"] == "required"
    assert len(upstream.last.tool_names) == 3


@pytest.mark.parametrize("listed", [None, FORTY])
def test_c10_with_choice_none_the_bytes_are_the_clients(
    stocked_gateway: GatewayProcess, upstream: Upstream, listed: Any
) -> None:
    """With `tool_choice: none` nothing is added and nothing is trimmed."""
    body = tools.encoded(tools.chat(QUESTION, listed, tool_choice="none"))
    stocked_gateway.post(body)
    assert upstream.last.body == body


def test_c11_allowed_tools_are_all_kept(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """All tools of an `allowed_tools` choice go out, though the budget is smaller."""
    names = [tools.name_of(tool) for tool in FORTY[35:]]
    entries = [{"type": "function", "function": {"name": name}} for name in names]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": entries}}
    bare_gateway.post(tools.chat(QUESTION, FORTY, tool_choice=choice), x_toolfunnel_k="3")
    assert set(names) <= set(upstream.last.tool_names)
    assert upstream.last.json()["tool_choice"] == choice


def test_c12_a_demanded_tool_that_nobody_has_is_the_providers_matter(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """The gateway raises no error of its own for an unknown name; the provider's 400 is relayed."""
    refusal = json_answer({"error": {"message": "no such tool", "type": "invalid_request_error"}}, 400)
    upstream.respond_with(refusal)
    body = tools.chat(QUESTION, FORTY, tool_choice={"type": "function", "function": {"name": "nobody"}})
    answer = bare_gateway.post(body, x_toolfunnel_k="3")
    assert (answer.status_code, answer.content) == (400, refusal.body)
    assert {**upstream.last.json(), "tools": FORTY} == body


def test_c14_a_choice_without_tools_passes_byte_for_byte(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Where there is nothing to add, `tool_choice: auto` without tools is left as it is."""
    body = tools.encoded(tools.chat(QUESTION, tool_choice="auto"))
    bare_gateway.post(body)
    assert upstream.last.body == body


@pytest.mark.parametrize("choice", [7, [], {}, {"type": "function"}, {"type": "function", "function": 3}, {"a": None}])
def test_c14_a_choice_of_unknown_form_is_left_alone(
    bare_gateway: GatewayProcess, upstream: Upstream, choice: Any
) -> None:
    """A `tool_choice` that cannot be understood goes out as it is, beside a trimmed list."""
    bare_gateway.post(tools.chat(QUESTION, FORTY, tool_choice=choice), x_toolfunnel_k="3")
    assert upstream.last.json()["tool_choice"] == choice
    assert len(upstream.last.tool_names) == 3


def test_c17_tools_called_in_the_history_are_kept(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What the model called before stays callable: function and custom tools, whatever their rank now."""
    call = {"id": "c", "type": "custom", "custom": {"name": "yyy", "input": "1"}}
    messages = [
        tools.user("do nothing of interest"),
        *tools.called("zzz"),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
        tools.user(QUESTION),
    ]
    bare_gateway.post(tools.chat(messages, [tools.custom("yyy"), LAST, *FORTY]), x_toolfunnel_k="3")
    assert {"zzz", "yyy"} <= set(upstream.last.tool_names)
    assert upstream.last.json()["messages"] == messages


def test_c17_registered_tools_called_in_the_history_are_kept(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """A registered tool that the model called stays, though the client's body never defined it."""
    messages = [tools.user(QUESTION), *tools.called("approve_vaccine"), tools.user("and the contracts")]
    stocked_gateway.post(tools.chat(messages))
    assert "approve_vaccine" in upstream.last.tool_names


def test_c18_an_agent_loop_keeps_its_tools(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """While the model calls tools and the user says nothing new, the tool list stays byte for byte."""
    messages = [tools.user(QUESTION)]
    for number in range(4):
        bare_gateway.post(tools.chat(messages, FORTY), x_toolfunnel_k="6")
        messages += tools.called(upstream.last.tool_names[number], f"call_{number}")
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert lists == [lists[0]] * 4


def test_c18_an_agent_loop_keeps_registered_tools(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The same holds for tools from the catalogue."""
    messages = [tools.user("schedule a flight")]
    for number in range(4):
        stocked_gateway.post(tools.chat(messages))
        messages += tools.called(upstream.last.tool_names[-1 - number], f"call_{number}")
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert lists == [lists[0]] * 4


def test_c19_a_legacy_list_is_trimmed_in_its_own_form(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """`functions` is trimmed as `tools` is; what `function_call` demands and what was called stays."""
    functions = [tool["function"] for tool in [*FORTY[:28], LAST, tools.function("qqq", "Nothing either.")]]
    messages = [
        tools.user("do nothing of interest"),
        {"role": "assistant", "content": None, "function_call": {"name": "qqq", "arguments": "{}"}},
        {"role": "function", "name": "qqq", "content": "done"},
        tools.user(QUESTION),
    ]
    body = tools.chat(messages, functions=functions, function_call={"name": "zzz"})
    bare_gateway.post(body, x_toolfunnel_k="4")
    sent = upstream.last.json()
    assert "tools" not in sent
    assert {"qqq", "zzz"} <= set(upstream.last.tool_names)
    assert len(sent["functions"]) <= 6
    assert all(entry in functions for entry in sent["functions"])
    assert {**sent, "functions": functions} == body


def test_c19_registered_tools_join_a_legacy_list_in_its_form(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """A client that speaks `functions` gets registered tools as functions."""
    stocked_gateway.post(tools.chat(QUESTION, functions=[LAST["function"]]), x_toolfunnel_source="both")
    sent = upstream.last.json()
    assert "tools" not in sent
    assert "list_invoice" in upstream.last.tool_names
    assert all(set(entry) == {"name", "description", "parameters"} for entry in sent["functions"])


def test_c20_both_lists_at_once_pass_untouched(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A request with `tools` and `functions` goes out as it came."""
    body = tools.encoded(tools.chat(QUESTION, FORTY, functions=[LAST["function"]]))
    assert stocked_gateway.post(body).content == COMPLETION.body
    assert upstream.last.body == body
