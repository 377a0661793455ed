"""Paths, hosts, methods and headers that try to reach what is not theirs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

ROOT = Path(__file__).parents[2]
HOSTS = [
    "evil/healthz?",
    "localhost/healthz?",
    "x#",
    "x@y",
    "localhost:8000/../healthz",
    "a b",
    "x:99999999",
    "[::1",
    "",
]
ADMIN = [
    ("GET", "/admin/tools"),
    ("GET", "/admin/stats"),
    ("GET", "/admin/duplicates"),
    ("GET", "/admin/tools/x"),
    ("PUT", "/admin/tools/x"),
    ("PATCH", "/admin/tools/x"),
    ("DELETE", "/admin/tools/x"),
    ("POST", "/admin/tools:batch"),
    ("POST", "/admin/route"),
]
NEAR_ADMIN = [
    "/admin/tools",
    "/admin//tools",
    "/admin/./tools",
    "/admin/x/../tools",
    "/admin/tools/",
    "/admin/tools;x=/v1/models",
    "/admin/%74ools",
    "/%61dmin/tools",
    "/admin%2ftools",
    "/admin/tools?/v1/models",
    "/healthz/../admin/tools",
    "/v1/../admin/tools",
    "/v1/%2e%2e/admin/tools",
    "/v1/..%2fadmin/tools",
    "/v1/..\\admin/tools",
    "/v1/..;/admin/tools",
    "//admin/tools",
    "/\\admin/tools",
    "/ADMIN/tools",
    "/admin/tools%00",
    "/admin/tools%20",
]


@pytest.fixture
def guarded_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server whose admin API asks for a key."""
    return shared_gateway(ADMIN__KEY="the-admin-key-of-these-tests")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("method", "path"), ADMIN)
def test_b16_a_poisoned_host_opens_nothing(guarded_gateway: GatewayProcess, method: str, path: str, host: str) -> None:
    """What is no host is refused on every route, before anybody could read a path in it."""
    request = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n".encode()
    assert sockets.statuses(sockets.exchange(guarded_gateway.port, request)) == [400]


FOLDERS = ("app", "app/admin", "app/gateway", "app/edge")


def test_b16_nothing_is_decided_by_the_url_of_a_request() -> None:
    """`request.url` is built from the Host header; the gateway's code never reads it, nor `base_url` or `url_for`."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.py")]
    assert {ROOT / folder for folder in FOLDERS} == {path.parent for path in files}
    read = {
        f"{path.name}:{node.lineno}"
        for path in files
        if path.name != "transport.py"  # its requests are those to the provider
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("url", "base_url", "url_for")
        if isinstance(node.value, ast.Name) and node.value.id == "request"
    }
    assert read == set()


@pytest.mark.parametrize("path", NEAR_ADMIN)
def test_b18_no_spelling_of_a_path_opens_the_admin_api(
    guarded_gateway: GatewayProcess, upstream: Upstream, path: str
) -> None:
    """Whatever a path looks like, without the key it gives nothing, and what goes out stays below the base path."""
    request = sockets.request(method="GET", target=path, headers=[("connection", "close")])
    received = sockets.exchange(guarded_gateway.port, request)
    assert sockets.statuses(received)[0] in (400, 401, 404) or upstream.last.target.startswith("/v1/")
    assert b'"tools":' not in received


MOVERS = [
    "x-forwarded-host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-real-ip",
    "x-base-url",
    "x-openai-base-url",
    "x-upstream-base-url",
    "api-base",
    "base-url",
    "x-toolfunnel-upstream",
]


@pytest.mark.parametrize("header", MOVERS)
def test_b19_no_header_moves_the_provider(bare_gateway: GatewayProcess, upstream: Upstream, header: str) -> None:
    """A request goes where the configuration says, under the name that it has there."""
    bare_gateway.post(tools.chat("hello"), **{header: "http://127.0.0.1:9"})
    assert upstream.last.values("host") == [f"127.0.0.1:{upstream.port}"]


def test_b19_no_field_moves_the_provider(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Fields that other gateways obey are relayed and mean nothing here."""
    fields = {"api_base": "http://127.0.0.1:9", "base_url": "http://127.0.0.1:9", "extra_headers": {"x-a": "b"}}
    bare_gateway.post(body := tools.chat("hello", **fields))
    assert upstream.last.body == tools.encoded(body)
    assert upstream.last.values("x-a") == []


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "SEARCH", "LINK", "MKCOL"])
def test_b23_an_odd_method_is_the_providers_matter(
    bare_gateway: GatewayProcess, upstream: Upstream, method: str
) -> None:
    """Below /v1 it is relayed as it is; nothing is echoed by the gateway."""
    request = sockets.request(method=method, target="/v1/x", headers=[("x-a", "secret"), ("connection", "close")])
    received = sockets.exchange(bare_gateway.port, request)
    assert (sockets.statuses(received), upstream.last.method) == ([200], method)
    assert b"secret" not in received


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "DELETE"])
def test_b23_an_odd_method_on_own_paths_is_a_405(bare_gateway: GatewayProcess, method: str) -> None:
    """Own routes know their methods."""
    request = sockets.request(method=method, target="/healthz", headers=[("connection", "close")])
    assert sockets.statuses(sockets.exchange(bare_gateway.port, request)) == [405]


@pytest.mark.parametrize("method", ["get", "GETT", "X-Y", "", "G\x00T"])
def test_b23_a_method_that_nobody_knows_is_a_400(bare_gateway: GatewayProcess, method: str) -> None:
    """What is no method of HTTP ends the connection."""
    request = sockets.request(method=method, target="/v1/models")
    assert sockets.statuses(sockets.exchange(bare_gateway.port, request)) == [400]
