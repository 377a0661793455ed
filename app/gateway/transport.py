"""Requests over an aiohttp session, and the answers as they come. Errors are httpx's.

httpx's own pool stays full for good after many cancelled requests, and manages a quarter of the streams; its values of
requests and answers take as long as a tenth of a whole request does here (docs/adr/0010). Nothing follows redirects,
keeps cookies across callers or adds headers; the request target goes out exactly as it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, cast

import aiohttp
import httpx
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from app.credentials import Headers
from app.gateway.connections import Channel, Connector
from app.telemetry.metrics import Pool

# What aiohttp would add by itself; the caller's own headers decide.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_MAX_HEADERS = 1_000
# A larger body is sent so much at a time: whole, it would be copied twice while everybody else waits.
_SLICE_BYTES = 2**18

# At a time. What was read and not yet passed on waits in memory: a client that does not read has a few of these.
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What is waited for, in seconds: a free connection, a new one, an answer's headers, its next byte.

    `vanished_s`: the other side's acknowledgement of anything at all.
    """

    pool_s: float
    connect_s: float
    first_byte_s: float | None
    idle_s: float | None
    vanished_s: float


class _Response(aiohttp.ClientResponse):
    """An answer that knows how its connection ended.

    aiohttp takes a body without length as whole when its connection is reset.
    """

    lost: asyncio.Future[None] | None = None
    problem = ""  # why it cannot be passed on

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Watch the connection from before the answer's first byte."""
        channel = connection.protocol
        self.lost = channel.closed if channel is not None else None
        if self.lost is not None:
            self.lost.add_done_callback(_seen)
        transport = connection.transport
        if transport is not None and hasattr(transport, "max_size"):  # asyncio's, without TLS
            transport.max_size = _READ_BYTES
        await super().start(connection)
        if isinstance(channel, Channel):
            self.problem = channel.problem
        return self

    def limit_silence(self, seconds: float | None) -> None:
        """From now on, take an answer without a byte for so long as broken; not while nobody reads it."""
        protocol = self.connection.protocol if self.connection is not None else None
        if protocol is not None and not self.content.is_eof():
            protocol.read_timeout = seconds
            protocol.start_timeout()

    def check_whole(self) -> None:
        """Tell a body that ended with its connection from one that was cut off with it.

        Raises:
            httpx.ReadError: It was cut off.
        """
        if self.lost is not None and self.lost.done() and not self.lost.cancelled() and self.lost.exception():
            raise httpx.ReadError("the connection was reset")


class Unwritable(httpx.RemoteProtocolError):
    """An answer whose head cannot be passed on. Its text says why, and holds nothing of the answer but its status."""


class Body(Protocol):
    """An answer's body, read by read, as it came over the wire (without its transfer coding). Close it."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the reads.

        Raises:
            httpx.TransportError: It broke off.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection back."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider answers: its headers as they came, in their order."""

    status: int
    headers: Headers
    body: Body


class Transport:
    """Sends requests to one origin over pooled connections. Bodies and answers are streamed, nothing is decoded."""

    def __init__(self, origin: str, *, max_connections: int, max_header_bytes: int, timeouts: Timeouts) -> None:
        self._origin = origin
        self._timeouts = timeouts
        self._max_header_bytes = max_header_bytes
        self._places = asyncio.Semaphore(max_connections)
        self._waiting = 0
        self._connector = Connector(timeouts.vanished_s)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=timeouts.connect_s),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
            read_bufsize=_READ_BYTES // 2,
            trust_env=False,
            max_line_size=max_header_bytes,
            max_field_size=max_header_bytes,
            max_headers=_MAX_HEADERS,
            response_class=_Response,
        )
        # aiohttp would send a GET or DELETE again when a kept-alive connection breaks. That is the caller's to do.
        self._session._retry_connection = False  # noqa: SLF001 - there is no public way

    async def send(self, method: str, target: bytes, headers: Headers, body: bytes | AsyncIterator[bytes]) -> Answer:
        """Send a request; the body of its answer must be closed. `headers` have names in lower case and no `host`.

        Raises:
            httpx.TransportError: No connection, it broke before the answer's headers, or they came too late.
        """
        await self._take_place()
        try:
            response = await self._send(method, target, headers, body)
        except BaseException:
            self._places.release()
            raise
        answer = Answer(response.status, list(response.raw_headers), _Body(response, self._places))
        if problem := self._problem(response, answer):
            await answer.body.aclose()
            raise problem
        response.limit_silence(self._timeouts.idle_s)
        return answer

    def _problem(self, response: _Response, answer: Answer) -> httpx.RemoteProtocolError | None:
        """Return why an answer's head cannot be passed on, None where it can."""
        if sum(len(name) + len(value) for name, value in answer.headers) > self._max_header_bytes:
            return httpx.RemoteProtocolError("the headers are too large")
        return Unwritable(response.problem) if response.problem else None

    async def _take_place(self) -> None:
        """Wait for one of the connections that may be in use at once.

        Raises:
            httpx.PoolTimeout: None became free in time.
        """
        if not self._places.locked():
            await self._places.acquire()
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeouts.pool_s):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("every connection is in use") from None
        finally:
            self._waiting -= 1

    async def _send(
        self, method: str, target: bytes, headers: Headers, body: bytes | AsyncIterator[bytes]
    ) -> _Response:
        sent = CIMultiDict((_text(name), _text(value)) for name, value in headers)
        if isinstance(body, bytes) and len(body) > _SLICE_BYTES:
            sent["Content-Length"] = str(len(body))
        with _translated(), self._looked_up_anew():
            async with _Clock(self._timeouts.first_byte_s) as clock:
                answer = await self._session.request(
                    method,
                    URL(self._origin + target.decode("ascii"), encoded=True),
                    headers=sent,
                    data=clock.timed(body),
                    allow_redirects=False,
                )
        return cast("_Response", answer)

    @contextmanager
    def _looked_up_anew(self) -> Iterator[None]:
        """Forget where a name points to when no connection could be opened: the provider may have moved."""
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            self._connector.clear_dns_cache()
            raise

    @property
    def pool(self) -> Pool:
        """Its connections now."""
        at = self._connector
        idle = sum(len(kept) for kept in at._conns.values())  # noqa: SLF001 - there is no public way
        return Pool(len(at._acquired), idle, self._waiting)  # noqa: SLF001

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Clock:
    """Ends a wait of so many seconds for the provider. Stands still while the client has the word."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._over = False

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._over = True
        await self._timeout.__aexit__(kind, error, at)

    def timed(self, body: bytes | AsyncIterator[bytes]) -> bytes | AsyncIterator[bytes] | None:
        """Give the same body, None for an empty one."""
        if not isinstance(body, bytes):
            return self._pieces(body)
        self._run()
        return _slices(body) if len(body) > _SLICE_BYTES else body or None

    async def _pieces(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in body:
            self._run()
            yield piece
            self._stand()
        self._run()

    def _run(self) -> None:
        if self._seconds is not None and not self._over:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)

    def _stand(self) -> None:
        if not self._over:
            self._timeout.reschedule(None)


class _Body:
    def __init__(self, response: _Response, places: asyncio.Semaphore) -> None:
        self._response = response
        self._places: asyncio.Semaphore | None = places
        self._ends_with_connection = not {"content-length", "transfer-encoding"} & {
            name.decode("latin-1").lower() for name, _ in response.raw_headers
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            while chunk := await self._response.content.readany():
                yield chunk
            if self._ends_with_connection:
                self._response.check_whole()

    async def aclose(self) -> None:
        """Give the connection back when the body was read to its end, close it otherwise."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
        if self._places is not None:
            self._places.release()
            self._places = None


def _seen(lost: asyncio.Future[None]) -> None:
    """Take note of a connection's end, so that nobody complains that its error was never seen."""
    if not lost.cancelled():
        lost.exception()


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    view = memoryview(content)
    for start in range(0, len(view), _SLICE_BYTES):
        yield view[start : start + _SLICE_BYTES]  # type: ignore[misc]  # as good as bytes to aiohttp


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
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error)) from error
    except aiohttp.ClientPayloadError as error:
        raise httpx.ReadError(str(error)) from error
    except aiohttp.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise httpx.ReadError(str(error)) from error
    except aiohttp.ClientError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
