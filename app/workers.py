"""The threads that work for callers, and whose turn it is.

Laws. Nobody holds all threads: one owner holds half of them at most. Long work, whoever it is for, holds half of them
at most, and that of one owner a quarter: what is short finds a thread although somebody sends long requests under a
thousand names. Of huge bodies two are worked on at a time, one of an owner: C functions go through them with the
interpreter held, and the event loop waits for each. Who holds fewest is let in first; who waits, waits for a bounded
time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Length(IntEnum):
    """How long work can be: less than a constant, what a deadline ends, and what holds the interpreter as well."""

    SHORT = 0
    LONG = 1
    HUGE = 2


@dataclass(frozen=True, slots=True)
class Task:
    """Whose work it is, and how long it can be."""

    owner: str
    length: Length = Length.SHORT


class Turns:
    """Lets tasks in, one after the other. For one event loop."""

    def __init__(self, places: int) -> None:
        # For work of at least a length: how many places there are, and of one owner, and who holds them.
        self._most = {
            Length.SHORT: (places, places // 2),
            Length.LONG: (places // 2, places // 4),
            Length.HUGE: (2, 1),
        }
        self._held: dict[Length, Counter[str]] = {length: Counter() for length in Length}
        self._waiting: list[_Waiting] = []

    async def enter(self, task: Task) -> None:
        """Wait for a place; give it back by `leave`."""
        if self._has_room(task):
            self._take(task)
            return
        waiting = _Waiting(task)
        self._waiting.append(waiting)
        try:
            await waiting.let_in
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:  # it was let in at the same moment
                self.leave(task)
            raise

    def leave(self, task: Task) -> None:
        """Give a place back, and let others in."""
        for held in self._counts(task):
            held[task.owner] -= 1
            if not held[task.owner]:
                del held[task.owner]
        while able := [one for one in self._waiting if not one.let_in.done() and self._has_room(one.task)]:
            first = min(able, key=lambda one: self._held[Length.SHORT][one.task.owner])  # of equals who came first
            self._waiting.remove(first)
            self._take(first.task)
            first.let_in.set_result(None)

    def _take(self, task: Task) -> None:
        for held in self._counts(task):
            held[task.owner] += 1

    def _has_room(self, task: Task) -> bool:
        limits = (self._most[length] for length in Length if length <= task.length)
        return all(
            held.total() < most and held[task.owner] < of_one
            for held, (most, of_one) in zip(self._counts(task), limits, strict=True)
        )

    def _counts(self, task: Task) -> list[Counter[str]]:
        return [self._held[length] for length in Length if length <= task.length]


@dataclass(eq=False, slots=True)
class _Waiting:
    task: Task
    let_in: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Workers:
    """Threads with turns. `close()` them."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._turns = Turns(threads)

    def close(self) -> None:
        """End the threads, as soon as each has done what it does."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def begin(self, task: Task, wait_s: float, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Begin work in a thread, and give what will be its result. It keeps its place until it has ended.

        Raises:
            TimeoutError: There was no place for it in time.
        """
        async with asyncio.timeout(wait_s):
            await self._turns.enter(task)
        run = partial(copy_context().run, work, *arguments)  # lines in the log name the request
        try:
            job = asyncio.get_running_loop().run_in_executor(self._threads, run)
        except BaseException:  # closed
            self._turns.leave(task)
            raise
        job.add_done_callback(partial(self._done, task))
        return job

    def _done(self, task: Task, job: asyncio.Future[T]) -> None:
        """Let the next one in; and take note of a late error, so that nobody complains it was never seen."""
        self._turns.leave(task)
        if not job.cancelled():
            job.exception()
