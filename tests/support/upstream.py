"""A scripted provider: HTTP/1.1 by hand on a real loopback port, in a thread with a loop of its own.

It records every request as it came over the wire and answers as the test says. Nothing here parses more HTTP than
it must: what the gateway sends is the test's subject.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, cast

from tests.support.arrivals import Arrival, wait_for

_PATIENCE_S = 10.0
_STEP_S = 0.003

Piece = bytes | float | threading.Event  # bytes to send, seconds to pause, or what to wait for


class Framing(Enum):
    """How the end of an answer's body is told."""

    CHUNKED = auto()
    LENGTH = auto()
    CLOSE = auto()


class Ending(Enum):
    """What comes after the last piece."""

    WHOLE = auto()  # the body's end as its framing says
    RESET = auto()  # TCP reset
    CUT = auto()  # the connection is closed before the body's end
    HANG = auto()  # nothing, until the peer leaves


@dataclass(frozen=True)
class Answer:
    """What to answer. Without a status no head is sent, and the pieces go out as they are."""

    status: int | None = 200
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)
    pieces: Sequence[Piece] = ()
    framing: Framing = Framing.LENGTH
    ending: Ending = Ending.WHOLE
    length: int | None = None  # a content-length that is not that of the pieces

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))


@dataclass
class Request(Arrival):
    """One request as it came."""

    def json(self) -> Any:
        """Give the body as a JSON value."""
        return json.loads(self.body)

    @property
    def tool_names(self) -> list[str]:
        """Give the names in the tool list, in order; of legacy `functions` where there is no other."""
        body = self.json()
        tools = body.get("tools") or body.get("functions") or []
        return [(tool.get("function") or tool.get("custom") or tool).get("name", "") for tool in tools]


Script = Callable[[Request], Answer]


def json_answer(value: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, [("content-type", "application/json"), *headers], [json.dumps(value).encode()])


def sse(*pieces: Piece, ending: Ending = Ending.WHOLE, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Answer with a chunked event stream, a chunk a piece."""
    return Answer(200, [("content-type", "text/event-stream"), *headers], pieces, Framing.CHUNKED, ending)


def never() -> Answer:
    """Take the request and never answer."""
    return Answer(None, ending=Ending.HANG)


def event(delta: dict[str, Any], finish: str | None = None, **extra: object) -> bytes:
    """Write one chunk of a streamed chat completion."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    return b"data: " + json.dumps(chunk | {"choices": choices} | extra).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
STREAM = sse(
    event({"role": "assistant", "content": ""}),
    event({"content": "Hel"}),
    event({"content": "lo"}, "stop"),
    DONE,
)
COMPLETION = json_answer(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
)


def completes(request: Request) -> Answer:
    """Answer a chat request with a short completion, streamed if it asks for it; anything else with `{}`."""
    if not request.target.partition("?")[0].endswith("/chat/completions"):
        return json_answer({})
    try:
        return STREAM if request.json().get("stream") else COMPLETION
    except (ValueError, AttributeError, RecursionError):
        return COMPLETION


@dataclass
class Upstream:
    """The provider. `requests` came since the last `reset()`; `connections` counts all that were ever opened."""

    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _script: Script = completes
    _queue: deque[Answer] = field(default_factory=deque)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _open: set[_Connection] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        """What to configure as the provider's base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last(self) -> Request:
        """Give the latest request."""
        return self.requests[-1]

    def respond_with(self, *answers: Answer) -> None:
        """Answer the next requests so, in this order, then as before."""
        self._queue.extend(answers)

    def respond_by(self, script: Script) -> None:
        """Answer every request by what a function says."""
        self._script = script

    def reset(self) -> None:
        """Forget the requests and go back to the default answers."""
        self.requests.clear()
        self._queue.clear()
        self._script = completes

    def wait_for(self, count: int) -> Sequence[Request]:
        """Wait until so many requests have come."""
        return wait_for(self.requests, count)

    def start(self) -> Upstream:
        """Listen, in a thread."""
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="upstream", daemon=True)
        self._thread.start()
        assert started.wait(_PATIENCE_S)
        return self

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)

    def answer_to(self, request: Request) -> Answer:
        """Record a request and find its answer."""
        self.requests.append(request)
        return self._queue.popleft() if self._queue else self._script(request)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=512)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._loop.call_soon(started.set)
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._close_all())
        self._loop.close()

    async def _close_all(self) -> None:
        tasks = [connection.task for connection in list(self._open)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)


class _Connection(asyncio.Protocol):
    """One connection: requests in, answers out, and the time the peer leaves."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._input = asyncio.StreamReader(limit=2**20)
        self._seen: list[Request] = []
        self._gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.connections += 1
        self._number = self._upstream.connections
        self._upstream._open.add(self)
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._input.feed_data(data)

    def eof_received(self) -> None:
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        self._upstream._open.discard(self)

    def _left(self) -> None:
        now = time.monotonic()
        for request in self._seen:
            request.closed_at = request.closed_at or now
        self._gone.set()
        self._input.feed_eof()

    async def _serve(self) -> None:
        try:
            while (request := await self._request()) is not None:
                self._seen = [request]
                if not await self._answer(request, self._upstream.answer_to(request)):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._transport.close()

    async def _request(self) -> Request | None:
        try:
            head = await self._input.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        arrived = time.monotonic()
        return Request(method, target, headers, await self._body(headers), self._number, arrived)

    async def _body(self, headers: list[tuple[str, str]]) -> bytes:
        lower = {name.lower(): value for name, value in headers}
        if "chunked" in lower.get("transfer-encoding", ""):
            parts = []
            while size := int((await self._input.readline()).split(b";")[0], 16):
                parts.append(await self._input.readexactly(size))
                await self._input.readexactly(2)
            await self._input.readline()
            return b"".join(parts)
        return await self._input.readexactly(int(lower.get("content-length", "0")))

    async def _answer(self, request: Request, answer: Answer) -> bool:
        """Send an answer; give whether the connection can be used again."""
        has_body = request.method != "HEAD" and answer.status not in (204, 304)
        self._send(_head(answer, has_body))
        for piece in answer.pieces if has_body else ():
            if not await self._piece(piece, chunked=answer.status is not None and answer.framing is Framing.CHUNKED):
                return False
        if answer.ending is Ending.HANG:
            await self._gone.wait()
        if answer.ending is Ending.RESET:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        if answer.ending is not Ending.WHOLE or answer.status is None or answer.framing is Framing.CLOSE:
            return False
        if answer.framing is Framing.CHUNKED and has_body:
            self._send(b"0\r\n\r\n")
        return True

    async def _piece(self, piece: Piece, *, chunked: bool) -> bool:
        """Send a piece, or wait; give False when the peer has left."""
        if isinstance(piece, bytes):
            self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked and piece else piece)
            await asyncio.sleep(0)
        elif isinstance(piece, threading.Event):
            while not piece.is_set() and not self._gone.is_set():  # noqa: ASYNC110 - set in another thread
                await asyncio.sleep(_STEP_S)
        else:
            await asyncio.wait({asyncio.ensure_future(self._gone.wait())}, timeout=piece)
        return not self._gone.is_set()

    def _send(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)


def _head(answer: Answer, has_body: bool) -> bytes:
    if answer.status is None:
        return b""
    headers = list(answer.headers)
    if answer.framing is Framing.CHUNKED and has_body:
        headers.append(("transfer-encoding", "chunked"))
    elif answer.framing is Framing.LENGTH and answer.status != 204:
        headers.append(("content-length", str(len(answer.body) if answer.length is None else answer.length)))
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
