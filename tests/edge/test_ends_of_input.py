"""Clients of HTTP/1.0, and clients that close their sending side when they have asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import COMPLETION, STREAM, Answer, Ending, Framing, Upstream, event, sse

QUESTION = tools.encoded(tools.chat("list exams"))
CHAT = sockets.request(QUESTION)
OLD = b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\n%b\r\n%b"
ANSWERS = {
    "with a length": COMPLETION,
    "in chunks": STREAM,
    "to the end": Answer(pieces=[b"abc"], framing=Framing.CLOSE),
}


def old_request(extra: bytes = b"") -> bytes:
    """Write a chat request in HTTP/1.0."""
    return OLD % (len(QUESTION), extra, QUESTION)


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """What the provider waits for before its answer begins."""
    event = threading.Event()
    yield event
    event.set()


def holding(held: threading.Event, body: bytes = b"{}") -> Answer:
    """Answer, head and all, when the test says so."""
    return Answer(None, pieces=[held, b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)])


@pytest.mark.parametrize("extra", [b"", b"connection: keep-alive\r\n", b"expect: 100-continue\r\n"])
@pytest.mark.parametrize("form", ANSWERS)
def test_b24_an_old_client_is_answered_without_chunks(
    bare_gateway: GatewayProcess, upstream: Upstream, form: str, extra: bytes
) -> None:
    """RFC 9112, 6.1: the body is as it is, and ends with its length or the connection."""
    upstream.respond_with(ANSWERS[form])
    head, _, body = sockets.exchange(bare_gateway.port, old_request(extra)).partition(b"\r\n\r\n")
    status, headers = sockets.parsed(head)
    assert (status, headers["connection"], body) == (200, "close", ANSWERS[form].body)
    assert "transfer-encoding" not in headers


def test_b24_a_broken_answer_to_an_old_client_ends_with_a_reset(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Where the connection's end is the body's, only a reset says that it is not whole."""
    upstream.respond_with(sse(event({"content": "a"}), ending=Ending.RESET))
    with socket.create_connection(("127.0.0.1", bare_gateway.port)) as client:
        client.sendall(old_request())
        with pytest.raises(ConnectionResetError):
            b"".join(iter(lambda: client.recv(65_536), b""))


@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/embeddings"])
def test_b25_a_client_that_has_finished_sending_is_answered(
    bare_gateway: GatewayProcess, upstream: Upstream, held: threading.Event, target: str
) -> None:
    """Its side is closed with its request; what it hears before its answer is an interim one."""
    upstream.respond_with(holding(held))
    with RawClient(bare_gateway.port) as client:
        client.send_last(sockets.request(QUESTION, target=target))
        client.receive_until(b"HTTP/1.1 100 Continue\r\n\r\n")
        held.set()
        interim, head, body = client.receive_all().split(b"\r\n\r\n")
    assert sockets.statuses(interim + head) == [100, 200]
    assert (sockets.parsed(head)[1]["connection"], body) == ("close", b"{}")


def test_b25_all_that_was_asked_before_the_end_is_answered(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Requests one behind the other, and then the end."""
    with RawClient(bare_gateway.port) as client:
        client.send_last(CHAT * 3)
        received = client.receive_all()
    assert [status for status in sockets.statuses(received) if status != 100] == [200, 200, 200]
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset])
def test_b25_one_that_finished_and_then_leaves_ends_the_call(
    bare_gateway: GatewayProcess, upstream: Upstream, held: threading.Event, leave: object
) -> None:
    """That it has left shows with the next byte to it."""
    upstream.respond_with(holding(held))
    with RawClient(bare_gateway.port) as client:
        client.send_last(CHAT)
        client.receive_until(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = upstream.wait_for(1)[0]
        leave(client)  # type: ignore[operator]
        request.wait_closed()


@pytest.mark.parametrize("zeros", [18, 5000])
@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/embeddings", "/admin/tools:batch", "/nowhere"])
def test_b26_a_length_of_many_digits_is_no_fault_of_ours(
    bare_gateway: GatewayProcess, upstream: Upstream, target: str, zeros: int
) -> None:
    """19 digits are read, zeros and all; more are refused before anybody reads them as a number."""
    length = [("content-length", "0" * zeros + "2"), ("connection", "close")]
    head = sockets.request(target=target, headers=length).replace(b"content-length: 0\r\n", b"")
    (status,) = sockets.statuses(sockets.exchange(bare_gateway.port, head + b"[]"))
    assert status == 400 if zeros == 5000 else status < 500
    assert len(upstream.requests) == (zeros == 18 and target.startswith("/v1/"))
