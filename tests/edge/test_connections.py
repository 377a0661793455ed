"""Many requests on one connection, clients that leave, and clients that read slowly."""

from __future__ import annotations

import time
from contextlib import ExitStack

import psutil
import pytest

from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Answer, Ending, Framing, Request, Upstream, event, json_answer, never, sse

MIB = 2**20
READERS = 40
WARM = 20 * MIB  # what the first streams of a process take once
STREAM = Answer(headers=[("content-type", "text/event-stream")], pieces=[b"x" * MIB] * 64, framing=Framing.CHUNKED)


def echo(request: Request) -> Answer:
    """Answer with the request's own target and body."""
    return json_answer({"target": request.target, "body": request.body.decode()})


def test_b21_pipelined_requests_are_answered_in_their_order(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A thousand tagged requests sent at once have their own answers, in order."""
    upstream.respond_by(echo)
    with RawClient(bare_gateway.port) as client:
        client.send(b"".join(sockets.request(b"b%d" % n, target=f"/v1/echo/{n}") for n in range(1000)))
        answers = [client.answer()[2] for _ in range(1000)]
    assert answers == [json_answer({"target": f"/v1/echo/{n}", "body": f"b{n}"}).body for n in range(1000)]


CHUNKED = [("transfer-encoding", "chunked")]
REFUSED = {
    "no such path": (sockets.request(b"x" * 100_000, target="/nowhere"), 404),
    "climbing path": (sockets.request(b"x" * 100_000, target="/v1/../x"), 400),
    "duplicate keys": (sockets.request(b'{"tools":[],"tools":[]}'), 400),
    "odd option": (sockets.request(b"x" * 100_000, headers=[("x-toolfunnel-k", "many")]), 400),
    "chunks": (
        sockets.request(b"3\r\nabc\r\n0\r\n\r\n", target="/no", headers=[("transfer-encoding", "chunked")]),
        404,
    ),
    "announced too large, and sent": (sockets.request(b"x" * (64 * MIB + 1)), 413),
}


@pytest.mark.parametrize("case", REFUSED)
def test_b21_a_connection_is_used_again_after_a_refusal(
    bare_gateway: GatewayProcess, upstream: Upstream, case: str
) -> None:
    """The body of a refused request is never taken for the next one."""
    refused, status = REFUSED[case]
    upstream.respond_by(echo)
    with RawClient(bare_gateway.port) as client:
        client.send(refused)
        assert client.answer()[0] == status
        client.send(sockets.request(b"mine", target="/v1/echo"))
        assert client.answer()[2] == json_answer({"target": "/v1/echo", "body": "mine"}).body
    assert [request.target for request in upstream.requests] == ["/v1/echo"]


def test_b21_a_refusal_comes_after_the_answers_before_it(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What is no HTTP behind a request does not disturb its answer, and is refused in its turn."""
    upstream.respond_with(Answer(pieces=[b"{", 0.3, b"}"], length=2))
    first = sockets.request(b"{}", target="/v1/slow")
    received = sockets.exchange(bare_gateway.port, first + b"this is no request\r\n\r\n")
    assert sockets.statuses(received) == [200, 400]
    assert b"\r\n\r\n{}HTTP/1.1 400" in received


def test_b21_a_body_that_was_not_waited_for_ends_the_connection(
    hasty_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Whether a body follows a refused `expect: 100-continue` is open, so what follows is read by nobody."""
    expecting = sockets.request(length=100, target="/nowhere", headers=[("expect", "100-continue")])
    smuggled = sockets.request(target="/v1/smuggled")
    assert sockets.statuses(sockets.exchange(hasty_gateway.port, expecting + smuggled)) == [404]
    assert upstream.requests == []


MOMENTS = {
    "plain, before the headers": (False, never()),
    "plain, in mid-body": (False, Answer(pieces=[b"{"], ending=Ending.HANG, length=100)),
    "stream, before the headers": (True, never()),
    "stream, in mid-stream": (True, sse(event({"content": "a"}), ending=Ending.HANG)),
}


@pytest.mark.parametrize(
    ("moment", "way"),
    # Who only finishes sending before its answer waits for it: B25.
    [
        (moment, way)
        for moment in MOMENTS
        for way in ("close", "reset", "shutdown")
        if "in mid" in moment or way != "shutdown"
    ],
)
def test_b01_b02_whoever_leaves_ends_the_call(
    bare_gateway: GatewayProcess, upstream: Upstream, moment: str, way: str
) -> None:
    """Twenty clients that leave, one way or another, streaming or not: twenty connections to the provider closed."""
    stream, answer = MOMENTS[moment]
    upstream.respond_by(lambda _: answer)
    request = sockets.request(tools.encoded(tools.chat("hello", stream=stream)))
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(bare_gateway.port)) for _ in range(20)]
        for client in clients:
            client.send(request)
        upstream.wait_for(20)
        for client in clients:
            if "in mid" in moment:
                client.receive_until(b"\r\n\r\n")
            getattr(client, way)()
        for seen in upstream.requests:
            seen.wait_closed(10.0)


def test_b02_a_client_that_leaves_in_its_upload_ends_the_call(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """An upload that is passed on as it comes ends at the provider when its client leaves."""
    with RawClient(bare_gateway.port) as client:
        client.send(sockets.request(b"x" * 100_000, length=200_000, target="/v1/files"))
        deadline = time.monotonic() + 10
        while not upstream._open and time.monotonic() < deadline:
            time.sleep(0.01)
    connections = [p for p in psutil.Process(bare_gateway.pid).net_connections() if p.raddr]
    while any(c.raddr.port == upstream.port and c.status == "ESTABLISHED" for c in connections):
        assert time.monotonic() < deadline, "the connection to the provider is still in use"
        time.sleep(0.05)
        connections = [p for p in psutil.Process(bare_gateway.pid).net_connections() if p.raddr]
    assert [request.target for request in upstream.requests] == []


def test_b04_slow_readers_cost_a_megabyte_each_and_it_comes_back(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Forty clients that read nothing of 64 MB each: memory stays bounded, others are served, all of it comes back."""
    server = psutil.Process(bare_gateway.pid)
    upstream.respond_by(lambda request: STREAM if b"stream" in request.body else json_answer({}))
    bare_gateway.post(tools.chat("hello"))
    before, files = server.memory_info().rss, server.num_fds()
    with ExitStack() as stack:
        for _ in range(READERS):
            reader = stack.enter_context(RawClient(bare_gateway.port))
            reader.send(sockets.request(tools.encoded(tools.chat("hello", stream=True))))
        upstream.wait_for(READERS)
        time.sleep(2)  # time to fill what can be filled
        assert server.memory_info().rss - before < READERS * MIB + WARM
        assert bare_gateway.post(tools.chat("hello")).status_code == 200
    deadline = time.monotonic() + 20
    while server.num_fds() > files + 2 or server.memory_info().rss > 1.1 * before:
        assert time.monotonic() < deadline, f"{server.num_fds()} of {files} files, {server.memory_info()}, {before}"
        time.sleep(0.1)
