"""Lets requests begin a few at a time, so that a thousand at one moment do not hold up what is under way.

Law: what begins first is begun first; nobody waits while there is room in a turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque

# About a millisecond of work each, in several steps: so many keep a turn of the loop below a hundredth of a second.
_A_TURN = 8


class Turns:
    """Counts who begins within one turn of the event loop."""

    def __init__(self) -> None:
        self._room = _A_TURN
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Begin at once, or when the turn has come."""
        if self._room == _A_TURN:
            asyncio.get_running_loop().call_soon(self._next)
        if self._room:
            self._room -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        """Begin another turn of the loop."""
        self._room = _A_TURN
        while self._waiting and self._room:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._room -= 1
        if self._room < _A_TURN:
            asyncio.get_running_loop().call_soon(self._next)
