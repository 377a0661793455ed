"""A connection's sending side: an answer's head goes out with what follows it in the same moment, in one piece.

Otherwise each answer would be two packets and two calls of the system, a tenth of what a relayed request costs. Where
nothing follows at once, the head goes alone: nobody waits for it.
"""

from __future__ import annotations

import asyncio
from typing import Any

_HEAD = b"HTTP/1."


class Outlet:
    """A transport around a transport. What it does not know, that one does."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        """Give what belongs to the transport inside."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, but for a head: that waits until the loop has come round."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._send_head)
            return
        self._transport.write(data)

    def write_eof(self) -> None:
        """Send what waits, and close the sending side."""
        self._send_head()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what waits, and close."""
        self._send_head()
        self._transport.close()

    def _send_head(self) -> None:
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""
