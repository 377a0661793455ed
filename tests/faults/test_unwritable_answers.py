"""Answers of a provider that cannot be passed on as they are: a 502 that says why, and a log that says the same."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import StartGateway
from tests.support.gateway import GatewayProcess
from tests.support.lines import line_of
from tests.support.raw_provider import MINE, PATIENCE_S, Line, RawProvider, answer, says
from tests.support.sockets import RawClient, request

OK = "HTTP/1.1 200 OK\r\n"
# What the provider writes, and what the message must say; '' where it is no HTTP at all.
UNWRITABLE = {
    **{f"status {code}": (answer(b"ok", f"{code} X"), f"status is {code}") for code in (600, 999)},
    "status 099": (answer(b"ok", "099 X"), "status is 99"),
    "status 000": (answer(b"ok", "000 X"), "status is 0"),
    **{f"status {code!r}": (answer(b"ok", f"{code} X"), "") for code in ("99", "1000", "-1", "abc", "2.0", "", "٢٠٠")},
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "HTTP/2.0"),
    "HTTP/0.9": (b"HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\nok", "HTTP/0.9"),
    "control character": (answer(b"ok", head=b"x-a: 1\x012\r\n"), "control character"),
    "delete": (answer(b"ok", head=b"x-a: \x7f\r\n"), "control character"),
    "length of 5,000 digits": (f"{OK}content-length: {'0' * 5000}2\r\n\r\nok".encode(), "content-length"),
    "lengths in a list": (f"{OK}content-length: 2, 2\r\n\r\nok".encode(), ""),
    "length with a sign": (f"{OK}content-length: +2\r\n\r\nok".encode(), ""),
    **{
        f"coding {coding}": (f"{OK}transfer-encoding: {coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode(), "")
        for coding in ("gzip, chunked", "chunked, chunked", "deflate, chunked", "x-gzip", "identity", "gzip")
    },
    "codings on two lines": (
        f"{OK}transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode(),
        "",
    ),
    "chunked in HTTP/1.0": (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ""),
}
# What is odd and can be passed on: status and body.
WRITABLE = {
    "status 599": (answer(b"ok", "599 X"), 599, b"ok"),
    "status 299": (answer(b"ok", "299 X"), 299, b"ok"),
    "no reason": (b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
    "no reason, no space": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
    "reason in Latin-1": (b"HTTP/1.1 200 \xe9t\xe9\r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
    "chunked, in capitals": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        200,
        b"abc",
    ),
    "trailers": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n", 200, b"abc"),
    "304 with a length": (b"HTTP/1.1 304 X\r\ncontent-length: 7\r\n\r\n", 304, b""),
    "204 with a length": (b"HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n", 204, b""),
}


@pytest.fixture(scope="module")
def provider() -> Iterator[RawProvider]:
    """A provider that writes anything."""
    provider = RawProvider()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def gateway(shared_gateway: StartGateway, provider: RawProvider) -> GatewayProcess:
    """A server in front of it."""
    return shared_gateway(UPSTREAM__BASE_URL=provider.base_url, LOG__FORMAT="json")


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(base_url=gateway.base_url, timeout=30.0, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("case", UNWRITABLE)
def test_a25_an_answer_that_cannot_be_written_is_a_502(
    gateway: GatewayProcess, provider: RawProvider, client: httpx.Client, case: str
) -> None:
    """It says why, it is logged as refused, and the next request is served."""
    raw, why = UNWRITABLE[case]
    provider.play("odd", says(raw, ends=True))
    got = client.get("odd")
    assert (got.status_code, got.json()["error"]["code"]) == (502, "upstream_invalid_answer")
    assert why in got.json()["error"]["message"]
    line = line_of(gateway, got.headers["x-request-id"])
    assert (line["status"], line["end"]) == (502, "refused")
    assert client.get("mine").content.startswith(MINE)


@pytest.mark.parametrize("case", WRITABLE)
def test_a25_what_is_only_odd_is_relayed(provider: RawProvider, client: httpx.Client, case: str) -> None:
    """Nothing is refused that this server can write and a client can read."""
    raw, status, body = WRITABLE[case]
    provider.play("odd", says(raw))
    got = client.get("odd")
    assert (got.status_code, got.content) == (status, body)


@pytest.mark.parametrize("framing", [b"", b"connection: close\r\n"])
def test_a25_a_body_that_ends_with_its_connection_is_whole(
    provider: RawProvider, client: httpx.Client, framing: bytes
) -> None:
    """As HTTP/1.0 ends them: relayed with an end of its own."""
    provider.play("odd", says(b"HTTP/1.0 200 OK\r\n" + framing + b"\r\nto the end", ends=True))
    assert client.get("odd").content == b"to the end"


def test_a25_the_log_tells_no_answer_that_was_not_written(gateway: GatewayProcess, provider: RawProvider) -> None:
    """A client that left before its answer is logged as gone, with no byte sent."""

    def play(line: Line) -> bool:
        line.wait_to_go_on()
        return False

    provider.play("held", play)
    with RawClient(gateway.port) as client:
        client.send(request(method="GET", target="/v1/held", headers=[("x-request-id", "left-before-its-answer")]))
        assert provider.asked.wait(PATIENCE_S)
        client.reset()
    line = line_of(gateway, "left-before-its-answer")
    provider.go.set()
    assert (line["status"], line["end"], line["sent_bytes"]) == (499, "client_gone", 0)
