"""Who may use the admin API: who shows its key; without a key, this machine alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute, Mount

from app.main import create_app
from app.settings import Settings
from tests.admin.asking import CALLER, KEY, refused
from tests.cli.command import Place
from tests.support import tools
from tests.support.gateway import PLAIN, GatewayProcess, free_port
from tests.support.upstream import Upstream

# Every path that answers without the admin key. Whoever adds one adds it here, and says why.
OPEN = {
    "/healthz",  # probes and figures are for machinery that holds no keys
    "/readyz",
    "/metrics",
    "/admin/docs",  # what the API looks like is no secret
    "/admin/openapi.json",
}


def every_route(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Give method and path of every route, at whatever depth."""
    for route in routes:
        inner = getattr(route, "original_router", None) or (route if isinstance(route, Mount) else None)
        if inner is not None:
            yield from every_route(inner.routes)
        else:
            path: str = route.path  # type: ignore[attr-defined]
            for method in getattr(route, "methods", None) or ["GET"]:
                yield method, path


ROUTES = sorted(set(every_route(create_app(Settings()).routes)))
GUARDED = [(method, path.replace("{name}", "x")) for method, path in ROUTES if path not in OPEN]


def test_every_route_has_a_policy() -> None:
    """A route is below /admin, or it stands in the list of open ones."""
    assert {path for _, path in ROUTES} >= OPEN
    assert all(path.startswith("/admin/") for _, path in GUARDED)
    assert len(GUARDED) >= 8


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("shown", [None, "Bearer wrong"], ids=["no key", "wrong key"])
def test_every_admin_route_asks_for_the_key(
    keyed_gateway: GatewayProcess, method: str, path: str, shown: str | None
) -> None:
    """No admin route answers anything but 401 without the key."""
    headers = {} if shown is None else {"authorization": shown}
    answer = httpx.request(method, keyed_gateway.url + path, headers=headers, content=b"{}", **PLAIN)
    refused(answer, 401, "invalid_api_key", "authorization: Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY} x"},
        {"authorization": f"Bearer {KEY.upper()}"},
        {"authorization": f"Bearer {CALLER}"},
        {"authorization": "Bearer sk-of-the-provider"},
        {"authorization": b"Bearer \xff\xfe"},
        {"api-key": KEY},
        {"x-api-key": KEY},
        {"cookie": f"authorization=Bearer {KEY}"},
        {"host": "localhost"},
    ],
    ids=str,
)
def test_nothing_but_the_key_opens_the_admin_api(
    keyed_gateway: GatewayProcess, headers: dict[str, str | bytes]
) -> None:
    """Parts of the key, other keys, other headers and a local name are all refused."""
    answer = httpx.get(keyed_gateway.url + "/admin/stats", headers=headers, **PLAIN)  # type: ignore[arg-type]
    refused(answer, 401, "invalid_api_key")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_opens_the_admin_api_from_anywhere(keyed_gateway: GatewayProcess, scheme: str) -> None:
    """With the key neither Host nor Origin matter, and the scheme's case does not either."""
    headers = {"authorization": f"{scheme} {KEY}", "host": "tools.example", "origin": "https://console.example"}
    assert httpx.get(keyed_gateway.url + "/admin/stats", headers=headers, **PLAIN).status_code == 200


def test_the_key_is_asked_for_before_the_query_is_read(keyed_gateway: GatewayProcess) -> None:
    """A stranger's mistakes are not explained to them."""
    refused(httpx.get(keyed_gateway.url + "/admin/tools?limit=0", **PLAIN), 401, "invalid_api_key")


def test_the_admin_key_is_no_callers_key(keyed_gateway: GatewayProcess, upstream: Upstream) -> None:
    """In managed mode /v1 refuses the admin key, and the provider hears nothing of it."""
    answer = keyed_gateway.post(tools.chat("hello"), authorization=f"Bearer {KEY}")
    refused(answer, 401, "invalid_api_key")
    assert upstream.requests == []


@pytest.mark.parametrize("path", sorted(path for path in OPEN if "{" not in path and not path.startswith("/v1")))
def test_open_paths_need_no_key(keyed_gateway: GatewayProcess, path: str) -> None:
    """Probes, figures and documents answer without it."""
    assert httpx.get(keyed_gateway.url + path, **PLAIN).status_code in (200, 503)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LocalHost", "127.0.0.1", "127.0.0.1:1", "127.8.9.1", "[::1]", "[::1]:8000"]
)
def test_without_a_key_local_names_are_answered(open_gateway: GatewayProcess, host: str) -> None:
    """A request for this machine by name or address is answered."""
    answer = httpx.get(open_gateway.url + "/admin/stats", headers={"host": host}, **PLAIN)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.10",
        "0.0.0.0",
        "[::]",
        "[::ffff:192.0.2.1]",
    ],
)
@pytest.mark.parametrize("method_path", [("GET", "/admin/stats"), ("POST", "/admin/tools:batch")], ids=str)
def test_without_a_key_other_names_are_refused(
    open_gateway: GatewayProcess, host: str, method_path: tuple[str, str]
) -> None:
    """A page that points its own name at this machine (DNS rebinding) gets nothing."""
    method, path = method_path
    answer = httpx.request(method, open_gateway.url + path, headers={"host": host}, content=b"[]", **PLAIN)
    refused(answer, 401, "invalid_api_key", "localhost only")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://localhost", ""])
def test_without_a_key_pages_of_other_origins_are_refused(open_gateway: GatewayProcess, origin: str) -> None:
    """Any page may make a browser post to localhost; it is known by its Origin."""
    headers = {"origin": origin, "content-type": "text/plain", "host": f"localhost:{open_gateway.port}"}
    answer = httpx.post(open_gateway.url + "/admin/tools:batch", headers=headers, content=b"[]", **PLAIN)
    refused(answer, 401, "invalid_api_key", "localhost only")


def test_without_a_key_the_servers_own_pages_are_answered(open_gateway: GatewayProcess) -> None:
    """The documents' own requests, which name this server as their origin, work."""
    host = f"localhost:{open_gateway.port}"
    headers = {"origin": f"http://{host}", "host": host}
    answer = httpx.post(open_gateway.url + "/admin/tools:batch", headers=headers, content=b"[]", **PLAIN)
    assert answer.status_code == 200


def test_without_a_key_a_proxys_clients_are_refused(open_gateway: GatewayProcess) -> None:
    """A request that a proxy on this machine passes on for somebody else is somebody else's."""
    headers = {"x-forwarded-for": "203.0.113.9", "host": "localhost"}
    answer = httpx.get(open_gateway.url + "/admin/stats", headers=headers, **PLAIN)
    refused(answer, 401, "invalid_api_key", "localhost only")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_public_address_without_a_key_is_refused_at_the_start(tmp_path: Path, host: str) -> None:
    """The server does not start, says which key to set, and shows no traceback."""
    done = Place(tmp_path, {"SERVER__HOST": host, "SERVER__PORT": str(free_port())}).run("serve")
    assert done.code == 2
    assert "admin.key must be set (for example TOOLFUNNEL_ADMIN__KEY)" in " ".join(done.err.split())
    assert "Traceback" not in done.err + done.out
