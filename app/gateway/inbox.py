"""What comes from a client: its body, and the news that it has gone."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine

from starlette.types import Receive

from app.errors import BodyTooLarge


def _unheld(_: int) -> None:
    pass


# A client that leaves sooner is noticed only then, or when something is sent to it.
_UNWATCHED_S = 0.02


class ClientGone(Exception):
    """The client closed its connection."""


class Inbox:
    """Reads a request's messages, by one reader at a time."""

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._read = asyncio.Event()

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece.

        Raises:
            ClientGone: The client left before its end.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                self._read.set()
                raise ClientGone
            more = message.get("more_body", False)
            if not more:
                self._read.set()
            if chunk := message.get("body", b""):
                yield chunk

    async def body(self, limit: int, announced: int | None, held: Callable[[int], None] = _unheld) -> bytes:
        """Give the whole body. `held` is told of each piece before it is kept, and may raise.

        Raises:
            BodyTooLarge: It has, or says that it has, more than `limit` bytes; not read beyond that.
            ClientGone: The client left before its end.
        """
        refusal = BodyTooLarge(f"The request body is larger than the {limit} bytes that this gateway accepts.")
        if announced is not None and announced > limit:
            raise refusal
        whole = io.BytesIO()  # grows chunk by chunk: joining them would hold up others for all of it
        async for chunk in self.stream():
            if whole.tell() + len(chunk) > limit:
                raise refusal
            held(len(chunk))
            whole.write(chunk)
        return whole.getvalue()

    async def while_present(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` to its end, or cancel it when the client has gone.

        Nobody looks in the first moment: a task beside each request takes a twentieth of what a short one does.

        Raises:
            ClientGone: The client has gone, and the work has ended.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - whoever awaits is in a task
        before, left, over = task.cancelling(), False, False
        watching: asyncio.Handle | asyncio.Task[None]

        def leave(watching: asyncio.Task[None]) -> None:
            nonlocal left
            if not (over or watching.cancelled()):
                left = True
                task.cancel()

        def watch() -> None:
            nonlocal watching
            watching = asyncio.create_task(self._gone())
            watching.add_done_callback(leave)

        watching = asyncio.get_running_loop().call_later(_UNWATCHED_S, watch)
        try:
            await work
        except BaseException as error:
            # Somebody else may have cancelled it, too.
            if left and (task.uncancel() <= before or not isinstance(error, asyncio.CancelledError)):
                raise ClientGone from None
            raise
        else:
            if left:
                task.uncancel()
        finally:
            over = True
            watching.cancel()

    async def _gone(self) -> None:
        await self._read.wait()
        while not self.gone and (await self._receive())["type"] != "http.disconnect":
            pass
