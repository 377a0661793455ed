"""The server: HTTP/1.1 by hand over asyncio streams, and a record of everything that came.

A scenario is a function that is given the connection and plays on it; it leaves the connection usable, or ends it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.support.arrivals import Arrival, wait_for

_PATIENCE_S = 20.0
_MAX_HEAD_BYTES = 2**20


class Ended(Exception):
    """The scenario has ended the connection, or the peer has."""


@dataclass(kw_only=True)
class Record(Arrival):
    """One request as it came, and what became of its connection."""

    bytes_in: int
    attempt: int  # from 1, for each model name
    stopped_at: float | None = None  # when the scenario stopped sending
    scenario: str = "ok"
    options: dict[str, str] = field(default_factory=dict)
    stream: bool = False


class Line:
    """The sending side of one connection, for one request."""

    def __init__(self, record: Record, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.record = record
        self._reader = reader
        self._writer = writer

    def option(self, name: str, default: float) -> int:
        """Give a number of the scenario's options."""
        return int(float(self.record.options.get(name, default)))

    async def send(self, data: bytes) -> None:
        """Send bytes as they are, at the peer's pace.

        Raises:
            Ended: The peer has left.
        """
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (ConnectionError, OSError) as error:
            raise Ended from error

    async def head(self, status: int, *headers: tuple[str, str]) -> None:
        """Send status line and headers."""
        lines = [f"HTTP/1.1 {status} Chaos", *(f"{name}: {value}" for name, value in headers)]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def whole(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """Send a whole answer with its length."""
        await self.head(status, *headers, ("content-length", str(len(body))))
        await self.send(body)

    async def open_stream(self, *headers: tuple[str, str]) -> None:
        """Begin a chunked event stream."""
        await self.head(200, ("content-type", "text/event-stream"), *headers, ("transfer-encoding", "chunked"))

    async def chunk(self, data: bytes) -> None:
        """Send one chunk, at least in a segment of its own as far as this side decides."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))
        await asyncio.sleep(0)

    async def end_stream(self) -> None:
        """End a chunked body."""
        await self.send(b"0\r\n\r\n")

    async def silence(self, seconds: float = 1e6) -> None:
        """Send nothing for so long.

        Raises:
            Ended: The peer has left.
        """
        self.record.stopped_at = time.monotonic()
        try:
            data = await asyncio.wait_for(self._reader.read(1), seconds)
        except TimeoutError:
            return
        except ConnectionError:
            data = b""
        assert not data, "the peer sent the next request before its answer"
        self._left()
        raise Ended

    def cut(self) -> None:
        """End the connection in order.

        Raises:
            Ended: Always.
        """
        self._writer.close()
        raise Ended

    def reset(self) -> None:
        """End the connection with a TCP reset.

        Raises:
            Ended: Always.
        """
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise Ended

    def _left(self) -> None:
        self.record.closed_at = self.record.closed_at or time.monotonic()


Play = Callable[[Line], Coroutine[Any, Any, None]]


@dataclass
class Chaos:
    """The provider. `records` came since the last `reset()`; `open` are the connections open now.

    Port 0 becomes a free one.
    """

    plays: Mapping[str, Play]
    records: list[Record] = field(default_factory=list)
    open: int = 0
    connections: int = 0
    port: int = 0
    host: str = "127.0.0.1"
    _attempts: Counter[str] = field(default_factory=Counter)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        """What to configure as the provider's base URL."""
        return f"http://{self.host}:{self.port}/v1"

    def reset(self) -> None:
        """Forget what came."""
        self.records.clear()
        self._attempts.clear()

    def wait_for(self, count: int) -> Sequence[Record]:
        """Wait until so many requests have come."""
        return wait_for(self.records, count)

    def hang_up(self) -> None:
        """Close every connection."""

        def close() -> None:
            for writer in self._writers:
                writer.close()

        self._loop.call_soon_threadsafe(close)

    async def listen(self) -> asyncio.Server:
        """Listen on its port of its loopback address."""
        server = await asyncio.start_server(self._serve, self.host, self.port, backlog=2048, limit=_MAX_HEAD_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def start(self) -> Chaos:
        """Serve in a thread."""
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="chaos", daemon=True)
        self._thread.start()
        assert started.wait(_PATIENCE_S)
        return self

    def stop(self) -> None:
        """Close everything, once."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self.listen())
        self._loop.call_soon(started.set)
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        number, seen = self.connections, list[Record]()
        self._writers.add(writer)
        try:
            while True:
                seen.append(await self._request(reader, number))
                await self._answer(Line(seen[-1], reader, writer))
                seen[-1].stopped_at = time.monotonic()
        except (Ended, asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            for record in seen:
                record.closed_at = record.closed_at or time.monotonic()
            writer.close()

    async def _answer(self, line: Line) -> None:
        record = line.record
        if record.target == "/chaos/records":
            return await line.whole(200, self._listed(), ("content-type", "application/json"))
        self.records.append(record)
        return await self.plays.get(record.scenario, _unknown)(line)

    async def _request(self, reader: asyncio.StreamReader, number: int) -> Record:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        body = await _body(reader, {name.lower(): value for name, value in headers})
        model, stream = _asked(body)
        self._attempts[model] += 1
        scenario, _, options = model.removeprefix("chaos/").partition("?")
        return Record(
            method,
            target,
            headers,
            body,
            number,
            time.monotonic(),
            bytes_in=len(head) + len(body),
            attempt=self._attempts[model],
            scenario=scenario if model.startswith("chaos/") else "ok",
            options=dict(parse_qsl(options)),
            stream=stream,
        )

    def _listed(self) -> bytes:
        shown: Sequence[str] = ("method", "target", "headers", "bytes_in", "connection", "attempt", "closed_at")
        return json.dumps([{name: getattr(record, name) for name in shown} for record in self.records]).encode()


async def _unknown(line: Line) -> None:
    await line.whole(404, b'{"error": {"message": "no such scenario"}}', ("content-type", "application/json"))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)


def _asked(body: bytes) -> tuple[str, bool]:
    """Give the model's name and whether a stream is asked for."""
    try:
        document = json.loads(body)
        return str(document.get("model", "")), bool(document.get("stream"))
    except (ValueError, AttributeError):
        return "", False
