"""Requests begin a few a turn of the event loop."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from app.edge.turns import Turns


async def begin(turns: Turns, began: list[int], number: int) -> None:
    """Wait for the turn, and tell."""
    await turns.wait()
    began.append(number)


async def test_turns_let_one_begin_at_once() -> None:
    """Where there is room nobody waits for the event loop."""
    waiting = Turns().wait()
    try:
        waiting.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")


async def test_turns_let_everybody_begin_in_order() -> None:
    """A crowd begins a few a turn, first come first served, and what else is ready runs between."""
    turns, began, seen = Turns(), list[int](), list[int]()
    crowd = [asyncio.create_task(begin(turns, began, number)) for number in range(100)]
    while not all(task.done() for task in crowd):
        await asyncio.sleep(0)
        seen.append(len(began))
    assert began == list(range(100))
    assert max(after - before for before, after in pairwise(seen)) <= 8


async def test_turns_pass_over_who_has_left() -> None:
    """One that was cancelled while it waited takes nobody's place."""
    turns, began = Turns(), list[int]()
    crowd = [asyncio.create_task(begin(turns, began, number)) for number in range(40)]
    await asyncio.sleep(0)
    for task in crowd[10:39]:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert began == [*range(10), 39]


async def test_turns_serve_one_crowd_after_another() -> None:
    """When all have begun, the next crowd is served as the first one was."""
    turns, began = Turns(), list[int]()
    for _ in range(2):
        await asyncio.gather(*(begin(turns, began, number) for number in range(20)))
    assert began == [*range(20)] * 2
