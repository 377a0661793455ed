"""Whose turn it is when threads are scarce."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.workers import Length, Task, Turns, Workers


async def _entered(turns: Turns, tasks: list[Task]) -> list[Task]:
    """Give those of the tasks that are let in at once; the others are given up."""
    entering = {task: asyncio.create_task(turns.enter(task)) for task in tasks}
    await asyncio.sleep(0)
    inside = [task for task, entry in entering.items() if entry.done()]
    for entry in entering.values():
        entry.cancel()
    await asyncio.gather(*entering.values(), return_exceptions=True)
    return inside


class _Numbered(Task):
    """Tasks are equal when their owner and length are; here each is one of its own."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _tasks(count: int, owner: str, length: Length = Length.SHORT) -> list[Task]:
    return [_Numbered(owner, length) for _ in range(count)]


@pytest.mark.parametrize(
    ("length", "of_one", "of_many"), [(Length.SHORT, 6, 12), (Length.LONG, 3, 6), (Length.HUGE, 1, 2)]
)
def test_a_share_is_bounded(length: Length, of_one: int, of_many: int) -> None:
    """One owner has half of the places, long work half of them in all, and huge bodies come two at a time."""

    async def asked(tasks: list[Task]) -> int:
        return len(await _entered(Turns(12), tasks))

    assert asyncio.run(asked(_tasks(20, "one", length))) == of_one
    many = [task for number in range(20) for task in _tasks(1, f"owner {number}", length)]
    assert asyncio.run(asked(many)) == of_many


def test_short_work_of_others_finds_a_place_beside_long_work_of_many() -> None:
    """However many owners send long requests, a short one of somebody else is let in."""

    async def asked() -> list[Task]:
        long = [task for number in range(50) for task in _tasks(3, f"owner {number}", Length.LONG)]
        return await _entered(Turns(12), [*long, *_tasks(1, "else")])

    assert "else" in {task.owner for task in asyncio.run(asked())}


def test_who_holds_fewest_is_let_in_first() -> None:
    """A place that becomes free goes to the owner with the fewest, not to who came first."""

    async def asked() -> list[str]:
        turns, order = Turns(4), list[str]()

        async def enter(task: Task) -> None:
            await turns.enter(task)
            order.append(task.owner)

        for owner in ("a", "a", "b", "c"):
            await turns.enter(Task(owner))
        waiting = [asyncio.create_task(enter(Task(owner))) for owner in ("a", "b", "d")]
        await asyncio.sleep(0)
        turns.leave(Task("c"))
        await asyncio.sleep(0)
        turns.leave(Task("a"))
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()
        return order

    assert asyncio.run(asked()) == ["d", "a"]


def test_a_place_is_given_to_nobody_whose_time_is_over() -> None:
    """Who gives up at the very moment when a place becomes free takes none, and breaks nothing."""

    async def asked() -> list[Task]:
        turns = Turns(2)
        await turns.enter(Task("a"))
        late = asyncio.create_task(turns.enter(Task("a")))
        await asyncio.sleep(0)
        late.cancel()
        turns.leave(Task("a"))
        await asyncio.gather(late, return_exceptions=True)
        return await _entered(turns, [Task("a"), Task("b")])

    assert asyncio.run(asked()) == [Task("a"), Task("b")]


def test_a_place_is_given_back_by_who_leaves_when_it_is_let_in() -> None:
    """Who is let in and cancelled at once gives the place back."""

    async def asked() -> list[Task]:
        turns = Turns(2)
        await turns.enter(Task("a"))
        late = asyncio.create_task(turns.enter(Task("a")))
        await asyncio.sleep(0)
        turns.leave(Task("a"))
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        return await _entered(turns, [Task("a"), Task("b")])

    assert asyncio.run(asked()) == [Task("a"), Task("b")]


def test_work_keeps_its_place_until_it_has_ended() -> None:
    """A thread that nobody waits for any more still counts as its owner's."""
    release = threading.Event()

    async def asked() -> str:
        workers = Workers(2, "test")
        try:
            job = await workers.begin(Task("a"), 1.0, release.wait, 10.0)
            with pytest.raises(TimeoutError):
                await workers.begin(Task("a"), 0.01, str)
            other = await (await workers.begin(Task("b"), 1.0, str, "of another"))
            release.set()
            await job
            return other + await (await workers.begin(Task("a"), 1.0, str, ", and mine"))
        finally:
            release.set()
            workers.close()

    assert asyncio.run(asked()) == "of another, and mine"
