"""One connection: uvicorn's, with deadlines, sizes and a strict reading of HTTP/1.1.

Laws. A request that is refused here reaches no route, and nothing more is read from its connection. A refusal never
stands inside another request's answer: it comes after it, or the connection is broken off. A deadline counts only
while the client is the one who is waited for.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app import presence
from app.edge import head
from app.edge.closing import HalfClosed
from app.edge.delimited import CloseDelimited
from app.edge.outlet import Outlet
from app.edge.watch import Watch
from app.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    RequestTimeout,
    TooManyConnections,
    answer_for,
    headers_for,
    openai_body,
)
from app.telemetry import Telemetry

_log = structlog.get_logger()

# The parser gets so much at a time: how far it gets with it tells what is too large.
_PIECE = 16_384
# What waits in the system's buffer for a client that reads slowly; by itself it grows to megabytes. Linux, macOS.
_UNSENT_BYTES = 131_072
_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_FRAMING = (b"content-length", b"transfer-encoding")
# So long a refused client may still send before it must have read why.
_LINGER_S = 2.0
_SURPLUS_S = 1.0


class _Part(Enum):
    """What of a request is being received."""

    NONE = auto()
    HEAD = auto()
    BODY = auto()


class Connection(HttpToolsProtocol):
    """Made by uvicorn for each connection."""

    def __init__(
        self,
        watch: Watch,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._watch = watch
        self._limits = watch.limits
        self._telemetry: Telemetry | None = app_state.get("telemetry")
        self._part = _Part.NONE
        self._framing = b""
        self._resuming = False
        self._surplus = False
        self._over = False  # nothing more is taken from this client
        self._left_at: float | None = None
        self._refusal: bytes | None = None  # to be sent when what came before is answered
        # Times are the loop's. A head is owed from the connection, or from the first byte after an answer.
        self._owed_since: float | None = None
        self._began_at = self._came_at = self._checked_at = self._taken_at = 0.0
        self._head_bytes = self._body_bytes = self._empty_bytes = self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or get ready to send the client away where there are too many."""
        super().connection_made(cast("asyncio.Transport", Outlet(cast("asyncio.Transport", transport), self.loop)))
        if _LOWAT is not None:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _LOWAT, _UNSENT_BYTES)
        self._owed_since = self._checked_at = self._taken_at = self.loop.time()
        self._surplus = len(self._watch) >= self._limits.max_connections
        self._watch.add(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._watch.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, piece by piece."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        self._came_at = self.loop.time()
        if self._part is _Part.NONE and self._owed_since is None:
            self._owed_since = self._came_at
        if self._surplus:
            self._refuse(_surplus())
            return
        for piece in _pieces(data):
            if not self._over:
                self._take(piece)

    def on_message_begin(self) -> None:
        """Begin a head."""
        if self._resuming:
            return
        super().on_message_begin()
        self._part = _Part.HEAD
        self._owed_since = self._owed_since or self._came_at
        self._head_bytes = -_PIECE  # of the piece it begins in, it is not known how much is its own

    def on_headers_complete(self) -> None:
        """Check the head; the request starts.

        Raises:
            GatewayError: It is refused.
        """
        if self._resuming:
            return
        limits = self._limits
        version = self.parser.get_http_version()
        problem = head.check(version, self.url, self.headers, limits.max_header_bytes, limits.max_headers)
        if problem is not None:
            raise problem
        self.expect_100_continue = self.expect_100_continue and version != "1.0"
        super().on_headers_complete()
        self._prepare(self.cycle, version)
        self._part = _Part.BODY
        self._owed_since = None
        self._began_at = self._came_at
        self._body_bytes = self._empty_bytes = 0
        self._framing = self._body_framing() if self.parser.should_upgrade() else b""
        self.headers = []  # trailers go here, and nowhere: as headers they would come after every check

    def _prepare(self, cycle: RequestResponseCycle, version: str) -> None:
        """Fit out a request before its task begins to run."""
        presence.tell(cast("dict[str, Any]", cycle.scope), lambda: self._is_deserted(cycle))
        if version == "1.0":
            answer = CloseDelimited(cycle, self.transport)
            cycle.send = answer.send  # type: ignore[method-assign, assignment]
            cycle.transport = cast("asyncio.Transport", answer)

    def _is_deserted(self, cycle: RequestResponseCycle) -> bool:
        """Return whether nothing can be sent to a request's client any more."""
        # Its cycle is told of a lost connection only later, and would take the end of the request for a fault.
        cycle.disconnected = cycle.disconnected or self.transport.is_closing()
        return cycle.disconnected

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio allows it
        """Return whether to keep the connection: the client may have finished sending, and wait for its answer."""
        cycle = self.cycle
        if self._over or self._part is not _Part.NONE or cycle is None or cycle.response_started:
            return False
        if cycle.scope["http_version"] == "1.0":
            return False
        HalfClosed(cycle, self.transport, self.loop)
        return True

    def on_chunk_header(self) -> None:
        """Take note of a chunk's beginning."""
        self._empty_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._empty_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self._framing:  # the parser takes what follows for another protocol
            return
        self._part = _Part.NONE
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # It was answered before its end, and then its bytes stopped the timer.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Go on to the next request; or end, where a refusal waits or nobody could tell what comes next."""
        last = not self.pipeline
        super().on_response_complete()
        if last and self._refusal is not None:
            self._say(self._refusal)
        elif last and self._part is _Part.BODY and self.expect_100_continue:
            # Whether the body or the next request follows is the client's choice.
            self._over = True
            self._leave()

    def resume_writing(self) -> None:
        """Go on sending: the client has taken some."""
        self._taken_at = self.loop.time()
        super().resume_writing()

    def check(self, now: float) -> None:
        """Act on deadlines that have passed."""
        if self.flow.read_paused:  # it is us who do not read
            waited = now - self._checked_at
            self._came_at += waited
            self._began_at += waited
            self._owed_since = None if self._owed_since is None else self._owed_since + waited
        self._checked_at = now
        if self._has_stalled(now) or (self._left_at is not None and now - self._left_at >= _LINGER_S):
            self.transport.abort()
        elif not self._over:
            self._check_receipt(now)

    def _has_stalled(self, now: float) -> bool:
        """Whether the client takes nothing of what waits for it."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent_bytes:
            self._taken_at = now
        self._unsent_bytes = unsent
        return now - self._taken_at >= self._limits.write_idle_s

    def _check_receipt(self, now: float) -> None:
        limits = self._limits
        if self._owed_since is not None:
            if self._surplus and now - self._owed_since >= _SURPLUS_S:
                self._refuse(_surplus())
            elif now - self._owed_since >= limits.header_timeout_s:
                self._refuse(RequestTimeout(f"The headers did not come within {limits.header_timeout_s:g} seconds."))
        elif self._part is _Part.BODY:
            allowed = limits.body_idle_s + self._body_bytes / limits.min_body_bytes_per_s
            if now - self._came_at >= limits.body_idle_s or now - self._began_at >= allowed:
                self._refuse(RequestTimeout("The request body stopped coming, or came too slowly."))

    def _take(self, piece: memoryview) -> None:
        try:
            self._parse(piece)
        except httptools.HttpParserError as error:
            own = error.__context__
            self._refuse(own if isinstance(own, GatewayError) else BadRequest("This is not HTTP/1.1."))
            return
        size = len(piece)
        if self._part is _Part.HEAD:
            self._head_bytes += size
            if self._head_bytes > self._limits.max_header_bytes:
                limit = self._limits.max_header_bytes
                self._refuse(HeadersTooLarge(f"The request's headers are larger than the {limit} bytes accepted."))
        elif self._part is _Part.BODY:
            self._body_bytes += size
            self._empty_bytes += size
            if self._empty_bytes > 2 * _PIECE:
                self._refuse(BadRequest("A chunk extension or the trailer is too long."))

    def _parse(self, piece: memoryview) -> None:
        while piece:
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:  # not taken up: what follows is HTTP as before
                piece = piece[upgrade.args[0] :]
                self._resume()
            else:
                return

    def _body_framing(self) -> bytes:
        """Give the headers that tell where the body ends; empty without a body."""
        named = [(name, value) for name, value in self.headers if name in _FRAMING]
        return b"".join(name + b": " + value + b"\r\n" for name, value in named)

    def _resume(self) -> None:
        """Go on with the body of a request that asks for an upgrade: Java's client does that of every first one."""
        if not self._framing:
            return
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        head, self._framing, self._resuming = self._framing, b"", True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
        self._resuming = False

    def _refuse(self, error: GatewayError) -> None:
        """Answer a request that cannot be taken, in its turn, and take no more."""
        self._over = True
        cycle, own = self.cycle, self._part is _Part.BODY  # own: the refused request is the cycle's
        if own and cycle.response_complete:
            self._leave()
            return
        self._count(error)
        if own and self.pipeline:
            self.pipeline.popleft()
            self._refusal = _written(error)
        elif own and cycle.response_started:
            self.transport.abort()
        elif own:
            cycle.disconnected, cycle.waiting_for_100_continue = True, False
            cycle.message_event.set()
            self._say(_written(error))
        elif cycle is None or cycle.response_complete:
            self._say(_written(error))
        else:
            self._refusal = _written(error)

    def _count(self, error: GatewayError) -> None:
        code = answer_for(error).code
        _log.debug("refused", code=code)
        if self._telemetry is not None:
            self._telemetry.count_failure(code)

    def _say(self, answer: bytes) -> None:
        self._refusal = None
        if not self.transport.is_closing():
            self.transport.write(answer)
            self._leave()

    def _leave(self) -> None:
        """Close the sending side alone: data that arrives at a closed socket would take the answer from the client."""
        self._unset_keepalive_if_required()
        self._left_at = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()


def _surplus() -> GatewayError:
    return TooManyConnections("There are too many connections. Try again in a moment.")


def _pieces(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), _PIECE):
        yield view[start : start + _PIECE]


def _written(error: GatewayError) -> bytes:
    entry = answer_for(error)
    body = openai_body(str(error), entry)
    headers = [*headers_for(entry), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[entry.status] + lines + b"\r\n" + body
