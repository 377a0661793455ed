"""Imports as an operator and an application see them: over the admin API, and in what the provider gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.admin.asking import KEY, client_for
from tests.conftest import StartGateway
from tests.imports.conftest import ALLOWED
from tests.imports.test_one_bad_tool import BAD, GOOD, PAGE
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.mcp_servers import McpServer
from tests.support.upstream import Upstream

TEXT = {"type": "string"}
SCHEMA = {"type": "object", "properties": {"query": TEXT}}
EITHER = {
    "type": "object",
    "anyOf": [
        {"properties": {"content": TEXT}, "required": ["content"]},
        {"properties": {"source_url": TEXT}, "required": ["source_url"]},
    ],
}


@pytest.fixture
def gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that may import from this machine, of a provider that takes no unions at the top."""
    return shared_gateway(ADMIN__KEY=KEY, UPSTREAM__REFUSES='["top_level_combinators"]', **ALLOWED)


@pytest.fixture
def admin(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    """A client of its admin API. What it imports is gone afterwards."""
    with client_for(gateway) as client:
        yield client
        for source in client.get("/admin/sources").json()["sources"]:
            client.delete(f"/admin/sources/{source['name']}")


def imported(admin: httpx.Client, name: str, kind: str, **more: object) -> dict[str, Any]:
    """Import a source; give the report."""
    answer = admin.post("/admin/imports", json={"name": name, "kind": kind, "risk": "read"} | more)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def test_a_bad_tool_is_named_over_the_admin_api(admin: httpx.Client, server: McpServer) -> None:
    """With `skip` the others are taken; without it nothing is, and each bad one is told with its reason."""
    server.raw = {"tools": PAGE}
    wanted = {"name": "page", "kind": "mcp", "url": server.url, "risk": "read"}
    refused = admin.post("/admin/imports", json=wanted)
    assert refused.status_code == 422
    assert [one["name"].removeprefix("page__") for one in refused.json()["error"]["problems"]] == list(BAD)
    dry = imported(admin, "page", "mcp", url=server.url, skip=True, dry_run=True)
    report = imported(admin, "page", "mcp", url=server.url, skip=True)
    assert dry | {"dry_run": False} == report
    assert {one["original"] for one in report["refused"]} == BAD.keys()
    assert "page__good" in report["new"]


QUESTIONS = {
    "明天北京的天气怎么样": "查询天气",
    "帮我查询股票价格": "查询股票",
    "東京の天気予報を教えて": "天気予報",
    "请建立订单": "POST /orders",
    "取消 订单 17": "POST /orders/{id}/cancel",
    "Which exchange rates apply today?": "fx",
    "删除 report.txt 这个文件": "删除文件",
}


def test_tools_are_found_by_their_own_names_and_titles(
    admin: httpx.Client, gateway: GatewayProcess, upstream: Upstream, server: McpServer
) -> None:
    """Names of which nothing is left, titles and summaries are searched: the one tool sent is the one asked for."""
    names = ["查询天气", "查询股票", "天気予報", "删除文件", "发送邮件"]
    server.raw = {"tools": [{"name": name, "inputSchema": SCHEMA} for name in names]}
    imported(admin, "cjk", "mcp", url=server.url)
    server.raw = {"tools": [GOOD, {"name": "fx", "title": "Exchange rates of currencies", "inputSchema": SCHEMA}]}
    imported(admin, "plain", "mcp", url=server.url)
    paths = {
        "/orders": {"post": {"summary": "建立订单"}, "get": {"summary": "列出仓库"}},
        "/orders/{id}/cancel": {"post": {"operationId": "取消订单"}},
    }
    imported(admin, "shop", "openapi", document={"openapi": "3.1.0", "paths": paths})
    found = {}
    for question in QUESTIONS:
        gateway.post(tools.chat(question), x_toolfunnel_k="1")
        (name,) = upstream.last.tool_names
        found[question] = admin.get(f"/admin/tools/{name}/provenance").json()["original"]
    assert found == QUESTIONS


def test_what_a_provider_refuses_is_told_and_not_sent(
    admin: httpx.Client, gateway: GatewayProcess, upstream: Upstream, server: McpServer
) -> None:
    """The import warns; the provider gets one object; the registry, and a client's own tool, stay as they are."""
    server.raw = {"tools": [{"name": "add_page", "description": "Add a page.", "inputSchema": EITHER}]}
    report = imported(admin, "pages", "mcp", url=server.url)
    assert report["warnings"][0]["name"] == "pages__add_page"
    assert report["warnings"][0]["reasons"][0].startswith("combinators at the top of parameters: anyOf")
    own = tools.function("own_page", "Add a page of one's own.") | {}
    own["function"]["parameters"] = EITHER
    gateway.post(tools.chat("Add a page", tools=[own]), x_toolfunnel_source="both")
    sent = {one["function"]["name"]: one["function"] for one in json.loads(upstream.last.body)["tools"]}
    assert sent["own_page"]["parameters"] == EITHER
    assert sent["pages__add_page"]["parameters"]["properties"] == {"content": TEXT, "source_url": TEXT}
    assert "anyOf" not in sent["pages__add_page"]["parameters"]
    stored = admin.get("/admin/tools/pages__add_page").json()["tool"]["function"]
    assert stored["parameters"]["anyOf"] == EITHER["anyOf"]


def test_a_tool_is_shown_with_what_a_caller_needs(admin: httpx.Client) -> None:
    """Wire names and places; what was given can be put back as it is, and the binding stays the source's."""
    parameters = [{"name": name, "in": "query", "schema": TEXT} for name in ("城市", "page[size]")]
    paths = {"/weather": {"get": {"operationId": "weather", "parameters": parameters}}}
    text = json.dumps({"openapi": "3.1.0", "servers": [{"url": "https://api.example"}], "paths": paths})
    imported(admin, "api", "openapi", document=text)
    shown = admin.get("/admin/tools/api__weather").json()
    binding = shown["binding"]
    assert (binding["method"], binding["path"], binding["servers"][0]["url"]) == (
        "GET",
        "/weather",
        "https://api.example",
    )
    assert {one["wire"]: one["in"] for one in binding["parameters"]} == {"城市": "query", "page[size]": "query"}
    assert [one["name"] for one in binding["parameters"]] == list(shown["tool"]["function"]["parameters"]["properties"])
    again = admin.put("/admin/tools/api__weather", json=shown | {"binding": {"method": "DELETE"}, "tags": ["mine"]})
    assert again.status_code == 200, again.text
    after = admin.get("/admin/tools/api__weather").json()
    assert after == shown | {"tags": ["mine"]}


def test_an_anchor_may_be_defined_again_in_a_document(admin: httpx.Client) -> None:
    """It is valid YAML 1.2: an alias is of the last definition before it."""
    document = """
        openapi: 3.1.0
        paths:
          /a: {get: {operationId: a, parameters: [&p {name: first, in: query}]}}
          /b: {get: {operationId: b, parameters: [*p]}}
          /c: {get: {operationId: c, parameters: [&p {name: second, in: query}]}}
          /d: {get: {operationId: d, parameters: [*p]}}
    """
    imported(admin, "anchors", "openapi", document=document)
    bindings = [admin.get(f"/admin/tools/anchors__{name}").json()["binding"] for name in "abcd"]
    assert [one["parameters"][0]["wire"] for one in bindings] == ["first", "first", "second", "second"]
