"""Which Host and Origin a request may have where nobody is asked for a key."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import ForeignHost, ForeignOrigin
from app.hosts import check_caller, check_probe
from app.settings import Settings

Sections = dict[str, Any]

LOOPBACK: Sections = {"server": {"host": "127.0.0.1"}}
MANAGED: Sections = {"upstream": {"credentials": "managed", "base_url": "http://model/v1", "api_key": "provider"}}
OPEN: Sections = {"server": {"host": "0.0.0.0"}, "admin": {"key": "k"}}
LISTED: Sections = {"server": {"allowed_hosts": ["a.example"]}}
LISTED_OPEN: Sections = {"server": {"host": "0.0.0.0", "allowed_hosts": ["a.example"]}, "admin": {"key": "k"}}
EXTENSION: Sections = MANAGED | {"server": {"allowed_hosts": ["abcdefghijklmnop"]}}
KEYS: Sections = MANAGED | {"callers": {"keys": ["a"]}}
KEY = ("authorization", "Bearer sk-own")
EVIL, EVIL_PAGE = ("host", "evil.example:8000"), ("origin", "http://evil.example:8000")
HOME = ("host", "localhost:8000")

PASSES: dict[str, tuple[Sections, list[tuple[str, str]]]] = {
    "a program": (LOOPBACK, [HOME]),
    "the address it listens on": ({"server": {"host": "127.0.0.5"}}, [("host", "127.0.0.5:8000")]),
    "an IPv6 address": (MANAGED, [("host", "[::1]:8000")]),
    "HTTP/1.0": (MANAGED, []),
    "its own page": (MANAGED, [HOME, ("origin", "http://localhost:8000")]),
    "a page of another server of this machine": (MANAGED, [HOME, ("origin", "http://localhost:3000")]),
    "a container of this machine": (MANAGED, [("host", "host.docker.internal:8000")]),
    "a proxy's name for it": (MANAGED, [("host", "gateways")]),
    "a listed name": (MANAGED | LISTED, [("host", "A.example:443")]),
    "a page of a listed name": (MANAGED | LISTED, [HOME, ("origin", "https://a.example")]),
    "a listed extension of a browser": (EXTENSION, [HOME, ("origin", "chrome-extension://abcdefghijklmnop")]),
    "a proxy with a key of the caller's": (LOOPBACK, [("host", "gateway.example"), KEY]),
    "a page with a key of its own": (LOOPBACK, [HOME, ("origin", "https://chat.example"), KEY]),
    "callers' keys": (KEYS, [EVIL, EVIL_PAGE]),
    "a name of a service": (OPEN, [("host", "toolfunnel.ai.svc.cluster.local:8000")]),
    "a page, on the network": (OPEN, [EVIL, ("origin", "https://chat.example")]),
}
REFUSED: dict[str, tuple[Sections, list[tuple[str, str]], type[Exception]]] = {
    "a name pointed here": (LOOPBACK, [EVIL, EVIL_PAGE], ForeignHost),
    "the same without Origin": (LOOPBACK, [EVIL], ForeignHost),
    "the same with a made-up key": (LOOPBACK, [EVIL, EVIL_PAGE, KEY], ForeignHost),
    "a made-up key where the gateway has its own": (MANAGED, [EVIL, KEY], ForeignHost),
    "a simple request": (LOOPBACK, [HOME, EVIL_PAGE], ForeignOrigin),
    "a simple request where the gateway has its own key": (MANAGED, [HOME, EVIL_PAGE, KEY], ForeignOrigin),
    "a page of no origin": (MANAGED, [HOME, ("origin", "null")], ForeignOrigin),
    "an origin that begins alike": (MANAGED, [HOME, ("origin", "http://localhost.evil.example")], ForeignOrigin),
    "a file of this machine": (MANAGED, [HOME, ("origin", "file://localhost")], ForeignOrigin),
    "an extension that is not listed": (
        EXTENSION,
        [HOME, ("origin", "chrome-extension://ponmlkjihgfedcba")],
        ForeignOrigin,
    ),
    "another address": (MANAGED, [("host", "192.168.1.5:8000")], ForeignHost),
    "a number that is one": (MANAGED, [("host", "127.1")], ForeignHost),
    "a name that ends alike": (MANAGED | LISTED, [("host", "evil-a.example")], ForeignHost),
    "not listed, on the network": (LISTED_OPEN, [EVIL], ForeignHost),
}


def headers(pairs: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers as a server gets them."""
    return [(name.encode(), value.encode()) for name, value in pairs]


@pytest.mark.parametrize("case", PASSES)
def test_what_programs_send_passes(case: str) -> None:
    """Programs, proxies, containers, and pages of this machine or with keys of their own."""
    settings, sent = PASSES[case]
    check_caller("POST", headers(sent), Settings(**settings))


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_foreign_page_can_send_is_refused(case: str) -> None:
    """Names that were pointed here, and requests that a browser sends without asking."""
    settings, sent, error = REFUSED[case]
    with pytest.raises(error, match=r"server\.allowed_hosts"):
        check_caller("POST", headers(sent), Settings(**settings))


def test_a_browser_may_ask_whether_a_page_may_send() -> None:
    """The provider answers that; but not to a name that was pointed here."""
    asks = [("origin", "https://chat.example"), ("access-control-request-method", "POST")]
    check_caller("OPTIONS", headers([HOME, *asks]), Settings())
    with pytest.raises(ForeignHost):
        check_caller("OPTIONS", headers([EVIL, *asks]), Settings())


def test_figures_are_not_for_pages() -> None:
    """On a loopback address; whoever reaches another one may see them."""
    with pytest.raises(ForeignHost):
        check_probe(headers([EVIL]), Settings().server)
    check_probe(headers([EVIL]), Settings(**OPEN).server)


@pytest.mark.parametrize("host", ["http://a.example", "a.example:80", "a/b", ""])
def test_a_host_is_a_name_alone(host: str) -> None:
    """A scheme or a port would never match anything."""
    with pytest.raises(ValueError, match="without scheme and port"):
        Settings(server={"allowed_hosts": [host]})
