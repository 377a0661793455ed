"""Pages in a browser of this machine: what they can send is refused where nobody is asked for a key."""

from __future__ import annotations

import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Upstream

MANAGED = {"UPSTREAM__CREDENTIALS": "managed", "UPSTREAM__API_KEY": "the-providers-key"}
BODY = tools.encoded(tools.chat("list exams"))


def asked(port: int, path: str, *headers: tuple[str, str]) -> bytes:
    """Send a request as a page can: simple, without asking first."""
    sent = [(name, value) for name, value in headers if name != "host"]
    host = dict(headers).get("host", f"127.0.0.1:{port}")
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: text/plain", f"content-length: {len(BODY)}"]
    head = "\r\n".join([*lines, *[f"{name}: {value}" for name, value in sent], "connection: close", "", ""])
    with RawClient(port) as client:
        client.send(head.encode() + BODY)
        return client.receive_all()


@pytest.fixture(params=[{}, MANAGED], ids=["passthrough", "managed"])
def keyless(request: pytest.FixtureRequest, shared_gateway: StartGateway) -> GatewayProcess:
    """A server on loopback that asks nobody for a key."""
    return shared_gateway(**request.param)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/models"])
def test_h01_a_name_that_was_pointed_here_is_refused(keyless: GatewayProcess, upstream: Upstream, path: str) -> None:
    """DNS rebinding: a 403 in OpenAI's form that names the setting; the provider sees nothing."""
    port = keyless.port
    answer = asked(port, path, ("host", f"evil.example:{port}"), ("origin", f"http://evil.example:{port}"))
    assert answer.startswith(b"HTTP/1.1 403")
    assert b'"code": "host_not_allowed"' in answer
    assert b"server.allowed_hosts" in answer
    assert upstream.requests == []


def test_h01_a_simple_request_of_another_page_is_refused(keyless: GatewayProcess, upstream: Upstream) -> None:
    """Browsers send text of any page to any address without asking."""
    answer = asked(keyless.port, "/v1/chat/completions", ("origin", "http://evil.example"))
    assert answer.startswith(b"HTTP/1.1 403")
    assert b'"code": "origin_not_allowed"' in answer
    assert upstream.requests == []


def test_h01_programs_are_served_as_before(keyless: GatewayProcess, upstream: Upstream) -> None:
    """Without an Origin, by a loopback name, its own page or a container's name for this machine."""
    local = ["localhost", f"127.0.0.1:{keyless.port}", "[::1]:1", "host.docker.internal", "gateways"]
    answers = [asked(keyless.port, "/v1/chat/completions", ("host", host)) for host in local]
    own = ("origin", f"http://127.0.0.1:{keyless.port}")
    answers.append(asked(keyless.port, "/v1/chat/completions", own))
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}
    assert len(upstream.requests) == len(answers)


def test_h01_who_shows_a_key_may_come_by_any_name(shared_gateway: StartGateway, upstream: Upstream) -> None:
    """Callers' keys keep pages out already; and a proxy that keeps the Host of the outside passes a caller's own on."""
    keys = shared_gateway(**MANAGED, CALLERS__KEYS='["of-a-team"]')
    foreign = ("host", "gateway.example"), ("origin", "https://gateway.example")
    assert asked(keys.port, "/v1/models", *foreign, ("authorization", "Bearer of-a-team")).startswith(b"HTTP/1.1 200")
    own = ("host", "gateway.example"), ("authorization", "Bearer sk-own")
    assert asked(shared_gateway().port, "/v1/models", *own).startswith(b"HTTP/1.1 200")
    assert len(upstream.requests) == 2


def test_h01_figures_are_not_shown_to_a_page(keyless: GatewayProcess) -> None:
    """/metrics and /readyz tell of the catalogue; /healthz tells nothing."""
    statuses = []
    for path in ("/metrics", "/readyz", "/healthz"):
        request = f"GET {path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n".encode()
        statuses += sockets.statuses(sockets.exchange(keyless.port, request))
    assert statuses == [403, 403, 200]
