"""What may not be offered is never sent, and what is written to the log gives nothing away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Upstream, never, sse

RISKY = [
    tools.record(tools.function("read_reactor", "Read the reactor's temperature.")),
    tools.record(tools.function("write_reactor", "Set the reactor's temperature."), risk="write"),
    tools.record(tools.function("detonate_reactor", "Detonate the reactor."), risk="dangerous", pinned=True),
    tools.record(tools.function("disabled_reactor", "Stop the reactor."), enabled=False, pinned=True),
]
DENIED = ["write_reactor", "detonate_reactor", "disabled_reactor"]
QUESTION = "set, detonate and stop the reactor"


@pytest.fixture
def risky_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with tools of every risk and default permissions, which logs all that it can."""
    gateway = shared_gateway(LOG__LEVEL="debug")
    gateway.register(RISKY)
    return gateway


def test_safety_only_harmless_tools_are_sent(risky_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Write, dangerous and disabled tools stay, though they are asked for, and pinned."""
    risky_gateway.post(tools.chat(QUESTION))
    assert upstream.last.tool_names == ["read_reactor"]


@pytest.mark.parametrize("name", DENIED)
def test_safety_no_request_can_demand_a_denied_tool(
    risky_gateway: GatewayProcess, upstream: Upstream, name: str
) -> None:
    """Neither `tool_choice`, nor `allowed_tools`, nor the history, nor a legacy call brings a denied tool in."""
    one = {"type": "function", "function": {"name": name}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [one]}}
    bodies: list[dict[str, Any]] = [
        tools.chat(QUESTION, tool_choice=one),
        tools.chat(QUESTION, tool_choice=allowed),
        tools.chat([tools.user(QUESTION), *tools.called(name), tools.user("again")]),
        tools.chat(QUESTION, function_call={"name": name}),
        tools.chat([{"role": "user", "content": []}, *tools.called(name)]),
    ]
    for body in bodies:
        risky_gateway.post(body, x_toolfunnel_k="20")
    assert [name in b"".join(tool_list(request.body)).decode() for request in upstream.requests] == [False] * 5


def tool_list(body: bytes) -> list[bytes]:
    """Give the entries of the tool list, none where there is no list."""
    return tools.listed(body) if b'"tools":' in body.replace(b'"allowed_tools":{"mode":"auto","tools":', b"") else []


def test_safety_write_is_sent_where_it_is_allowed(shared_gateway: StartGateway, upstream: Upstream) -> None:
    """With `write` in `safety.allow` a write tool goes out; a dangerous or disabled one still does not."""
    gateway = shared_gateway(SAFETY__ALLOW='["read", "write"]')
    gateway.register(RISKY)
    gateway.post(tools.chat(QUESTION))
    assert upstream.last.tool_names == ["read_reactor", "write_reactor"]


def test_safety_a_change_is_seen_by_the_next_request(risky_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A tool that is switched off is gone from the next request, in a running conversation too."""
    risky_gateway.register([tools.record(tools.function("shut_valve", "Shut the reactor's valve."))])
    messages = [tools.user("shut the valve of the reactor")]
    risky_gateway.post(tools.chat(messages))
    assert "shut_valve" in upstream.last.tool_names
    risky_gateway.admin("PATCH", "/admin/tools/shut_valve", content=b'{"enabled": false}')
    risky_gateway.post(tools.chat([*messages, *tools.called("shut_valve")]))
    assert "shut_valve" not in upstream.last.tool_names
    risky_gateway.admin("DELETE", "/admin/tools/shut_valve")


def test_p11_p12_the_log_holds_nothing_confidential(risky_gateway: GatewayProcess, upstream: Upstream) -> None:
    """At level debug, whatever happens, no key, question, argument, answer or query is written; all is sent on."""
    called = tools.called("SECRET-tool")
    called[0]["tool_calls"][0]["function"]["arguments"] = '{"a": "SECRET-argument"}'
    own = [tools.function(f"mine_{number}", "SECRET-description") for number in range(30)]
    body = tools.encoded(tools.chat([tools.user("SECRET-question"), *called], own))
    keys = [("authorization", "Bearer SECRET-key"), ("api-key", "SECRET-azure"), ("cookie", "SECRET-cookie")]
    upstream.respond_with(sse(b"data: SECRET-answer\n\n"), never())
    for content in (body, body, b'{"SECRET-broken', b'{"messages":[{"role":7,"content":"SECRET-x"}],"tools":[7]}'):
        with RawClient(risky_gateway.port) as client:
            client.send(sockets.request(content, target="/v1/chat/completions?key=SECRET-query", headers=keys))
            upstream.wait_for(1)
    assert upstream.requests[0].target.endswith("?key=SECRET-query")
    assert [upstream.requests[0].values(name) for name, _ in keys] == [[value] for _, value in keys]
    risky_gateway.post(body, "/embeddings?key=SECRET-query", authorization="Bearer SECRET-key")
    risky_gateway.post(body, x_toolfunnel_k="SECRET-option")
    assert "SECRET" not in risky_gateway.log


def test_safety_a_clients_own_tools_are_relayed_whatever_they_hide(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Hidden text is refused in the catalogue alone: a client's own list reaches the provider byte for byte."""
    own = [tools.function("mine", "a\u200b\U000e0041\x1b[8m <!-- b -->" + " " * 500)]
    bare_gateway.post(body := tools.chat("hello", tools=own))
    assert upstream.last.body == tools.encoded(body)
