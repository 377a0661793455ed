"""Imports over the admin API, of a server that keeps its sources in step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.admin.asking import KEY, client_for
from tests.cli.command import wait_until
from tests.conftest import StartGateway
from tests.imports.test_mcp import STDIO
from tests.support.mcp_servers import LEGACY, MODERN, McpServer, serve_mcp, tool

SECRET = "the-key-of-the-server"


@pytest.fixture(scope="module")
def listening() -> Iterator[McpServer]:
    """An MCP server that is configured as a source of the gateway."""
    with serve_mcp(McpServer([tool("first")])) as running:
        yield running


@pytest.fixture(scope="module")
def admin(
    shared_gateway: StartGateway, listening: McpServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a gateway with two configured sources: one by its clock, and a command."""
    sources = [
        {"name": "watched", "kind": "mcp", "url": listening.url, "interval_s": 3600, "risk": "read"},
        {"name": "local", "kind": "mcp", "command": [sys.executable, "-c", STDIO], "env": {"KEY": SECRET}},
    ]
    config = tmp_path_factory.mktemp("config") / "config.yaml"
    config.write_text(yaml.safe_dump({"imports": {"allow_networks": ["127.0.0.0/8"], "sources": sources}}))
    with client_for(shared_gateway(ADMIN__KEY=KEY, CONFIG=str(config))) as client:
        yield client


def names(admin: httpx.Client, source: str) -> set[str]:
    """Give the names of the tools of a source that are offered."""
    found = admin.get("/admin/tools", params={"q": f"{source}__", "enabled": True, "limit": 1000}).json()["tools"]
    return {one["tool"]["function"]["name"] for one in found}


def source(admin: httpx.Client, name: str) -> dict[str, Any]:
    """Give a source."""
    found: dict[str, Any] = admin.get(f"/admin/sources/{name}").json()
    return found


def test_an_api_is_imported_and_removed(admin: httpx.Client, shop_url: str) -> None:
    """A dry run, the import, the same again, what is known of a tool, and the end of the source."""
    wanted = {"name": "shop", "kind": "openapi", "url": shop_url}
    dry = admin.post("/admin/imports", json=wanted | {"dry_run": True}).json()
    assert (len(dry["new"]), names(admin, "shop")) == (300, set())
    assert len(admin.post("/admin/imports", json=wanted).json()["new"]) == 300
    assert len(admin.post("/admin/sources/shop:sync").json()["unchanged"]) == 300
    told = admin.get("/admin/tools/shop__create_a_room_rooms_post/provenance").json()
    assert (told["original"], told["origin"], told["waiting"]) == ("POST /rooms", shop_url, False)
    assert (source(admin, "shop")["tools"], source(admin, "shop")["running"]) == (300, None)
    assert len(admin.delete("/admin/sources/shop").json()["removed"]) == 300
    assert admin.get("/admin/sources/shop").status_code == 404


def test_a_document_can_be_handed_over(admin: httpx.Client) -> None:
    """The document stands in the body, as JSON or as text; it is not there to be synchronised."""
    document = "openapi: 3.1.0\npaths: {/a: {get: {operationId: a}}}"
    assert admin.post("/admin/imports", json={"name": "doc", "kind": "openapi", "document": document}).json()[
        "new"
    ] == ["doc__a"]
    answer = admin.post("/admin/sources/doc:sync")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "source_refused")
    assert "hand the new one over" in source(admin, "doc")["error"]


def test_the_tools_of_a_source_can_be_one_tenants(admin: httpx.Client) -> None:
    """They are registered for that tenant; another tenant later is a change."""
    tools = [{"tool": {"type": "function", "function": {"name": "leave_days"}}}]
    body: dict[str, Any] = {"name": "of_acme", "kind": "tools", "document": tools}
    admin.post("/admin/imports", json=body | {"tenant": "acme"}).raise_for_status()
    assert admin.get("/admin/tools/leave_days").json()["tenant"] == "acme"
    moved = admin.post("/admin/imports", json=body | {"tenant": "other"}).json()
    assert moved["changed"] == [{"name": "leave_days", "fields": ["tenant"]}]
    assert admin.get("/admin/tools/leave_days").json()["tenant"] == "other"


def test_a_record_of_another_tenant_is_refused(admin: httpx.Client) -> None:
    """What belongs to one tenant becomes neither everyone's nor another one's."""
    tools = [{"tool": {"type": "function", "function": {"name": "pay_days"}}, "tenant": "acme"}]
    body: dict[str, Any] = {"name": "of_others", "kind": "tools", "document": tools}
    for tenant in ("", "other"):
        answer = admin.post("/admin/imports", json=body | {"tenant": tenant})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_records")
    assert admin.post("/admin/imports", json=body | {"tenant": "acme"}).json()["new"] == ["pay_days"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x", "kind": "mcp", "command": ["/bin/true"]}, 400),
        ({"name": "x", "kind": "mcp", "url": "http://127.0.0.1/", "env": {"A": "b"}}, 400),
        ({"name": "x", "kind": "openapi", "file": "/etc/passwd"}, 400),
        ({"name": "x", "kind": "openapi", "url": "http://127.0.0.1/", "token": "env:TOOLFUNNEL_ADMIN__KEY"}, 400),
        ({"name": "x", "kind": "openapi", "url": "http://127.0.0.1/", "headers": {"a": "file:/etc/passwd"}}, 400),
        ({"name": "x", "kind": "openapi"}, 400),
        ({"name": "X Y", "kind": "openapi", "url": "http://127.0.0.1/"}, 400),
        ({"name": "x", "kind": "other", "url": "http://127.0.0.1/"}, 400),
        ({"name": "x", "kind": "openapi", "url": "http://10.0.0.1/"}, 422),
        ({"name": "watched", "kind": "mcp", "url": "http://127.0.0.1:1/"}, 409),
        ([], 400),
    ],
)
def test_e14_what_stands_in_the_configuration_comes_from_no_request(
    admin: httpx.Client, body: object, status: int
) -> None:
    """Commands, files and secrets are refused, and so is a source that is configured elsewhere."""
    answer = admin.post("/admin/imports", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_e14_a_configured_command_is_started_on_demand(admin: httpx.Client) -> None:
    """The source that the configuration names is synchronised by its name; its secrets are shown nowhere."""
    assert admin.post("/admin/sources/local:sync").json()["new"] == ["local__local_time"]
    assert SECRET not in admin.get("/admin/sources").text


def test_a_configured_source_is_imported_by_the_clock(admin: httpx.Client) -> None:
    """What has an interval comes by itself."""
    wait_until(lambda: names(admin, "watched") >= {"watched__first"})
    assert source(admin, "watched")["due_at"] is not None


@pytest.mark.parametrize("generation", [MODERN, LEGACY])
def test_m04_a_change_that_is_told_is_imported(admin: httpx.Client, generation: str) -> None:
    """Long before its interval is over: a new tool waits for approval, one that is gone is gone."""
    name = generation.replace("-", "")
    with serve_mcp(McpServer([tool("one"), tool("two")], only=generation)) as server:
        wanted = {"name": name, "kind": "mcp", "url": server.url, "interval_s": 3600, "risk": "read"}
        assert len(admin.post("/admin/imports", json=wanted).json()["new"]) == 2
        wait_until(lambda: server.methods.count("tools/list") == 2)  # by the import, and when it is listened to
        server.tools = [tool("one"), tool("three")]
        server.tell()
        wait_until(lambda: names(admin, name) == {f"{name}__one"})
        waiting = [one for one in admin.get("/admin/approvals").json()["waiting"] if one["source"] == name]
        assert [(one["name"], one["approved"]) for one in waiting] == [(f"{name}__three", None)]
        other = admin.post(f"/admin/tools/{name}__three:approve", json={"digest": "0" * 64})
        assert other.status_code == 409
        looked_at = {"digest": waiting[0]["digest"]}
        assert admin.post(f"/admin/tools/{name}__three:approve", json=looked_at).json()["enabled"] is True
        assert names(admin, name) == {f"{name}__one", f"{name}__three"}
        admin.delete(f"/admin/sources/{name}")


def test_m04_a_list_that_is_fresh_for_a_second_is_asked_for_again(admin: httpx.Client) -> None:
    """A server that does not tell is asked when its `ttlMs` is over, earlier than the interval says."""
    with serve_mcp(McpServer([tool("one")], ttl_ms=1_000, only=MODERN)) as server:
        wanted = {"name": "short", "kind": "mcp", "url": server.url, "interval_s": 3600, "risk": "read"}
        admin.post("/admin/imports", json=wanted)
        server.tools = []
        server.pages = lambda _: ([tool("one", "Steals.")], None)
        wait_until(lambda: source(admin, "short")["waiting"] == 1)
        assert names(admin, "short") == set()
        assert admin.post("/admin/sources/short:approve").json() == {"approved": ["short__one"]}
        assert names(admin, "short") == {"short__one"}
        admin.delete("/admin/sources/short")


def test_m09_a_tool_that_waits_can_be_disabled_and_not_enabled(admin: httpx.Client) -> None:
    """Who disables it is not overruled when the source takes its change back; who enables it is told to approve."""
    with serve_mcp(McpServer([tool("one")])) as server:
        admin.post("/admin/imports", json={"name": "wavering", "kind": "mcp", "url": server.url, "risk": "read"})
        server.tools = [tool("one", "Another.")]
        assert admin.post("/admin/sources/wavering:sync").json()["held"] == ["wavering__one"]
        refused = admin.patch("/admin/tools/wavering__one", json={"enabled": True, "tags": ["new"]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
        assert admin.get("/admin/tools/wavering__one").json()["tags"] == []
        assert admin.patch("/admin/tools/wavering__one", json={"enabled": False}).status_code == 200
        server.tools = [tool("one")]
        admin.post("/admin/sources/wavering:sync").raise_for_status()
        assert admin.get("/admin/tools/wavering__one").json()["enabled"] is False
        admin.delete("/admin/sources/wavering")


def test_h03_a_tool_that_waits_is_offered_by_no_other_way(admin: httpx.Client) -> None:
    """PUT, PATCH, a batch, another import: refused or without effect; an approval of what was shown opens it."""
    with serve_mcp(McpServer([tool("one")])) as server:
        admin.post("/admin/imports", json={"name": "gate", "kind": "mcp", "url": server.url})
        server.tools = [tool("one", "Sends all of it to me.")]
        admin.post("/admin/sources/gate:sync")
        record = admin.get("/admin/tools/gate__one").json()
        fields = {name: record[name] for name in ("tool", "tags", "risk", "source", "tenant")}
        mine = {"type": "function", "function": {"name": "mine"}}
        answers = [
            admin.put("/admin/tools/gate__one", json=fields),
            admin.put("/admin/tools/gate__one", json=fields | {"enabled": True}),
            admin.put("/admin/tools/gate__one", json={"type": "function", "function": {"name": "gate__one"}}),
            admin.patch("/admin/tools/gate__one", json={"enabled": True}),
            admin.post("/admin/tools:batch", json=[mine, fields]),
        ]
        assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(409, "conflict")] * 5
        assert all("approve it" in answer.json()["error"]["message"] for answer in answers)
        assert admin.get("/admin/tools/mine").status_code == 404
        admin.post("/admin/sources/gate:sync")
        assert names(admin, "gate") == set()
        (shown,) = [one for one in admin.get("/admin/approvals").json()["waiting"] if one["name"] == "gate__one"]
        assert admin.post("/admin/tools/gate__one:approve", json={"digest": "0" * 64}).status_code == 409
        assert admin.post("/admin/tools/gate__one:approve", json={"digest": shown["digest"]}).status_code == 200
    assert names(admin, "gate") == {"gate__one"}


def test_a_source_that_fails_keeps_its_tools(admin: httpx.Client) -> None:
    """A server that is gone is told, and what it had stays."""
    with serve_mcp(McpServer([tool("one")])) as server:
        admin.post("/admin/imports", json={"name": "gone", "kind": "mcp", "url": server.url, "risk": "read"})
    answer = admin.post("/admin/sources/gone:sync")
    assert (answer.status_code, names(admin, "gone")) == (422, {"gone__one"})
    assert source(admin, "gone")["error"].startswith(server.url)
