"""`tools.source: registry`: none of the tools that a client sends goes out, whatever it sends with them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

EVIL: dict[str, Any] = {"type": "function", "function": {"name": "evil", "description": "x"}}
ASKED = [{"role": "user", "content": "list invoices"}]
CALL = {"id": "1", "type": "function", "function": {"name": "evil", "arguments": "{}"}}
CALLED = [
    {"role": "user", "content": "list invoices"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "x"},
    *ASKED,
]
CHOICE = {"type": "function", "function": {"name": "evil"}}
WAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "plain": ({"tools": [EVIL]}, {}),
    "deferred": ({"tools": [EVIL | {"defer_loading": True}]}, {}),
    "called in the history": ({"messages": CALLED, "tools": [EVIL]}, {}),
    "tools off": ({"tools": [EVIL]}, {"x_toolfunnel_tools": "off"}),
    "tags of nothing": ({"tools": [EVIL]}, {"x_toolfunnel_tags": "nope"}),
    "both lists": ({"tools": [EVIL], "functions": [EVIL["function"]]}, {}),
    "functions": ({"functions": [EVIL["function"]], "function_call": "auto"}, {}),
    "no choice": ({"tools": [EVIL], "tool_choice": "none"}, {}),
    "no text": ({"messages": [{"role": "system", "content": "x"}], "tools": [EVIL]}, {}),
    "small talk": ({"messages": [{"role": "user", "content": "thank you"}], "tools": [EVIL]}, {}),
    "no messages": ({"messages": None, "tools": [EVIL]}, {}),
    "an odd message": ({"messages": [{"role": 5}], "tools": [EVIL]}, {}),
    "a typed tool": ({"tools": [{"type": "mcp", "server_label": "evil", "server_url": "https://evil.example"}]}, {}),
    "another case": ({"Tools": [EVIL], "TOOLS": [EVIL]}, {}),
    "servers": ({"mcp_servers": [{"name": "evil", "url": "https://evil.example"}]}, {}),
    "a list that is none": ({"tools": {"0": EVIL}}, {}),
    "a tool without a name": ({"tools": [EVIL, {"type": "function", "function": {}}]}, {}),
    "an empty list beside": ({"tools": [], "functions": [EVIL["function"]]}, {}),
    "a large one": ({"tools": [EVIL | {"x": "y" * 600_000}]}, {}),
    "many elements": ({"tools": [EVIL], "x": [0] * 300_000}, {}),
}
REFUSED: dict[str, bytes] = {
    "a choice of it": tools.encoded({"messages": ASKED, "tools": [EVIL], "tool_choice": CHOICE}),
    "a choice of its type": tools.encoded(
        {"messages": ASKED, "tools": [{"type": "mcp"}], "tool_choice": {"type": "mcp"}}
    ),
    "a list twice": b'{"messages":[],"tools":[],"tools":[{"type":"function","function":{"name":"evil"}}]}',
    "another key twice": b'{"messages":[],"x":1,"x":2,"tools":[{"type":"function","function":{"name":"evil"}}]}',
    "no JSON": b'{"messages":[],"tools":[{"type":"function","function":{"name":"evil"}},]}',
    "no UTF-8": '{"messages":[],"tools":[{"type":"function","function":{"name":"evil"}}]}'.encode("utf-16"),
}
ELSEWHERE = [
    "/v1/chat/completions/",
    "/v1//chat/completions",
    "/v1/x/../chat/./completions",
    "/v1/chat/completions;x",
    "/v1/Chat/Completions",
    "/v1/openai/chat%252fcompletions",
    "/v1/chat\\completions",
]


@pytest.fixture(scope="module")
def gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with three tools, which are all that may be offered beside the provider's search."""
    server = shared_gateway(TOOLS__SOURCE="registry", TOOLS__TYPED='["web_search"]', LOG__FORMAT="json")
    server.register([tools.record(tool) for tool in tools.distinct(3)])
    return server


def sent(upstream: Upstream) -> dict[str, Any]:
    """Return what the provider got but the messages."""
    body: dict[str, Any] = upstream.last.json()
    return {name: value for name, value in body.items() if name != "messages"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_h04_no_tool_of_a_client_goes_out(
    gateway: GatewayProcess, upstream: Upstream, way: str, *, packed: bool
) -> None:
    """The request does, with tools of the catalogue or without any, and never with an empty list."""
    more, headers = WAYS[way]
    body = tools.encoded({"messages": ASKED} | more)
    if packed:
        body, headers = gzip.compress(body), headers | {"content_encoding": "gzip"}
    assert gateway.post(body, **headers).status_code == 200
    out = sent(upstream)
    assert "evil" not in json.dumps(out)
    offered = {tool["function"]["name"] for tool in out.get("tools", [])} | {
        one["name"] for one in out.get("functions", [])
    }
    assert offered <= {tool["function"]["name"] for tool in tools.distinct(3)}
    assert [] not in (out.get("tools"), out.get("functions"))
    assert offered or not {"tool_choice", "function_call", "parallel_tool_calls"} & out.keys()


@pytest.mark.parametrize("way", REFUSED)
def test_h04_what_cannot_be_read_or_had_is_refused(gateway: GatewayProcess, upstream: Upstream, way: str) -> None:
    """A 400 that names the setting; the provider sees nothing."""
    answer = gateway.post(REFUSED[way])
    assert (answer.status_code, upstream.requests) == (400, [])
    assert "twice" in way or "tools.source: registry" in answer.json()["error"]["message"]


def test_h04_a_coding_that_is_not_known_is_refused(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Nobody could say what is in it."""
    answer = gateway.post(tools.encoded({"messages": ASKED, "tools": [EVIL]}), content_encoding="x-own")
    assert (answer.status_code, upstream.requests) == (400, [])


@pytest.mark.parametrize("path", ELSEWHERE)
def test_h04_no_other_spelling_of_the_path_passes(gateway: GatewayProcess, upstream: Upstream, path: str) -> None:
    """A provider may take it for chat requests."""
    body = tools.encoded(tools.chat("list invoices", [EVIL]))
    asked = sockets.request(body, target=path, headers=[("connection", "close")])
    assert (sockets.statuses(sockets.exchange(gateway.port, asked)), upstream.requests) == ([404], [])


def test_h04_the_catalogues_tools_go_and_what_was_set_aside_is_told(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """In a header, by number; a provider's tool that is listed goes as it came."""
    search = {"type": "web_search", "user_location": {"type": "approximate"}}
    answer = gateway.post(tools.chat("list invoices", [EVIL, search]))
    assert sent(upstream)["tools"][0] == search
    assert "list_invoice" in json.dumps(sent(upstream)["tools"])
    gateway.post(tools.chat("list invoices", [EVIL, search], tool_choice={"type": "web_search"}))
    assert sent(upstream)["tools"] == [search]
    assert answer.headers["x-toolfunnel-set-aside"] == "1"
    forced = {"type": "function", "function": {"name": "list_invoice"}}
    assert gateway.post(tools.chat("thank you", [EVIL], tool_choice=forced)).status_code == 200
    assert upstream.last.tool_names == ["list_invoice"]


def test_h04_half_an_emoji_costs_nobody_the_answer(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A client that cuts texts at a length sends one: it is JSON, and goes to the provider as it came."""
    body = b'{"messages":[{"role":"user","content":"list invoices \\ud83d"}],"tools":[%b]}' % tools.encoded(EVIL)
    assert gateway.post(body).status_code == 200
    out = upstream.last.body
    assert b"list invoices \\ud83d" in out
    assert b"evil" not in out
    assert b"list_invoice" in out


def test_h04_a_legacy_client_gets_functions(gateway: GatewayProcess, upstream: Upstream) -> None:
    """It would not understand calls of tools."""
    gateway.post(tools.encoded({"messages": ASKED, "functions": [EVIL["function"]]}))
    assert "list_invoice" in json.dumps(sent(upstream)["functions"])
    assert "tools" not in sent(upstream)


@pytest.mark.expects_fault("routing took too long", certain=False)
def test_h04_routing_that_is_late_sends_none_either(shared_gateway: StartGateway, upstream: Upstream) -> None:
    """Nor does a demand for a tool that was not found in time become a request without."""
    late = shared_gateway(TOOLS__SOURCE="registry", SELECT__BUDGET_MS="0.0001")
    late.register([tools.record(tool) for tool in tools.distinct(3)])
    body = {"messages": [{"role": "user", "content": "list invoices " + "x" * 600_000}], "tools": [EVIL]}
    assert late.post(body).status_code == 200
    assert "evil" not in json.dumps(sent(upstream))
    assert late.post(body | {"tool_choice": "required"}).status_code in (200, 503)
    assert "evil" not in json.dumps(sent(upstream))


def test_h04_the_explanation_says_the_same(gateway: GatewayProcess) -> None:
    """`POST /admin/route` does not know the client's tools either."""
    told = gateway.admin(
        "POST", "/admin/route", json=tools.chat("list invoices", [EVIL | {"defer_loading": True}])
    ).json()
    assert "evil" not in json.dumps(told)
