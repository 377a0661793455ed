"""A connection to the provider on which anything unasked came is never used again, by nobody."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import httpx
import pytest
import trustme

from tests.conftest import StartGateway
from tests.support.raw_provider import MINE, PATIENCE_S, Line, RawProvider, answer, says

FIRST = answer(b"first")
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"
POISON = answer(b"POISON", head=b"x-poison: 1\r\n")
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
UPLOAD = b"x" * 2**24

# What comes with the first answer, in one write, and what comes when that was read and the connection is idle.
STRAY = {
    "an answer, later": (FIRST, POISON),
    "an answer at once": (FIRST + POISON, b""),
    "an answer behind chunks": (CHUNKED + POISON, b""),
    "an answer behind chunks, later": (CHUNKED, POISON),
    "half a head at once": (FIRST + POISON[:30], b""),
    "half a head at once, the rest later": (FIRST + POISON[:30], POISON[30:]),
    "all but the last byte at once": (FIRST + POISON[:-1], POISON[-1:]),
    "two answers at once": (FIRST + POISON + POISON, b""),
    "no HTTP, later": (FIRST, b"\r\n\r\nGARBAGE"),
    "one byte, later": (FIRST, b"H"),
    "a line end, later": (FIRST, b"\r\n"),
    "an interim answer at once": (FIRST + HINTS, b""),
    "an interim answer, later": (FIRST, HINTS),
    "an interim answer and another, later": (FIRST, HINTS + POISON),
    "behind an answer without a body": (b"HTTP/1.1 204 No Content\r\n\r\n" + POISON, b""),
    "behind an empty body": (answer(b"") + POISON, b""),
}


@dataclass
class Pair:
    """A client of a gateway, and its provider."""

    client: httpx.Client
    provider: RawProvider

    def ask(self, name: str, key: str = "sk-another-caller", content: bytes = b"") -> httpx.Response:
        """Send a request that is passed through."""
        headers = {"authorization": f"Bearer {key}"}
        return self.client.request("POST" if content else "GET", name, headers=headers, content=content)

    def wait_until_done(self) -> None:
        """Let the provider go on, and wait until what it sends is here."""
        self.provider.go.set()
        assert self.provider.done.wait(PATIENCE_S)


@pytest.fixture(scope="module", params=["plain", "TLS"])
def pair(
    request: pytest.FixtureRequest, shared_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """A gateway whose provider writes anything, over TCP and over TLS."""
    context, authority = None, trustme.CA()
    trusted = tmp_path_factory.mktemp("authority") / "authorities.pem"
    authority.cert_pem.write_to_path(str(trusted))
    if request.param == "TLS":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
    provider = RawProvider(context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(trusted))
        gateway = shared_gateway(UPSTREAM__BASE_URL=provider.base_url)
    with httpx.Client(base_url=gateway.base_url, timeout=30.0, trust_env=False) as client:
        yield Pair(client, provider)
    provider.close()


def test_a24_a_connection_without_stray_bytes_is_used_again(pair: Pair) -> None:
    """Two requests go over one connection: what is closed below is not closed for nothing."""
    assert pair.ask("mine").content == pair.ask("mine").content


@pytest.mark.parametrize("case", STRAY)
def test_a24_what_comes_unasked_reaches_nobody(pair: Pair, case: str) -> None:
    """The first caller has its answer, the second one its own, over another connection."""
    at_once, later = STRAY[case]

    def play(line: Line) -> bool:
        line.send(at_once)
        line.wait_to_go_on()
        with suppress(OSError):  # it is closed already
            line.send(later)
        line.done.set()
        return True

    before = pair.ask("mine").content
    pair.provider.play("first", play)
    first = pair.ask("first", "sk-one-caller")
    pair.wait_until_done()
    assert first.content in (b"first", b"")
    second = pair.ask("mine")
    assert (second.status_code, second.content[: len(MINE)]) == (200, MINE)
    assert second.content != before


@pytest.mark.parametrize("garbage", [b"GARBAGE", b"\x00", b"first"])
def test_a24_bytes_beyond_a_length_are_never_an_answer(pair: Pair, garbage: bytes) -> None:
    """What belongs to no message costs the answer it comes with at most, and nobody else's."""
    pair.provider.play("first", says(FIRST + garbage))
    assert b"GARBAGE" not in pair.ask("first").content
    assert pair.ask("mine").content.startswith(MINE)


def test_a24_a_connection_that_was_closed_meanwhile_is_not_used(pair: Pair) -> None:
    """The provider's end of it was there to be read."""

    def play(line: Line) -> bool:
        line.send(FIRST)
        line.wait_to_go_on()
        line.socket.close()
        line.done.set()
        return False

    pair.provider.play("first", play)
    assert pair.ask("first").content == b"first"
    pair.wait_until_done()
    assert pair.ask("mine").status_code == 200


@pytest.mark.parametrize("later", [b"", POISON])
def test_a24_an_answer_before_the_bodys_end_ends_the_connection(pair: Pair, later: bytes) -> None:
    """413 in the midst of an upload is relayed; the rest of the body goes nowhere, and no other request after it."""

    def play(line: Line) -> bool:
        line.send(answer(b"big", "413 Content Too Large"))
        line.wait_to_go_on()
        with suppress(OSError):
            line.send(later)
        line.done.set()
        line.head()
        return False

    pair.provider.play("early", play, early=True)
    first = pair.ask("early", content=UPLOAD)
    assert (first.status_code, first.content) == (413, b"big")
    pair.wait_until_done()
    assert pair.ask("mine").content.startswith(MINE)
    assert [head.split()[1] for head in pair.provider.heads] == [b"/v1/early", b"/v1/mine"]
