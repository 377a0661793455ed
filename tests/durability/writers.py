"""Processes that write to a registry and die: by a signal from outside, or by their own hand at a named place.

`Writers` starts one that has imported everything (`python -m tests.durability.writers`), and forks it for each run.
A run says `acked N` for each put that was acknowledged, `refused N` for one that was not. Failpoints are hung into the
running process from here; the product has none.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from sqlalchemy import event

from app.errors import RegistryError
from app.registry import backup
from app.registry.store import Registry
from router.types import Tool

BATCH = 40
FAILPOINTS = (
    "after insert",
    "after generation",
    "before commit",
    "after commit",
    "before rename",
    "after rename",
)


@dataclass
class Run:
    """A process that writes."""

    pid: int
    output: Path

    def kill(self) -> None:
        """End it without a word; it may have ended by itself."""
        os.kill(self.pid, signal.SIGKILL)

    def told(self, word: str) -> list[str]:
        """Give the lines that begin with a word, without it: `acked` or `refused`."""
        lines = self.output.read_text().splitlines()
        return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]


class Writers:
    """Makes processes that write. `close()` it."""

    def __init__(self, directory: Path, variables: Mapping[str, str] | None = None) -> None:
        self._directory = Path(mkdtemp(dir=directory))  # of several makers, each tells apart its own
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.durability.writers"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def start(self, work: str, url: str, **options: object) -> Run:
        """Begin `put`, `upsert` or `backup`."""
        self._count += 1
        output = self._directory / f"writer-{self._count}"
        self._tell({"work": work, "url": url, "output": str(output), **options})
        return Run(int(self._answer()), output)

    def wait(self, run: Run) -> int:
        """Wait for the end of a run; give its exit code, negative for a signal."""
        self._tell({"wait": run.pid})
        return int(self._answer())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _tell(self, request: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def batch(number: int, tag: str = "") -> list[Tool]:
    """Make the tools of a put: all or none of them is there."""
    return [
        Tool(f"b{number}_{i}", b'{"type":"function"}' * 20, description=f"Tool {i}", tags=(tag,) if tag else ())
        for i in range(BATCH)
    ]


async def _put(registry: Registry, say: Callable[[str], None], request: dict[str, Any]) -> None:
    for number in range(request.get("first", 0), request.get("first", 0) + request.get("puts", 10_000)):
        try:
            await registry.put(batch(number))
            say(f"acked {number}")
        except RegistryError as error:
            say(f"refused {number} {type(error).__name__}")


async def _upsert(registry: Registry, say: Callable[[str], None], request: dict[str, Any]) -> None:
    for number in range(request["puts"]):
        mark = f"{os.getpid()}_{number}"
        edit = partial(_marked, mark)
        began = time.perf_counter()
        try:
            await registry.change(f"b0_{(number * 7) % BATCH}", edit)
            say(f"acked {mark} {time.perf_counter() - began:.4f}")
        except RegistryError as error:
            say(f"refused {mark} {error}")
        await registry.load()


def _marked(mark: str, tool: Tool) -> Tool:
    return replace(tool, tags=(*tool.tags, mark))


async def _backup(registry: Registry, say: Callable[[str], None], request: dict[str, Any]) -> None:
    await backup.backup(registry, Path(request["file"]))
    say("acked")


class _Failpoint:
    """Ends the process when a place is reached for the nth time."""

    def __init__(self, place: str, countdown: int) -> None:
        self._place = place
        self._left = countdown

    def hang_into(self, database: Any) -> None:
        """Watch what a database and the file system do."""
        engine = database.engine.sync_engine
        event.listen(engine, "after_cursor_execute", self._executed)
        event.listen(engine, "commit", lambda _: self._reached("before commit"))
        writing, rename = database.writing, Path.replace

        @asynccontextmanager
        async def watched() -> AsyncIterator[object]:
            async with writing() as connection:
                yield connection
            self._reached("after commit")

        def replaced(path: Path, target: Path) -> Path:
            self._reached("before rename")
            renamed = rename(path, target)
            self._reached("after rename")
            return renamed

        database.writing = watched
        Path.replace = replaced  # type: ignore[method-assign,assignment]

    def _executed(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO tools"):
            self._reached("after insert")
        if statement.startswith("UPDATE generation"):
            self._reached("after generation")

    def _reached(self, place: str) -> None:
        self._left -= place == self._place
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def _work(request: dict[str, Any]) -> None:
    with Path(request["output"]).open("a", buffering=1) as output:  # noqa: ASYNC230 - lines must be out at once

        def say(line: str) -> None:
            output.write(line + "\n")

        registry = await Registry.open(request["url"], busy_timeout_ms=30_000)
        if "failpoint" in request:
            _Failpoint(request["failpoint"], request["countdown"]).hang_into(registry.database)
        os.environ["FAULT_RATE"] = str(request.get("fault_rate", 0))
        await {"put": _put, "upsert": _upsert, "backup": _backup}[request["work"]](registry, say, request)
        await registry.close()


def main() -> None:
    """Fork for each line of standard input."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                asyncio.run(_work(request))
                os._exit(0)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
