"""A request's client is watched from when its answer takes a moment."""

import asyncio

import pytest
from starlette.types import Message

from app.gateway.inbox import ClientGone, Inbox

_LONG_S = 20


async def test_an_answer_that_is_there_at_once_needs_no_task_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task is made beside the request's own, however slow the machine."""
    monkeypatch.setattr("app.gateway.inbox._UNWATCHED_S", 1_000.0)
    inbox = await _read(_Client())
    beside: list[asyncio.Task[object]] = []

    async def work() -> None:
        await asyncio.sleep(0)
        beside.extend(asyncio.all_tasks() - {asyncio.current_task()})

    await inbox.while_present(work())
    await asyncio.sleep(0)
    assert beside == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_client_that_leaves_in_the_first_moment_is_noticed_after_it() -> None:
    """It has gone before anybody looks; the work is cancelled all the same."""
    client = _Client()
    inbox, ended = await _read(client), asyncio.Event()

    async def work() -> None:
        client.leave()
        try:
            await asyncio.sleep(_LONG_S)  # it would end by itself where nobody looked
        finally:
            ended.set()

    with pytest.raises(ClientGone):
        await inbox.while_present(work())
    assert ended.is_set()


class _Client:
    """Sends an empty body, and stays until it leaves."""

    def __init__(self) -> None:
        self._sent = False
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> Message:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}


async def _read(client: _Client) -> Inbox:
    inbox = Inbox(client.receive)
    await inbox.body(0, None)
    return inbox
