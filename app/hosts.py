"""Which requests a page in somebody's browser could have sent: by their Host and Origin. Pure.

A page can reach what its reader's machine can reach. It sends simple requests to any address (the Origin header tells),
and one whose own name is pointed at a loopback address (DNS rebinding) reads the answers, too (the Host header tells).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from app.credentials import Headers
from app.errors import ForeignHost, ForeignOrigin
from app.settings import Credentials, ServerSettings, Settings

# Names that only this machine and its containers know; a public name server has none of them.
_LOCAL_NAMES = frozenset({"localhost", "host.docker.internal", "host.containers.internal"})
_CREDENTIALS = (b"authorization", b"api-key", b"x-api-key")
_SETTING = "Name it in server.allowed_hosts if this is meant."


def names_this_machine(authority: str) -> bool:
    """Return whether the host of `host:port` is localhost or a loopback address."""
    name = _host(authority)
    return name == "localhost" or _is_loopback(name)


def check_caller(method: str, headers: Headers, settings: Settings) -> None:
    """Refuse what a page could spend: where callers show no key of this gateway, anybody's request is answered.

    In passthrough mode a request with a credential of its own spends that one, so programs behind a proxy that keeps
    the Host of the outside go on; a page whose own name was pointed here does not.

    Raises:
        ForeignHost: The Host header names another machine.
        ForeignOrigin: A page of another origin sent it.
    """
    server, managed = settings.server, settings.upstream.credentials is Credentials.MANAGED
    if settings.callers.are_asked_for or not _is_checked(server):
        return
    host, origin = _values(headers)
    if not managed and (_asks_first(method, headers) or any(name in _CREDENTIALS for name, _ in headers)):
        if origin is not None:
            _check_host(host, server)
        return
    check(headers, server)


def check_probe(headers: Headers, server: ServerSettings) -> None:
    """Refuse to show figures to a page; on an address that others reach, who reaches it may see them.

    Raises:
        ForeignHost: The Host header names another machine.
        ForeignOrigin: A page of another origin sent it.
    """
    if server.is_loopback:
        check(headers, server)


def check(headers: Headers, server: ServerSettings) -> None:
    """Check Host and Origin.

    Raises:
        ForeignHost: The Host header names another machine.
        ForeignOrigin: A page of another origin sent it.
    """
    host, origin = _values(headers)
    _check_host(host, server)
    if origin is None or (host and origin in (f"http://{host}", f"https://{host}")):
        return
    scheme, _, authority = origin.partition("://")
    # Programs with a page inside and extensions of browsers have schemes of their own, and count when they are listed.
    web = scheme in ("http", "https") and (names_this_machine(authority) or _is_allowed(authority, server))
    if not web and not _is_listed(authority, server):
        raise ForeignOrigin(f"A page of {origin[:200]!r} may not use this gateway. {_SETTING}")


def _is_checked(server: ServerSettings) -> bool:
    """Return whether it can be told which names are right: on loopback, and where the operator lists them."""
    return server.is_loopback or bool(server.allowed_hosts)


def _check_host(host: str, server: ServerSettings) -> None:
    """Let a request without a Host pass: HTTP/1.0, which no browser speaks."""
    if host and not (names_this_machine(host) or _is_allowed(host, server)):
        raise ForeignHost(f"This gateway is not called {host[:200]!r}. {_SETTING}")


def _is_allowed(authority: str, server: ServerSettings) -> bool:
    """Return whether a name is one of this server's, or has no dot, as a proxy's or a container's own names."""
    name = _host(authority)
    known = name in {server.host.lower().strip("[]"), *_LOCAL_NAMES} or _is_listed(authority, server)
    return known or name.endswith(".localhost") or (bool(name) and not set(".:") & set(name))


def _is_listed(authority: str, server: ServerSettings) -> bool:
    return _host(authority) in {host.lower().strip("[]") for host in server.allowed_hosts}


def _asks_first(method: str, headers: Headers) -> bool:
    """Return whether a browser asks if a page may send a request; the provider's answer decides."""
    return method == "OPTIONS" and any(name == b"access-control-request-method" for name, _ in headers)


def _values(headers: Headers) -> tuple[str, str | None]:
    found = {name: value.decode("latin-1") for name, value in headers if name in (b"host", b"origin")}
    return found.get(b"host", ""), found.get(b"origin")


def _host(authority: str) -> str:
    """Return the host of `host:port` in lower case, '' where there is none."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
