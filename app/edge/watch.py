"""Looks after all connections of a process, with one timer: deadlines need no timer of their own."""

from __future__ import annotations

import asyncio
import ctypes
from contextlib import suppress
from typing import Protocol

from app.settings.server import ServerSettings

_COARSE_S = 1.0
_CROWD = 32  # when most of so many have left, what they needed is given back
_SETTLED_S = 2.0  # by then their requests have ended, too
_TICKS = 10  # a deadline passes at most this part of itself late, or a second


class Watched(Protocol):
    """One connection."""

    def check(self, now: float) -> None:
        """Act on deadlines that have passed; `now` is the loop's time."""


class Watch:
    """The open connections. It can be pickled as long as there are none: worker processes are given a copy."""

    def __init__(self, limits: ServerSettings) -> None:
        self.limits = limits
        self._open: set[Watched] = set()
        self._most = 0
        self._timer: asyncio.TimerHandle | None = None
        shortest = min(limits.header_timeout_s, limits.body_idle_s, limits.write_idle_s)
        self._tick_s = min(_COARSE_S, shortest / _TICKS)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Watched, loop: asyncio.AbstractEventLoop) -> None:
        """Look after a connection until it is removed."""
        self._open.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._tick_s, self._check, loop)

    def remove(self, connection: Watched) -> None:
        """Look after it no more."""
        self._open.discard(connection)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in tuple(self._open):
            connection.check(now)
        self._most = max(self._most, len(self._open))
        if self._most >= _CROWD and len(self._open) <= self._most // 4:
            self._most = len(self._open)
            loop.call_later(_SETTLED_S, loop.run_in_executor, None, _give_memory_back)
        self._timer = loop.call_later(self._tick_s, self._check, loop) if self._open else None


def _give_memory_back() -> None:
    """Return free memory to the system: glibc by itself keeps what the buffers of slow readers took."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
