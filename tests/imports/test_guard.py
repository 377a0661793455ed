"""Where a URL of a source may lead: nothing of this network hears of one that may not be asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from app.errors import SourceRefused
from app.imports.fetch import fetch
from app.imports.mcp import client
from app.settings.imports import ImportSettings, SourceKind, SourceSpec
from tests.imports.conftest import LOOPBACK

DOCUMENT = b'{"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "a"}}}}'
FORMS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://user:secret@127.0.0.1:{port}/",
    "http://public.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@public.example/",
]
NEVER = [
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::5efe:10.0.0.1]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://93.184.215.14:22/",
    "http://93.184.215.14:25/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/",
    "ftp://127.0.0.1/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "https://",
    "//127.0.0.1/",
]


@dataclass
class Sink:
    """A port that answers every connection alike and counts them; it keeps what it was asked."""

    port: int
    answer: bytes
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def sink(*headers: str, body: bytes = DOCUMENT, status: str = "200 OK") -> Iterator[Sink]:
    """Answer on a port of this machine."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers])
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
        found = Sink(listening.getsockname()[1], head.encode() + b"\r\n\r\n" + body)
        thread = threading.Thread(target=_answer, args=(listening, found), daemon=True)
        thread.start()
        yield found
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _answer(listening: socket.socket, found: Sink) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                found.asked.append(connection.recv(65_536))
                connection.sendall(found.answer)


def spec(url: str, **more: object) -> SourceSpec:
    """Give a source at a URL."""
    return SourceSpec(name="there", kind="openapi", url=url, **more)


async def refused(url: str, settings: ImportSettings | None = None, **more: object) -> str:
    """Try to fetch a URL; give why it was refused."""
    with pytest.raises((SourceRefused, ValidationError)) as raised:  # the latter where it holds a user name
        await fetch(spec(url, **more), settings or ImportSettings(timeout_s=5))
    return str(raised.value)


@pytest.mark.parametrize("form", FORMS)
async def test_e12_no_form_of_this_machines_address_is_asked(form: str) -> None:
    """However the loopback address is written, nothing connects to it."""
    with sink() as listening:
        await refused(form.format(port=listening.port))
        assert listening.asked == []


@pytest.mark.parametrize("url", NEVER)
async def test_e12_no_address_of_a_network_inside_is_asked(url: str) -> None:
    """Private, link-local and metadata addresses, other ports and other schemes are refused at once."""
    reason = await refused(url)
    assert any(word in reason for word in ("not of the public internet", "not one of the web", "not of the form"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/mcp", "http://[::ffff:127.0.0.1]:{port}/mcp"])
async def test_e12_an_mcp_server_goes_through_the_same_guard(url: str) -> None:
    """The MCP client connects by the same rule."""
    with sink() as listening:
        source = SourceSpec(name="there", kind=SourceKind.MCP, url=url.format(port=listening.port))
        with pytest.raises(SourceRefused, match="not of the public internet"):
            await client.read(source, ImportSettings(timeout_s=5))
        assert listening.asked == []


async def test_e12_a_redirect_leads_nowhere_that_the_url_may_not() -> None:
    """A server that may be asked cannot send the gateway to one that may not."""
    allowed = ImportSettings(allow_networks=("127.0.0.1/32",), timeout_s=5)
    with sink() as inner:
        target = f"location: http://[::1]:{inner.port}/"
        with sink(target, status="302 Found") as outer:
            reason = await refused(f"http://127.0.0.1:{outer.port}/", allowed)
        assert "::1 is not of the public internet" in reason
        assert (len(outer.asked), inner.asked) == (1, [])


async def test_e12_a_name_with_one_private_address_is_not_asked() -> None:
    """All addresses of a name have to be allowed, not one of them."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14", "127.0.0.1"]

    with sink() as listening, pytest.raises(SourceRefused, match=r"127\.0\.0\.1 of 'two\.example'"):
        await fetch(spec(f"http://two.example:{listening.port}/"), ImportSettings(timeout_s=5), resolve)
    assert listening.asked == []


async def test_e12_a_name_is_resolved_once_a_connection() -> None:
    """What was checked is what is connected to: a second answer of the name server is never asked for."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    with sink() as listening:
        settings = ImportSettings(allow_networks=LOOPBACK, timeout_s=5)
        url = f"http://rebinding.example:{listening.port}/"
        assert await fetch(spec(url), settings, resolve) == DOCUMENT
        with pytest.raises(SourceRefused, match=r"10\.0\.0\.1 of 'rebinding\.example'"):
            await fetch(spec(url), settings, resolve)
    assert len(listening.asked) == 1
    assert b"host: rebinding.example" in listening.asked[0].lower()


async def test_e12_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY has no say: what a proxy connects to, nobody looks at."""
    with sink() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await refused("http://10.0.0.1/")
        assert proxy.asked == []


async def test_e13_a_credential_is_not_sent_to_another_host() -> None:
    """A redirect to another host or port is followed without the token and the headers of the source."""
    allowed = ImportSettings(allow_networks=LOOPBACK, timeout_s=5)
    with sink() as inner, sink(f"location: http://127.0.0.1:{inner.port}/", status="307 Moved") as outer:
        source = spec(f"http://127.0.0.1:{outer.port}/", token="mine", headers={"x-key": "mine-too"})
        assert await fetch(source, allowed) == DOCUMENT
    assert b"mine" in outer.asked[0]
    assert b"mine-too" in outer.asked[0]
    assert b"mine" not in inner.asked[0]


async def test_redirects_come_to_an_end() -> None:
    """A redirect to itself is given up."""
    with sink("location: /", status="302 Found") as round_and_round:
        settings = ImportSettings(allow_networks=LOOPBACK, timeout_s=5)
        assert "more than 5 times" in await refused(f"http://127.0.0.1:{round_and_round.port}/", settings)
    assert len(round_and_round.asked) == 6


async def test_a_credential_that_is_wanted_is_told() -> None:
    """A 401 says what the server asks for."""
    with sink('www-authenticate: Bearer realm="shop"', status="401 Unauthorized") as closed:
        settings = ImportSettings(allow_networks=LOOPBACK, timeout_s=5)
        reason = await refused(f"http://127.0.0.1:{closed.port}/", settings)
    assert (
        'it wants a credential; imports.sources has token and headers for that. It says: Bearer realm="shop"' in reason
    )
