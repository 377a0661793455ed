"""What a crowd of bad clients costs: the figures of docs/reliability.md, section (b).

    python -m tests.edge.crowd [CLIENTS]

A server and a scripted provider on this machine; a thousand clients at once that never finish their heads, a thousand
that take nothing of a long answer, and five hundred that leave. Meanwhile one client asks for /healthz again and
again: its times tell how long the event loop was held up.
"""

from __future__ import annotations

import asyncio
import select
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Answer, Ending, Framing, Upstream, event, json_answer, never, sse

_MIB = 2**20
_CYCLES = 3
_LEAVING = 500
# Events of 4 KiB, larger ones than models send; the provider keeps what is not taken from it, so the sum is bounded.
_LONG = Answer(headers=[("content-type", "text/event-stream")], pieces=[b"x" * 4096] * 512, framing=Framing.CHUNKED)


def percentile(times: list[float], share: float) -> float:
    """Give a percentile, the nearest one above."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def described(times: list[float]) -> str:
    """Write times in seconds as milliseconds."""
    p50, p99, most = (percentile(times, share) * 1e3 for share in (0.5, 0.99, 1))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms"


class Crowd:
    """Clients of one server."""

    def __init__(self, gateway: GatewayProcess, upstream: Upstream, clients: int) -> None:
        self.gateway, self.upstream, self.clients = gateway, upstream, clients
        self.server = psutil.Process(gateway.pid)

    async def healthy(self, until: Awaitable[object]) -> str:
        """Have another process ask for /healthz until something is done; give the times that it took."""
        command = [sys.executable, "-m", "tests.edge.crowd", "healthy", str(self.gateway.port)]
        other = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        await until
        return (await other.communicate(b""))[0].decode().strip()

    async def alone(self) -> None:
        """Nobody else."""
        print(f"nobody else: {await self.healthy(asyncio.sleep(3))}", flush=True)

    async def slow_heads(self) -> None:
        """Half a head each, and the times until the 408 came and the connection was closed."""

        async def client() -> float:
            reader, writer = await self._connect()
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a: ")
            started = time.perf_counter()
            received = await reader.read()
            assert sockets.statuses(received) == [408], received
            writer.close()
            return time.perf_counter() - started

        clients = asyncio.gather(*(client() for _ in range(self.clients)))
        times = await self.healthy(clients)
        closed = clients.result()
        print(
            f"{self.clients} half heads: 408 after {min(closed):.2f} to {max(closed):.2f} s; others {times}", flush=True
        )

    async def slow_readers(self) -> None:
        """An answer of 2 MiB each, of which nothing is read."""
        self.upstream.respond_by(lambda request: _LONG if b"stream" in request.body else json_answer({}))
        body = sockets.request(tools.encoded(tools.chat("hello", stream=True)))
        for cycle in range(_CYCLES):
            before, files = self.server.memory_info().rss, self.server.num_fds()
            self.upstream.requests.clear()
            opened = [await self._connect(room=4096) for _ in range(self.clients)]
            for _, writer in opened:
                writer.write(body)
            times = await self.healthy(self._all_came())
            used = (self.server.memory_info().rss - before) / _MIB
            for _, writer in opened:
                writer.transport.abort()
            await asyncio.sleep(6)
            now = self.server.memory_info().rss
            print(
                f"{self.clients} slow readers, cycle {cycle + 1}: {used / self.clients:.2f} MiB each; afterwards "
                f"{now / before:.2f} times the memory before, {self.server.num_fds() - files:+} files; "
                f"others {times}",
                flush=True,
            )

    async def leaving(self) -> None:
        """Clients that leave one after another; the times until the provider's connection was closed."""
        for name, stream, answer, began in (
            ("before the headers, plain", False, never(), False),
            ("before the headers, streaming", True, never(), False),
            ("in mid-stream", True, sse(event({"content": "a"}), ending=Ending.HANG), True),
        ):
            self.upstream.respond_by(lambda _, answer=answer: answer)  # type: ignore[misc]
            body = sockets.request(tools.encoded(tools.chat("hello", stream=stream)))
            times = [await self._leave(body, began=began) for _ in range(_LEAVING)]
            print(f"{_LEAVING} clients leave {name}: the provider's connection is closed after {described(times)}")

    async def _leave(self, body: bytes, *, began: bool) -> float:
        self.upstream.requests.clear()
        reader, writer = await self._connect()
        writer.write(body)
        if began:
            await reader.readuntil(b"data: ")
        while not self.upstream.requests:  # noqa: ASYNC110 - recorded in another thread
            await asyncio.sleep(0.001)
        left = time.monotonic()
        writer.transport.abort()
        while (closed := self.upstream.requests[0].closed_at) is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        return closed - left

    async def _all_came(self) -> None:
        while len(self.upstream.requests) < self.clients:  # noqa: ASYNC110 - recorded in another thread
            await asyncio.sleep(0.05)
        await asyncio.sleep(3)

    async def _connect(self, room: int = 2**16) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.gateway.port))
        return await asyncio.open_connection(sock=sock, limit=room)


def ask_on(port: int) -> list[float]:
    """Ask for /healthz until standard input ends; give the times in seconds."""
    times: list[float] = []
    with sockets.RawClient(port) as client:
        while not select.select([sys.stdin], [], [], 0.01)[0]:
            started = time.perf_counter()
            client.send(sockets.request(method="GET", target="/healthz"))
            client.answer()
            times.append(time.perf_counter() - started)
    return times


@contextmanager
def crowd(clients: int) -> Iterator[Crowd]:
    """Start a provider and a server."""
    upstream = Upstream().start()
    settings = {"UPSTREAM__BASE_URL": upstream.base_url, "UPSTREAM__MAX_CONNECTIONS": str(2 * clients)}
    with tempfile.TemporaryDirectory() as directory:
        gateway = GatewayProcess.start(Path(directory), settings)
        try:
            yield Crowd(gateway, upstream, clients)
        finally:
            gateway.stop()
            upstream.stop()


async def main(clients: int) -> None:
    """Run everything, one after another."""
    with crowd(clients) as here:
        parts: list[Callable[[], Awaitable[None]]] = [here.alone, here.slow_heads, here.slow_readers, here.leaving]
        for part in parts:
            await part()


if __name__ == "__main__":
    if sys.argv[1:2] == ["healthy"]:
        print(described(ask_on(int(sys.argv[2]))))
        sys.exit()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
