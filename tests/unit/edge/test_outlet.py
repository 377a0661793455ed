"""app/edge/outlet.py: heads and what follows them, over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from app.edge.outlet import Outlet

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Counted:
    """Passes on what a transport is told, and notes what was written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.inside = transport
        self.written: list[bytes] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inside, name)

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.inside.write(data)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Outlet, Counted, asyncio.StreamReader]]:
    """Give an outlet, the transport inside, and who reads at the other end."""
    made: asyncio.Queue[Counted] = asyncio.Queue()

    class Served(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.put_nowait(Counted(transport))  # type: ignore[arg-type]

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Served, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    counted = await made.get()
    yield Outlet(counted, loop), counted, reader  # type: ignore[arg-type]
    counted.inside.abort()
    writer.close()
    server.close()


async def test_a_head_goes_with_what_follows() -> None:
    """Head and body are one piece; what comes later goes by itself."""
    async with connected() as (outlet, inside, reader):
        for data in (HEAD, b"one", b"two"):
            outlet.write(data)
        assert inside.written == [HEAD + b"one", b"two"]
        assert await reader.readexactly(len(HEAD) + 6) == HEAD + b"onetwo"


async def test_a_head_that_nothing_follows_goes_alone() -> None:
    """Whoever waits for a slow answer has its head at once."""
    async with connected() as (outlet, inside, reader):
        outlet.write(HEAD)
        assert inside.written == []
        assert await asyncio.wait_for(reader.readexactly(len(HEAD)), 30) == HEAD
        outlet.write(b"later")
        assert await reader.readexactly(5) == b"later"


@pytest.mark.parametrize("end", [Outlet.close, Outlet.write_eof])
async def test_a_head_is_sent_before_the_end(end: Callable[[Outlet], None]) -> None:
    """What was written before the sending side closed arrives."""
    async with connected() as (outlet, _, reader):
        outlet.write(HEAD)
        end(outlet)
        assert await reader.read() == HEAD


async def test_a_head_is_dropped_with_its_connection() -> None:
    """Where the connection is broken off there is nothing to be sent any more."""
    async with connected() as (outlet, inside, reader):
        outlet.write(HEAD)
        outlet.abort()
        await asyncio.sleep(0)
        assert inside.written == []
        assert await reader.read() == b""
