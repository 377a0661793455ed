"""Until when work goes on whose length a caller decides.

Law: every loop over what a caller sends checks its deadline, and a C function, which cannot, is given a bounded part of
it. A thread is then held for a bounded time, whatever comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from router.errors import OutOfTime

Check = Callable[[], None]
T = TypeVar("T")


def never() -> None:
    """Let work go on: what a caller cannot make long."""


def until(end: float) -> Check:
    """Return what raises `OutOfTime` when it is called after `end`, a time of `time.perf_counter`."""

    def check() -> None:
        if time.perf_counter() >= end:
            raise OutOfTime("it took too long")

    return check


def checked(items: Iterable[T], check: Check) -> Iterator[T]:
    """Return the items, with a check before each.

    Raises:
        OutOfTime: As the check does.
    """
    for item in items:
        check()
        yield item
