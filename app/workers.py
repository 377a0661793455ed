"""The threads that work for callers, and whose turn it is.

Laws. Nobody holds all threads: one owner holds half of them at most. Long work, whoever it is for, holds half of them
at most, and that of one owner a quarter: what is short finds a thread although somebody sends long requests under a
thousand names. Who holds fewest is let in first; who waits, waits for a bounded time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """Whose work it is, and whether it is long: what a caller can make larger than a constant."""

    owner: str
    long: bool = False


class Turns:
    """Lets tasks in, one after the other. For one event loop."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: Counter[str] = Counter()
        self._long: Counter[str] = Counter()
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
            else:  # let in at the same moment
                self.leave(task)
            raise

    def leave(self, task: Task) -> None:
        """Give a place back, and let others in."""
        for held in (self._held, self._long) if task.long else (self._held,):
            held[task.owner] -= 1
            if not held[task.owner]:
                del held[task.owner]
        while able := [one for one in self._waiting if self._has_room(one.task)]:
            first = min(able, key=lambda one: self._held[one.task.owner])  # of equals who came first
            self._waiting.remove(first)
            self._take(first.task)
            first.let_in.set_result(None)

    def _take(self, task: Task) -> None:
        self._held[task.owner] += 1
        if task.long:
            self._long[task.owner] += 1

    def _has_room(self, task: Task) -> bool:
        half, quarter = self._places // 2, self._places // 4
        if self._held.total() >= self._places or self._held[task.owner] >= half:
            return False
        return not task.long or (self._long.total() < half and self._long[task.owner] < quarter)


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
