"""Clients that are slow on purpose: heads, bodies, and answers that nobody takes."""

from __future__ import annotations

import json
import time

import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Answer, Ending, Framing, Upstream

HALVES = {
    "nothing": b"",
    "empty lines": b"\r\n\r\n",
    "half a request line": b"POST /v1/ch",
    "half a head": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a: ",
}
BODIES = {
    "half a body": sockets.request(b"{", length=10),
    "half a chunk": sockets.request(b"5\r\nab", headers=[("transfer-encoding", "chunked")]),
    "no last chunk": sockets.request(b"2\r\nab\r\n", headers=[("transfer-encoding", "chunked")]),
    "half an upload": sockets.request(b"{", length=10, target="/v1/files"),
}


@pytest.mark.parametrize("half", HALVES)
def test_b05_a_head_that_does_not_come_is_a_408(hasty_gateway: GatewayProcess, half: str) -> None:
    """Who opens a connection and does not finish a head is told so in OpenAI's form, and the connection is closed."""
    received = sockets.exchange(hasty_gateway.port, HALVES[half])
    assert sockets.statuses(received) == [408]
    assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_b05_byte_by_byte_is_no_way_around_it(hasty_gateway: GatewayProcess) -> None:
    """A head that grows all the time has no more time than another."""
    with RawClient(hasty_gateway.port) as client:
        client.send(b"GET /")
        for _ in range(15):
            client.send(b"a")
            time.sleep(0.1)
        assert sockets.statuses(client.receive_all()) == [408]


def test_b05_the_second_request_of_a_connection_has_the_same_deadline(hasty_gateway: GatewayProcess) -> None:
    """The answer to the first request arrives; half a second one is cut."""
    head = sockets.request(method="GET", target="/healthz")
    assert sockets.statuses(sockets.exchange(hasty_gateway.port, head + head[:20])) == [200, 408]


def test_b05_an_idle_connection_is_closed_without_a_word(hasty_gateway: GatewayProcess) -> None:
    """A connection that is kept for a next request ends after `server.keep_alive_s`."""
    received = sockets.exchange(hasty_gateway.port, sockets.request(method="GET", target="/healthz"))
    assert sockets.statuses(received) == [200]


@pytest.mark.parametrize("body", BODIES)
def test_b06_a_body_that_stops_is_a_408(hasty_gateway: GatewayProcess, upstream: Upstream, body: str) -> None:
    """Whoever begins a body and stops is told so; a chat request reaches no provider."""
    assert sockets.statuses(sockets.exchange(hasty_gateway.port, BODIES[body])) == [408]
    assert [request.target for request in upstream.requests if "chat" in request.target] == []


def test_b06_a_body_that_drips_is_a_408(hasty_gateway: GatewayProcess) -> None:
    """A byte now and then does not keep a connection."""
    with RawClient(hasty_gateway.port) as client:
        client.send(sockets.request(b"{", length=1000))
        for _ in range(15):
            client.send(b" ")
            time.sleep(0.1)
        assert sockets.statuses(client.receive_all()) == [408]


def test_b06_a_slow_body_that_is_fast_enough_arrives(hasty_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A body that takes longer than the idle deadline, at more than the least rate, is served."""
    body = tools.encoded(tools.chat("x" * 6000))
    with RawClient(hasty_gateway.port) as client:
        client.send(sockets.request(b"", length=len(body)))
        for start in range(0, len(body), 500):
            client.send(body[start : start + 500])
            time.sleep(0.1)
        assert client.answer()[0] == 200
    assert upstream.last.body == body


def test_b06_deadlines_do_not_count_while_the_provider_thinks(
    hasty_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """A client that waits for a slow answer, with every deadline past, gets it."""
    upstream.respond_with(Answer(pieces=[b"{", 2.0, b"}"], length=2))
    assert hasty_gateway.post(tools.chat("hello")).content == b"{}"


def test_b06_a_client_that_takes_nothing_is_left(hasty_gateway: GatewayProcess, upstream: Upstream) -> None:
    """An endless answer that nobody reads ends: the provider's connection is given back."""
    upstream.respond_with(Answer(pieces=[b"x" * 2**20] * 64, framing=Framing.CHUNKED, ending=Ending.HANG))
    with RawClient(hasty_gateway.port) as client:
        client.send(sockets.request(tools.encoded(tools.chat("hello"))))
        upstream.wait_for(1)[0].wait_closed(10.0)


def test_b06_a_rest_that_nobody_takes_is_dropped(hasty_gateway: GatewayProcess, upstream: Upstream) -> None:
    """An answer that is complete but not taken does not hold its connection for ever."""
    upstream.respond_with(Answer(pieces=[b"x" * 2**22]))
    with RawClient(hasty_gateway.port) as client:
        client.send(sockets.request(tools.encoded(tools.chat("hello"))))
        upstream.wait_for(1)
        time.sleep(3)
        assert len(client.receive_all()) < 2**22


def test_b05_too_many_connections_are_a_503(start_gateway: StartGateway) -> None:
    """Beyond `server.max_connections` a client is told to come back; those within are served on."""
    gateway = start_gateway(SERVER__MAX_CONNECTIONS="8")
    request = sockets.request(method="GET", target="/healthz")
    within = [RawClient(gateway.port) for _ in range(8)]
    for client in within:
        client.send(request)
        assert client.answer()[0] == 200
    received = sockets.exchange(gateway.port, request)
    assert sockets.statuses(received) == [503]
    assert b"retry-after: 1\r\n" in received
    for client in within:
        client.send(request)
        assert client.answer()[0] == 200
        client.close()
    gateway.wait_ready(5.0)


def test_b05_refusals_are_counted(hasty_gateway: GatewayProcess) -> None:
    """The figures tell how many clients were cut."""
    sockets.exchange(hasty_gateway.port, b"GET")
    assert 'toolfunnel_failures_total{code="request_timeout"}' in hasty_gateway.admin("GET", "/metrics").text


def test_b06_the_provider_does_not_wait_for_a_client_that_is_cut(
    hasty_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """An upload that stops ends at the provider, too."""
    before = upstream.connections
    sockets.exchange(hasty_gateway.port, BODIES["half an upload"])
    assert hasty_gateway.post(tools.chat("hello")).status_code == 200
    assert upstream.connections > before
    assert [request.target for request in upstream.requests] == ["/v1/chat/completions"]
