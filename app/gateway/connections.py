"""The connections to the provider, and which of them may be used again.

Law: a connection on which anything came that no request waits for is closed, never used again. Otherwise a caller
could be given what was meant for another one. Looked at when an answer ends, while a connection is idle, and once more
when it is taken. What is sent in the microseconds between the last look and the next request cannot be told from that
request's own answer, in HTTP/1.1 by nobody.
"""

from __future__ import annotations

import asyncio
import select
import socket
from functools import partial
from typing import cast

import aiohttp
from aiohttp import AddrInfoType
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from aiohttp.tracing import Trace

from app.gateway import writable

_FIRST_INTERIM, _SWITCHING, _FIRST_FINAL = 100, 101, 200
_KEPT_S = 30.0
# A parser at the beginning of a message reads exactly this one out of it; in the midst of one, something else.
_PROBE_REASON = "toolfunnel-probe"
_PROBE = f"HTTP/1.1 200 {_PROBE_REASON}\r\ncontent-length: 0\r\n\r\n".encode()
_PROBE_HEADERS = ((b"content-length", b"0"),)


class Channel(ResponseHandler):
    """One connection. It carries one request and its answer at a time, and nothing besides."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._idle = self._parsing = self._given_back = False
        self._answer: StreamReader | None = None
        self.problem = ""  # why the answer cannot be passed on

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take note of the answer to the request in hand; a second one closes the connection."""
        message, body = data
        if self._answer is not None:
            self.force_close()
            return
        if not _FIRST_INTERIM <= message.code < _FIRST_FINAL or message.code == _SWITCHING:
            self._answer = body
            version = message.version
            self.problem = writable.problem((version[0], version[1]), message.code, message.raw_headers)
            if self.problem:
                self.force_close()
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless nothing more may come."""
        if self._idle:
            if data:  # it is called without any when reading goes on
                self.abort()
            return
        if data and self._answer is not None and self._answer.is_eof():
            self.force_close()
            return
        self._parsing, self._given_back = True, False
        try:
            super().data_received(data)
        finally:
            self._parsing = False
        if self._given_back:
            self._settle()

    def begin(self) -> None:
        """Take the next request."""
        self._idle, self._answer, self.problem = False, None, ""

    def rest(self) -> None:
        """Be idle until the next request. An answer that ends is given back from within the parser, which goes on."""
        self._idle = self._given_back = True
        if not self._parsing:
            self._settle()

    def is_quiet(self) -> bool:
        """Return whether it is open and nothing waits to be read, not even its end."""
        if self.transport is None or not self.is_connected() or self.should_close:
            return False
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def _settle(self) -> None:
        """Close what cannot be used again: something came behind the answer, or the request was not sent to its end."""
        if self.transport is None or self.transport.get_write_buffer_size():
            self.force_close()
            self.abort()
        elif self.should_close or not self._is_between():
            self.force_close()
            self.close()

    def _is_between(self) -> bool:
        """Return whether the parser is at the beginning of a message. It reads no other: each request has its own."""
        if self._parser is None or self._reading_paused:
            return False
        try:
            messages, upgraded, rest = self._parser.feed_data(_PROBE)
        except aiohttp.http.HttpProcessingError:
            return False
        if upgraded or rest or len(messages) != 1:
            return False
        message = messages[0][0]
        return bool(message.reason == _PROBE_REASON and message.raw_headers == _PROBE_HEADERS)


class Connector(aiohttp.TCPConnector):
    """Takes the connection that was given back last: the others grow old and are closed.

    aiohttp takes the one that has waited longest, which keeps all connections of a burst in use for ever, and is the
    likeliest to be closed by the provider at this very moment.
    """

    def __init__(self, vanished_s: float) -> None:
        super().__init__(limit=0, keepalive_timeout=_KEPT_S, socket_factory=partial(_socket, vanished_s))
        self._factory = cast("partial[ResponseHandler]", partial(Channel, self._loop))

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        kept = self._conns.get(key)
        while kept and not kept[-1][0].is_quiet():  # type: ignore[attr-defined]  # a Channel, as all are
            kept.pop()[0].abort()
        if kept:
            kept.rotate(1)
        connection = await super()._get(key, traces)
        if connection is not None:
            connection.protocol.begin()  # type: ignore[union-attr]  # a Channel
        return connection

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if not should_close:
            protocol.rest()  # type: ignore[attr-defined]  # a Channel
        super()._release(key, protocol, should_close=should_close)


def _socket(vanished_s: float, address: AddrInfoType) -> socket.socket:
    """Make a socket that notices when the other side's machine is gone: by itself it asks after two hours."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    probe_s = max(1, round(vanished_s / 4))
    options = {
        "TCP_KEEPIDLE": probe_s,
        "TCP_KEEPINTVL": probe_s,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": round(vanished_s * 1e3),
    }
    for name, value in options.items():
        if (option := getattr(socket, name, None)) is not None:  # each system has some of them
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
