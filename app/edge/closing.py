"""The end of what a client sends: whether it has left, or only finished sending and waits for its answer.

Both look the same: the end of the input. What tells them apart is a byte sent to the client: one that has left answers
with a reset. Before an answer has begun, an interim answer (`100 Continue`, which every client of HTTP/1.1 passes over;
RFC 9110, 15.2) is such a byte that does no harm. Once it has begun there is none, nor is there in HTTP/1.0.
It is sent only to one whose answer takes a moment: a program that reads nothing but final answers is seldom met by it.
"""

from __future__ import annotations

import asyncio
import select

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
# The reset takes as long as the way to the client and back: looked for often at first.
_FIRST_S = 0.001
_SELDOM_S = 1.0
_BEFORE_PROBE_S = 0.05
_PROBED_S = 5.0  # one that leaves later, still before its answer, is noticed after so long


class HalfClosed:
    """Watches a client that has finished sending, until it has its answer; ends the connection when it has left.

    The event loop does not tell: it stops watching a connection whose input has ended.
    """

    def __init__(
        self, cycle: RequestResponseCycle, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._cycle = cycle
        self._transport = transport
        self._loop = loop
        cycle.keep_alive = False
        self._probed_at = 0.0
        loop.call_later(_BEFORE_PROBE_S, self._look, _FIRST_S)

    def _probe(self) -> None:
        self._transport.write(_PROBE)
        self._probed_at = self._loop.time()

    def _look_after(self, wait_s: float) -> None:
        self._loop.call_later(wait_s, self._look, min(2 * wait_s, _SELDOM_S))

    def _look(self, next_s: float) -> None:
        if self._cycle.response_complete or self._transport.is_closing():
            return
        if _is_reset(self._transport.get_extra_info("socket").fileno()):
            self._transport.abort()
            return
        if not self._cycle.response_started and self._loop.time() - self._probed_at >= _PROBED_S:
            self._probe()
        self._look_after(next_s)


def _is_reset(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors and resets are told unasked
    return bool(poll.poll(0))
