"""One request in hand: its id, its clock, its sending side, its trace, and the record of what it came to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.types import Message, Scope, Send

from app import presence
from app.credentials import Headers
from app.errors import Overloaded
from app.gateway.bodies import Bodies, HeldBody
from app.gateway.inbox import ClientGone
from app.recent import Choice
from app.telemetry import Telemetry, Usage
from app.telemetry.logs import request_id, sane_id
from app.telemetry.traces import Trace, Tracing

_ID = b"x-request-id"


class Entrance:
    """Counts who is inside, and turns away who would be one too many."""

    def __init__(self) -> None:
        self.inside = 0
        self.bodies = Bodies()

    @contextmanager
    def entered(self, limit: int, telemetry: Telemetry) -> Iterator[None]:
        """Be inside.

        Raises:
            Overloaded: There are `limit` requests inside.
        """
        if self.inside >= limit:
            raise Overloaded(f"The gateway has {limit} requests in hand, as many as it takes. Try again in a moment.")
        self.inside += 1
        telemetry.entered(self.inside)
        try:
            yield
        finally:
            self.inside -= 1
            telemetry.entered(self.inside)


class Exchange:
    """One request. Called with the messages of its answer; `marks` holds when its steps ended, in seconds."""

    def __init__(self, route: str, scope: Scope, send: Send, tracing: Tracing | None) -> None:
        self.marks = {"begin": time.perf_counter()}
        self.route = route
        self.scope = scope
        self.usage = Usage()
        self.begun = self.ended = False
        self.body: bytes | AsyncIterator[bytes] = b""
        self.held: HeldBody | None = None
        self.choice: Choice | None = None
        self._send = send
        self.is_deserted = presence.told(scope)
        self.id = request_id(scope["headers"])
        self.trace: Trace | None = tracing.begin(route, scope, self.id) if tracing else None

    async def __call__(self, message: Message) -> None:
        """Send a message of the answer, and note it once it was taken.

        Raises:
            ClientGone: Nobody is there any more to whom it could be sent.
        """
        if self.is_deserted():
            raise ClientGone
        if message["type"] == "http.response.start":
            self.begun = True
            self._name(message["headers"])
            await self._send(message)
            self.usage.status = message["status"]
        else:
            await self._send(message)
            if body := message.get("body"):
                if not self.usage.sent_bytes:
                    self.mark("first byte")
                self.usage.sent_bytes += len(body)
        self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    def hold(self, size: int) -> None:
        """Hold so many bytes more of its body.

        Raises:
            Overloaded: There is no room for them.
        """
        if self.held is not None:
            self.held.grow(size)

    def take_body(self) -> bytes | AsyncIterator[bytes]:
        """Return what is to be sent; from now on it is only the taker's."""
        body, self.body = self.body, b""
        return body

    def release_body(self) -> None:
        """Let others have the room of a body that has been sent."""
        if self.held is not None:
            self.held.release()

    def mark(self, step: str) -> None:
        """Note that a step has ended."""
        self.marks[step] = time.perf_counter()

    def since(self, step: str) -> float | None:
        """Give the seconds from the request's begin to the end of a step; None where it was not reached."""
        at = self.marks.get(step)
        return None if at is None else at - self.marks["begin"]

    def outgoing(self) -> Headers:
        """Give the headers to send on: the client's own, with the request's id and its trace."""
        headers: Headers = list(self.scope["headers"])
        if not any(name == _ID for name, _ in headers):  # one that is no use to us may be of use to the provider
            headers.append((_ID, self.id.encode()))
        return self.trace.passed_on(headers) if self.trace is not None else headers

    def _name(self, headers: Headers) -> None:
        """Add the id to the answer's headers; where the provider gave one of its own, that one stays."""
        theirs = next((value for name, value in headers if name == _ID), None)
        if theirs is None:
            headers.append((_ID, self.id.encode()))
        elif sane_id(theirs):
            self.usage.upstream_id = theirs.decode()
        headers.append((b"x-toolfunnel-request-id", self.id.encode()))
