"""httpx's transport interface over an aiohttp session.

httpx's own pool stays full for good after many cancelled requests, and manages a quarter of the streams. A transport
is used without `httpx.AsyncClient` around it: that would follow redirects, keep cookies across callers and add
headers of its own. The request target goes out exactly as it is in the extension `target`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import cast

import aiohttp
import httpx
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from app.telemetry.metrics import Pool

# What aiohttp would add by itself; the caller's own headers decide.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_MAX_HEADER_BYTES = 262_144  # a line; providers' own headers and cookies stay far below
_MAX_HEADERS = 1_000


class _Response(aiohttp.ClientResponse):
    """An answer that knows how its connection ended.

    aiohttp takes a body without length as whole when its connection is reset.
    """

    lost: asyncio.Future[None] | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Watch the connection from before the answer's first byte."""
        self.lost = connection.protocol.closed if connection.protocol is not None else None
        if self.lost is not None:
            self.lost.add_done_callback(_seen)
        return await super().start(connection)

    def check_whole(self) -> None:
        """Tell a body that ended with its connection from one that was cut off with it.

        Raises:
            httpx.ReadError: It was cut off.
        """
        if self.lost is not None and self.lost.done() and not self.lost.cancelled() and self.lost.exception():
            raise httpx.ReadError("the connection was reset")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests over pooled connections. Bodies and answers are streamed, nothing is decoded."""

    def __init__(self, *, max_connections: int, connect_timeout_s: float, read_timeout_s: float | None) -> None:
        self._connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=30.0)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s, sock_read=read_timeout_s),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
            trust_env=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
            max_headers=_MAX_HEADERS,
            response_class=_Response,
        )
        # aiohttp would send a GET or DELETE again when a kept-alive connection breaks. That is the caller's to do.
        self._session._retry_connection = False  # noqa: SLF001 - there is no public way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's stream must be closed.

        Raises:
            httpx.TransportError: No connection, or it broke before the answer's headers.
        """
        target = cast("bytes", request.extensions.get("target", request.url.raw_path)).decode("ascii")
        origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        headers = CIMultiDict(
            (_text(name), _text(value))
            for name, value in request.headers.raw
            if name.lower() not in (b"host", b"transfer-encoding")
        )
        with _translated():
            response = cast(
                "_Response",
                await self._session.request(
                    request.method,
                    URL(origin + target, encoded=True),
                    headers=headers,
                    data=_content(request),
                    allow_redirects=False,
                ),
            )
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_AnswerStream(response), request=request
        )

    @property
    def pool(self) -> Pool:
        """Its connections now."""
        at = self._connector
        waiting = sum(len(queue) for queue in at._waiters.values())  # noqa: SLF001 - there is no public way
        idle = sum(len(kept) for kept in at._conns.values())  # noqa: SLF001
        return Pool(len(at._acquired), idle, waiting)  # noqa: SLF001

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _AnswerStream(httpx.AsyncByteStream):
    """An answer's body, read by read, as it came over the wire (without its transfer coding)."""

    def __init__(self, response: _Response) -> None:
        self._response = response
        self._ends_with_connection = not {"content-length", "transfer-encoding"} & {
            name.decode("latin-1").lower() for name, _ in response.raw_headers
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for chunk in self._response.content.iter_any():
                yield chunk
            if self._ends_with_connection:
                self._response.check_whole()

    async def aclose(self) -> None:
        """Give the connection back when the body was read to its end, close it otherwise."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _seen(lost: asyncio.Future[None]) -> None:
    """Take note of a connection's end, so that nobody complains that its error was never seen."""
    if not lost.cancelled():
        lost.exception()


def _content(request: httpx.Request) -> bytes | httpx.AsyncByteStream | None:
    try:
        return request.content or None
    except httpx.RequestNotRead:
        return cast("httpx.AsyncByteStream", request.stream)


def _text(value: bytes) -> str:
    """Give header text. It is written as UTF-8; what is not UTF-8 keeps its characters instead of its bytes."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


@contextmanager
def _translated() -> Iterator[None]:
    """Turn aiohttp's errors into httpx's, the more particular ones first."""
    try:
        yield
    except (aiohttp.ConnectionTimeoutError, aiohttp.SocketTimeoutError) as error:
        kind = httpx.ConnectTimeout if isinstance(error, aiohttp.ConnectionTimeoutError) else httpx.ReadTimeout
        raise kind(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error)) from error
    except aiohttp.ClientPayloadError as error:
        raise httpx.ReadError(str(error)) from error
    except aiohttp.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.RemoteProtocolError(str(error)) from error
