"""A process of its own that writes to a registry: `importer.py import|fill URL [COUNT]`.

`import`: says "ready", waits for a line, opens the registry, puts COUNT tools and says what came of it.
`fill`: puts tools, a hundred at a time, until there is no room, and says how many were acknowledged and are there.
"""

from __future__ import annotations

import asyncio
import sys

from app.errors import RegistryError, RegistryFull
from app.registry.store import Registry
from router.types import Tool


def tools(start: int, count: int) -> list[Tool]:
    """Make tools of about a kilobyte."""
    return [Tool(f"imported_{i}", b'{"type":"function"}' * 40) for i in range(start, start + count)]


def say(*words: object) -> None:
    """Tell the test."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def import_tools(url: str, count: int) -> None:
    """Put the tools when told to."""
    prepared = tools(0, count)
    say("ready")
    sys.stdin.readline()
    try:
        registry = await Registry.open(url)
        await registry.put(prepared)
        say("done")
        await registry.close()
    except RegistryError as error:
        say(type(error).__name__, error)


async def fill(url: str) -> None:
    """Put tools until the disk is full."""
    registry = await Registry.open(url)
    acknowledged = 0
    try:
        while acknowledged < 100_000:
            await registry.put(tools(acknowledged, 100))
            acknowledged += 100
    except RegistryFull:
        generation, there = await registry.load()
        deleted = await registry.delete("imported_0")
        say("full", acknowledged // 100 == generation, acknowledged == len(there), deleted)
    await registry.close()


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        asyncio.run(fill(sys.argv[2]))
    else:
        asyncio.run(import_tools(sys.argv[2], int(sys.argv[3])))
