"""What is sent to a client that has finished sending."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from app.edge.closing import HalfClosed

PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Clock:
    """A loop whose time stands still; what waits is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.now = 1_000.0

    def time(self) -> float:
        return self.now

    def pass_on(self) -> None:
        """Do the one thing that waits."""
        self.waiting.pop()()

    def call_later(self, _: float, call: Callable[..., None], *arguments: object) -> None:
        self.waiting.append(lambda: call(*arguments))


class Line:
    """A transport that keeps what is written to it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.written: list[bytes] = []
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, _: str) -> socket.socket:
        return self._end


@pytest.fixture
def line() -> Iterator[Line]:
    """A line to a client that is there."""
    here, there = socket.socketpair()
    with here, there:
        yield Line(here)


@pytest.fixture
def cycle() -> SimpleNamespace:
    """A request that has no answer yet."""
    return SimpleNamespace(response_started=False, response_complete=False)


def watched(cycle: SimpleNamespace, line: Line) -> Clock:
    """Watch a client; give the clock of the loop that does."""
    clock = Clock()
    parts: Any = (cycle, line, clock)
    HalfClosed(*parts)
    return clock


def test_one_that_waits_is_asked_whether_it_is_there(cycle: SimpleNamespace, line: Line) -> None:
    """Not at once, then once in five seconds, and it is looked at again and again meanwhile."""
    clock = watched(cycle, line)
    assert (line.written, cycle.keep_alive) == ([], False)
    clock.pass_on()
    assert line.written == [PROBE]
    clock.now += 4.9
    clock.pass_on()
    assert line.written == [PROBE]
    clock.now += 0.2
    clock.pass_on()
    assert line.written == [PROBE, PROBE]


def test_one_whose_answer_has_begun_is_only_looked_at(cycle: SimpleNamespace, line: Line) -> None:
    """Nothing may stand between the parts of an answer."""
    clock = watched(cycle, line)
    cycle.response_started = True
    clock.pass_on()
    assert (line.written, len(clock.waiting)) == ([], 1)


def test_one_that_has_its_answer_is_left_alone(cycle: SimpleNamespace, line: Line) -> None:
    """Programs that know nothing of interim answers are content, and nobody looks any more."""
    clock = watched(cycle, line)
    cycle.response_started = cycle.response_complete = True
    clock.pass_on()
    assert (line.written, clock.waiting) == ([], [])


def test_one_that_has_left_is_let_go(cycle: SimpleNamespace) -> None:
    """A reset on its socket ends the connection, without a word to it."""
    listening = socket.create_server(("127.0.0.1", 0))
    there = socket.create_connection(listening.getsockname())
    here, _ = listening.accept()
    with listening, here:
        line = Line(here)
        clock = watched(cycle, line)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends a reset
        there.close()
        clock.pass_on()
        assert (line.aborted, line.written, clock.waiting) == (True, [], [])
