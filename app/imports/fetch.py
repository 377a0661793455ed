"""Fetches documents from URLs that nobody vouches for.

The check stands in the connect step: a name is resolved once, every address that it has must be allowed, and the
connection goes to one of the addresses that were checked. So neither a name that resolves to another address the
second time nor a redirect leads where the URL itself may not. Redirects are followed by hand, without the credentials
once the host changes.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import httpcore2
import httpx2

from app.errors import SourceRefused
from app.imports.addresses import Refusal, Resolve, allowed_addresses, resolved
from app.settings.address import shown
from app.settings.imports import ImportSettings, SourceSpec

_MOST_REDIRECTS: Final = 5
_CONNECT_S: Final = 10.0
_ACCEPT: Final = "application/json, application/yaml;q=0.9, text/yaml;q=0.9, */*;q=0.1"


async def fetch(spec: SourceSpec, settings: ImportSettings, resolve: Resolve = resolved) -> bytes:
    """Fetch the document of a source.

    Raises:
        SourceRefused: The URL may not be asked, does not answer, or answers too much.
    """
    url = url_of(spec.url)
    headers = headers_of(spec) | {"accept": _ACCEPT}
    async with client(settings, resolve) as asking:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                async with asking.stream("GET", url, headers=headers) as answer:
                    if not answer.has_redirect_location:
                        return await _body(answer, settings.max_bytes)
                    target = url_of(str(url.join(answer.headers["location"])))
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise SourceRefused(f"{spec.origin}: {error or type(error).__name__}") from error
            if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                headers = {"accept": _ACCEPT}
            url = target
    raise SourceRefused(f"{spec.origin} redirects more than {_MOST_REDIRECTS} times")


def url_of(text: str) -> httpx2.URL:
    """Read a URL that may be asked.

    Raises:
        SourceRefused: Its scheme is another one, or it holds a user name.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise SourceRefused(f"{shown(text)!r} is not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise SourceRefused(f"{shown(text)!r} is not of the form http://host/path or https://host/path")
    if url.userinfo:
        raise SourceRefused("A URL with a user name in it is not asked. imports.sources has token and headers for that")
    return url


def headers_of(spec: SourceSpec) -> dict[str, str]:
    """Give the headers that a source is asked with."""
    token = {} if spec.token is None else {"authorization": f"Bearer {spec.token.get_secret_value()}"}
    return token | {name: value.get_secret_value() for name, value in spec.headers.items()}


def client(settings: ImportSettings, resolve: Resolve = resolved, **options: Any) -> httpx2.AsyncClient:
    """Give a client that connects only where `settings` allow it."""
    timeout = httpx2.Timeout(settings.timeout_s, connect=min(_CONNECT_S, settings.timeout_s))
    return httpx2.AsyncClient(
        transport=_Transport(settings, resolve), timeout=timeout, trust_env=False, follow_redirects=False, **options
    )


async def _body(answer: httpx2.Response, most: int) -> bytes:
    if answer.status_code != 200:
        raise SourceRefused(f"{shown(str(answer.url))} answered {answer.status_code}{reason(answer)}")
    chunks: list[bytes] = []
    async for chunk in answer.aiter_bytes(65_536):
        chunks.append(chunk)
        most -= len(chunk)
        if most < 0:
            raise SourceRefused(f"{shown(str(answer.url))} answers more than imports.max_bytes")
    return b"".join(chunks)


def reason(answer: httpx2.Response) -> str:
    """Say what a refusal asks for."""
    if answer.status_code not in (401, 403):
        return ""
    asked = answer.headers.get("www-authenticate", "")[:300]
    asked = "".join(character for character in asked if character.isprintable())
    wanted = f" It says: {asked}" if asked else ""
    return f": it wants a credential; imports.sources has token and headers for that.{wanted}"


class _Transport(httpx2.AsyncHTTPTransport):
    """Connects by `_Guard`. An answer that is longer than allowed breaks off, packed or not."""

    def __init__(self, settings: ImportSettings, resolve: Resolve) -> None:
        super().__init__(trust_env=False)
        self._most = settings.max_bytes
        self._pool = httpcore2.AsyncConnectionPool(  # there is no public way to give it a network
            ssl_context=_tls(),
            max_connections=8,
            network_backend=_Guard(settings.allow_networks, resolve),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"  # what is packed small can be large
        answer = await super().handle_async_request(request)
        if "content-encoding" in answer.headers and answer.headers["content-encoding"] != "identity":
            await answer.aclose()
            raise httpx2.RemoteProtocolError("it answers packed, which was not asked for")
        answer.stream = _Capped(answer.stream, self._most)
        return answer


class _Capped(httpx2.AsyncByteStream):
    """A body that breaks off behind so many bytes."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._left = most

    async def __aiter__(self) -> Any:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx2.ReadError("it answers more than imports.max_bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Guard(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were looked at, and to nothing else."""

    def __init__(self, networks: tuple[str, ...], resolve: Resolve) -> None:
        self._networks = networks
        self._resolve = resolve
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            addresses = await allowed_addresses(host, port, self._networks, self._resolve)
        except Refusal as error:
            raise httpcore2.ConnectError(str(error)) from error
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError:
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
