"""Heads that two servers could read differently, and heads that are too large: refused, and the connection closed."""

from __future__ import annotations

import pytest

from tests.support import sockets
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

POST = b"POST /v1/responses HTTP/1.1\r\nhost: gateway\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
SMUGGLED = b"0\r\n\r\nGET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"

AMBIGUOUS = {
    "length and chunks": POST + b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n" + SMUGGLED,
    "chunks and length": POST + b"transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"content-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
    "one length twice": POST + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"content-length: 3, 3\r\n\r\nabc",
    "length with a sign": POST + b"content-length: +5\r\n\r\nabcde",
    "negative length": POST + b"content-length: -5\r\n\r\nabcde",
    "hexadecimal length": POST + b"content-length: 0x5\r\n\r\nabcde",
    "endless length": POST + b"content-length: " + b"9" * 30 + b"\r\n\r\nabcde",
    "empty length": POST + b"content-length: \r\n\r\nabcde",
    "unknown coding": POST + b"transfer-encoding: xchunked\r\n\r\n" + SMUGGLED,
    "chunked, then another": POST + b"transfer-encoding: chunked, identity\r\n\r\n" + SMUGGLED,
    "another, then chunked": POST + b"transfer-encoding: gzip, chunked\r\n\r\n" + SMUGGLED,
    "chunked twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + SMUGGLED,
    "chunked in quotes": POST + b'transfer-encoding: "chunked"\r\n\r\n' + SMUGGLED,
    "chunked with a tab": POST + b"transfer-encoding:\x0bchunked\r\n\r\n" + SMUGGLED,
    "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n" + SMUGGLED,
    "space before the colon": POST + b"content-length : 3\r\n\r\nabc",
    "folded line": GET + b"x-a: b\r\n c\r\n\r\n",
    "folded coding": POST + b"transfer-encoding:\r\n chunked\r\n\r\n" + SMUGGLED,
    "line feeds alone": b"GET /v1/models HTTP/1.1\nhost: gateway\n\n",
    "one line feed alone": GET + b"x-a: b\nx-b: c\r\n\r\n",
    "carriage return alone": GET + b"x-a: b\rx-b: c\r\n\r\n",
    "NUL": GET + b"x-a: a\x00b\r\n\r\n",
    "no name": GET + b": b\r\n\r\n",
    "no colon": GET + b"x-a\r\n\r\n",
    "letters outside ASCII in a name": GET + b"x-\xc3\xa9: b\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "endless chunk size": CHUNKED + b"f" * 17 + b"\r\na\r\n0\r\n\r\n",
    "signed chunk size": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "wrong end of a chunk": CHUNKED + b"3\r\nabcXX0\r\n\r\n",
    "chunk that is longer": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "line feed after a chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "long chunk extension": CHUNKED + b"3;" + b"a" * 100_000 + b"\r\nabc\r\n0\r\n\r\n",
    "long trailer": CHUNKED + b"3\r\nabc\r\n0\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    "no Host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "empty Host": b"GET /v1/models HTTP/1.1\r\nhost:\r\n\r\n",
    "two Hosts": GET + b"host: other\r\n\r\n",
    "Host with a path": b"GET /v1/models HTTP/1.1\r\nhost: evil/healthz?\r\n\r\n",
    "Host with a fragment": b"GET /v1/models HTTP/1.1\r\nhost: x#\r\n\r\n",
    "Host with a user": b"GET /v1/models HTTP/1.1\r\nhost: x@y\r\n\r\n",
    "Host with a space": b"GET /v1/models HTTP/1.1\r\nhost: x y\r\n\r\n",
    "absolute form": b"GET http://evil/v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n",
    "authority form": b"CONNECT evil:443 HTTP/1.1\r\nhost: gateway\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nhost: gateway\r\n\r\n",
    "fragment": b"GET /v1/models#x HTTP/1.1\r\nhost: gateway\r\n\r\n",
    "path outside ASCII": b"GET /v1/\xc3\xa9 HTTP/1.1\r\nhost: gateway\r\n\r\n",
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "HTTP/2.0": GET.replace(b"1.1", b"2.0") + b"\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
TOO_LARGE = {
    "one header of 300 KB": GET + b"x-a: " + b"a" * 300_000 + b"\r\n\r\n",
    "one header of 20 MB": GET + b"x-a: " + b"a" * 20_000_000 + b"\r\n\r\n",
    "a header without an end": GET + b"x-a: " + b"a" * 300_000,
    "101 headers": GET + b"x-a: b\r\n" * 100 + b"\r\n",
    "ten thousand headers": GET + b"x-a: b\r\n" * 10_000 + b"\r\n",
    "a path of 200 KB": b"GET /v1/" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: gateway\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_b17_what_can_be_read_in_two_ways_is_refused(
    bare_gateway: GatewayProcess, upstream: Upstream, case: str
) -> None:
    """One 400, and the connection is closed: nothing that follows is taken for a request."""
    assert sockets.statuses(sockets.exchange(bare_gateway.port, AMBIGUOUS[case])) == [400]
    assert [request.target for request in upstream.requests if "smuggled" in request.target] == []


@pytest.mark.parametrize("case", TOO_LARGE)
def test_b15_a_head_that_is_too_large_is_a_431(bare_gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """Neither the size nor the number of headers can grow without end."""
    assert sockets.statuses(sockets.exchange(bare_gateway.port, TOO_LARGE[case])) == [431]
    assert upstream.requests == []


def test_b15_large_headers_within_the_limits_are_relayed(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """128 KB in one header, and 90 headers, reach the provider; bytes above ASCII are headers, too."""
    extra = [("x-long", "a" * 131_072), ("x-latin", "caf\xe9"), *((f"x-{n}", "v") for n in range(85))]
    received = sockets.exchange(bare_gateway.port, sockets.request(b"{}", headers=[*extra, ("connection", "close")]))
    assert sockets.statuses(received) == [200]
    assert upstream.last.values("x-long") == ["a" * 131_072]
    assert upstream.last.values("x-84") == ["v"]


def test_b15_a_trailer_never_becomes_a_header(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What stands behind a chunked body comes after every check, so it is dropped."""
    trailer = b"2\r\n{}\r\n0\r\nauthorization: Bearer other\r\nx-a: b\r\n\r\n"
    headers = [("transfer-encoding", "chunked"), ("connection", "close")]
    received = sockets.exchange(bare_gateway.port, sockets.request(trailer, headers=headers))
    assert sockets.statuses(received) == [200]
    assert (upstream.last.values("authorization"), upstream.last.values("x-a")) == ([], [])


def test_b15_a_health_check_of_http_1_0_needs_no_host(bare_gateway: GatewayProcess) -> None:
    """Load balancers ask so."""
    assert sockets.statuses(sockets.exchange(bare_gateway.port, b"GET /healthz HTTP/1.0\r\n\r\n")) == [200]


@pytest.mark.parametrize("body", [b"", b'{"model":"m"}'])
def test_b17_an_upgrade_is_not_taken_up_and_hides_nothing(
    bare_gateway: GatewayProcess, upstream: Upstream, body: bytes
) -> None:
    """A request that offers HTTP/2, as Java's client does, is served with its body, and so is the one behind it."""
    offer = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")]
    first = sockets.request(body, target="/v1/responses", headers=offer)
    last = sockets.request(b"{}", target="/v1/embeddings", headers=[("connection", "close")])
    assert sockets.statuses(sockets.exchange(bare_gateway.port, first + last)) == [200, 200]
    assert [request.body for request in upstream.requests] == [body, b"{}"]


def test_b17_a_body_after_an_offered_upgrade_may_come_late(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The body of such a request is never taken for the next request, in however many pieces it comes."""
    headers = [("connection", "Upgrade, close"), ("upgrade", "h2c"), ("transfer-encoding", "chunked")]
    with sockets.RawClient(bare_gateway.port) as client:
        for piece in (sockets.request(headers=headers), b"5\r\n", b"GET /\r\n3\r", b"\nabc\r\n0\r\n\r\n"):
            client.send(piece)
        assert sockets.statuses(client.receive_all()) == [200]
    assert upstream.last.body == b"GET /abc"
