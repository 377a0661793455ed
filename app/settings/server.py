"""`server`: where the gateway listens, and what a connection may do."""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, Field

from app.settings.section import Section
from router.memory import DEFAULT_BYTES

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")


def _host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError("a host is a name or an address, without scheme and port")
    return name


class ServerSettings(Section):
    """`server`: where the gateway listens."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        (),
        description="Further names, without port, that requests may call this gateway by, and that pages which use it "
        "may come from. Checked where callers are not asked for a key, on a loopback address or with names listed.",
    )
    max_body_bytes: int = Field(
        64 * 2**20,
        ge=1024,
        description="Largest chat request that is accepted; a larger one is answered 413.",
    )
    header_timeout_s: float = Field(
        10.0, gt=0, description="Seconds for a request's headers to come; a slower client is answered 408."
    )
    body_idle_s: float = Field(
        30.0, gt=0, description="Seconds without a byte of a request's body after which a client is answered 408."
    )
    min_body_bytes_per_s: float = Field(
        4096,
        gt=0,
        description="A request's body comes at least so fast, counted from its beginning, server.body_idle_s not "
        "counted; a slower client is answered 408.",
    )
    write_idle_s: float = Field(
        60.0,
        gt=0,
        description="Seconds after which a client that takes nothing of the answer that waits for it is left.",
    )
    keep_alive_s: int = Field(75, ge=1, description="Seconds that a connection stays open for a next request.")
    max_header_bytes: int = Field(
        256 * 2**10, ge=1024, description="Largest head of a request, its path among it; a larger one is answered 431."
    )
    max_headers: int = Field(100, ge=8, description="Most headers of a request; one with more is answered 431.")
    max_connections: int = Field(
        4096,
        ge=1,
        description="Connections of clients that may be open at once, in each worker; those beyond are answered 503.",
    )
    max_requests: int = Field(
        1000,
        ge=1,
        description="Requests below /v1 that each process has in hand at once; further ones are answered 503 at once.",
    )
    max_bodies_bytes: int = Field(
        256 * 2**20,
        ge=2**20,
        description="Bytes of chat requests that each process holds at once, beyond the first 256 KiB of each; further "
        "ones are answered 503.",
    )
    cache_bytes: int = Field(
        DEFAULT_BYTES,
        ge=2**20,
        description="Most that each process remembers of requests, all its memories together.",
    )
    shutdown_grace_s: float = Field(
        30.0, ge=0, description="Seconds that running answers may take to finish after SIGTERM."
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return _is_loopback(self.host)


@cache  # of what is configured; each request asks
def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
