"""Answers to clients of HTTP/1.0: never chunked (RFC 9112, 6.1). Without a length, their end is the connection's.

Law: an answer that breaks off ends with a reset, as an end in order would make it look whole.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_BODILESS = (204, 304)


class CloseDelimited:
    """Takes the place of a cycle's `send` and, towards the cycle, of its transport."""

    def __init__(self, cycle: RequestResponseCycle, transport: asyncio.Transport) -> None:
        self._cycle = cycle
        self._transport = transport
        self._pass = cycle.send
        self._is_ours = False

    def __getattr__(self, name: str) -> Any:
        """Return what belongs to the transport inside."""
        return getattr(self._transport, name)

    def close(self) -> None:
        """Close; with a reset where the answer has no end yet."""
        if self._is_ours and not self._cycle.response_complete:
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self._transport.abort()
        else:
            self._transport.close()

    async def send(self, message: Message) -> None:
        """Send a message of the answer; those of one with a length go the usual way."""
        if message["type"] == "http.response.start":
            self._is_ours = self._needs_delimiting(message)
        if not self._is_ours:
            await self._pass(message)  # type: ignore[arg-type]  # the same messages
            return
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message)
            return
        self._transport.write(message.get("body", b""))
        if not message.get("more_body", False):
            self._end()

    def _needs_delimiting(self, message: Message) -> bool:
        names = {name.lower() for name, _ in message["headers"]}
        bodiless = self._cycle.scope["method"] == "HEAD" or message["status"] in _BODILESS
        return not bodiless and b"content-length" not in names

    def _begin(self, message: Message) -> None:
        cycle = self._cycle
        cycle.response_started, cycle.keep_alive = True, False
        headers = [*message["headers"], (b"connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self._transport.write(STATUS_LINE[message["status"]] + lines + b"\r\n")

    def _end(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        self._transport.close()
        cycle.on_response()
