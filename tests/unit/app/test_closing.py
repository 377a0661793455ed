"""What is sent to a client that has finished sending."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from app.edge.closing import HalfClosed


class Clock:
    """A loop whose time stands still; what waits is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def time(self) -> float:
        return 1_000.0

    def call_later(self, _: float, call: Callable[..., None], *arguments: object) -> None:
        self.waiting.append(lambda: call(*arguments))


class Line:
    """A transport that keeps what is written to it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.written: list[bytes] = []

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


@pytest.mark.parametrize("answered", [True, False])
def test_only_one_that_waits_is_asked_whether_it_is_there(line: Line, *, answered: bool) -> None:
    """Who has a quick answer gets that alone; programs that know nothing of interim answers are content."""
    cycle, clock = SimpleNamespace(response_started=False, response_complete=False), Clock()
    watched: Any = (cycle, line, clock)
    HalfClosed(*watched)
    assert (line.written, cycle.keep_alive) == ([], False)
    cycle.response_started = cycle.response_complete = answered
    clock.waiting.pop()()
    assert line.written == ([] if answered else [b"HTTP/1.1 100 Continue\r\n\r\n"])
