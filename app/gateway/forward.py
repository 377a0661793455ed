"""One request to the provider, once: no retries, no redirects followed, the target chosen by configuration alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

import httpx

from app.credentials import Headers
from app.errors import BadRequest, UpstreamInvalid, UpstreamNotConfigured
from app.gateway.explain import explained
from app.gateway.identify import is_own_header
from app.gateway.mask import masked
from app.gateway.transport import Answer, Timeouts, Transport
from app.settings import Credentials, UpstreamSettings
from app.telemetry.metrics import Pool

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key"})
_MOUNT = b"/v1"
_SWITCHING = 101


class Upstream:
    """The provider. Later there may be several, by model name; a request's flow holds one."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        url = httpx.URL(settings.base_url)
        self._origin = f"{url.scheme}://{url.netloc.decode('ascii')}" if settings.base_url else ""
        self._path = url.raw_path.rstrip(b"/")
        self._transport: Transport | None = None
        self._holders = 0
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def settings(self) -> UpstreamSettings:
        """What it was made with."""
        return self._settings

    @property
    def pool(self) -> Pool:
        """Its connections now."""
        return self._transport.pool if self._transport is not None else Pool()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep its connections from being closed by `retire` meanwhile."""
        self._holders += 1
        self._ended.clear()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._ended.set()

    async def retire(self) -> None:
        """Close all connections as soon as nobody holds them."""
        await self._ended.wait()
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            await self._transport.aclose()

    async def send(
        self, method: str, path: bytes, query: bytes, headers: Headers, body: bytes | AsyncIterator[bytes]
    ) -> Answer:
        """Send a request and give its answer as soon as its headers are there. Close its body.

        Raises:
            BadRequest: The path leaves the provider's base path.
            UpstreamNotConfigured: There is no provider.
            UpstreamBusy: Every connection is in use.
            UpstreamUnreachable: No connection, or it broke before the answer.
            UpstreamTimeout: No connection, or no answer, in time.
            UpstreamInvalid: An answer that cannot be passed on.
        """
        if not self._origin:
            raise UpstreamNotConfigured(
                "No provider is configured. Set upstream.base_url in config.yaml, or TOOLFUNNEL_UPSTREAM__BASE_URL."
            )
        sent = self._headers(headers, replaced=isinstance(body, bytes))
        try:
            answer = await self._connected().send(method, self._target(path, query), sent, body)
        except httpx.TransportError as error:
            raise explained(error) from error
        if answer.status == _SWITCHING:
            await answer.body.aclose()
            raise UpstreamInvalid("The provider's answer changes to another protocol, which nobody asked it for.")
        key = self._key()
        return masked(answer, key) if key else answer

    def _connected(self) -> Transport:
        if self._transport is None:
            self._transport = Transport(
                self._origin,
                max_connections=self._settings.max_connections,
                max_header_bytes=self._settings.max_header_bytes,
                timeouts=Timeouts(
                    pool_s=self._settings.pool_timeout_s,
                    connect_s=self._settings.connect_timeout_s,
                    first_byte_s=self._settings.first_byte_timeout_s,
                    idle_s=self._settings.idle_timeout_s,
                    vanished_s=self._settings.vanished_timeout_s,
                ),
            )
        return self._transport

    def _target(self, path: bytes, query: bytes) -> bytes:
        if _leaves(path):
            raise BadRequest("The path holds '.' or '..' segments.")
        target = self._path + path.removeprefix(_MOUNT)
        return target + b"?" + query if query else target

    def _headers(self, headers: Headers, *, replaced: bool) -> Headers:
        """Give the headers to send. `replaced`: the length is that of the body at hand, not the announced one."""
        named = connection_named(headers)
        key = self._key()
        sent = [
            (name, value)
            for name, value in headers
            if name not in HOP_BY_HOP
            and name not in named
            and name not in (b"host", b"expect")
            and not (replaced and name == b"content-length")
            and not (key is not None and name in _CREDENTIALS)
            and not is_own_header(name)
        ]
        if key:
            sent.append((b"authorization", b"Bearer " + key))
        return sent

    def _key(self) -> bytes | None:
        """Give the provider's key in managed mode, empty where there is none; None in passthrough mode."""
        if self._settings.credentials is not Credentials.MANAGED:
            return None
        return self._settings.api_key.get_secret_value().encode() if self._settings.api_key is not None else b""


def _leaves(path: bytes) -> bool:
    """Tell whether a path holds '.' or '..' segments, however they are written."""
    if b"." not in path and b"%" not in path:
        return False
    return any(part in (b".", b"..") for part in unquote_to_bytes(path).replace(b"\\", b"/").split(b"/"))


def connection_named(headers: Headers) -> frozenset[bytes]:
    """Give the headers that `connection` declares to be of this hop only."""
    listed = (value for name, value in headers if name == b"connection")
    return frozenset(token.strip().lower() for value in listed for token in value.split(b",") if token.strip())
