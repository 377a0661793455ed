"""app/registry/snapshot.py: the catalogue in use follows the registry, whatever fails around it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.errors import RegistryError
from app.registry import snapshot
from app.registry.snapshot import Snapshots
from app.registry.store import Changes, Registry, State
from app.telemetry import Telemetry
from router.errors import EncoderError
from router.types import Tool, Vectors


class Encoder:
    """Turns every text into the same vector, and counts them; `broken` or a `poison` word raises `error`."""

    name = "same"
    key = "same"
    dimension = 2

    def __init__(self) -> None:
        self.texts = 0
        self.broken = False
        self.poison = "\0"
        self.error: Exception = EncoderError("broken")
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, texts: list[str]) -> Vectors:
        if self.broken or any(self.poison in text for text in texts):
            raise self.error
        self.gate.wait(10)
        self.texts += len(texts)
        return np.tile(np.asarray([1.0, 0.0], dtype=np.float32), (len(texts), 1))

    def encode_query(self, texts: list[str]) -> Vectors:
        """Encode questions."""
        return self.encode(texts)

    def encode_document(self, texts: list[str]) -> Vectors:
        """Encode tools."""
        return self.encode(texts)


class CountingRegistry(Registry):
    """Counts how often everything is read; fails as often as told."""

    loads = 0
    faults = 0

    async def changes(self, since: State | None = None) -> Changes:
        self.loads += 1
        await asyncio.sleep(0.01)
        if self.faults:
            self.faults -= 1
            raise ValueError("a fault that nobody thought of")
        return await super().changes(since)


def tool(name: str) -> Tool:
    """Give a tool."""
    return Tool(name, b'{"type":"function","function":{"name":"%b"}}' % name.encode(), description=f"Does {name}.")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[CountingRegistry]:
    """An empty registry."""
    opened = await CountingRegistry.open(f"sqlite:///{tmp_path}/registry.db", busy_timeout_ms=50)
    assert isinstance(opened, CountingRegistry)
    yield opened
    await opened.close()


@pytest.fixture
def encoder() -> Encoder:
    """An encoder."""
    return Encoder()


@pytest.fixture
def snapshots(registry: CountingRegistry, encoder: Encoder) -> Snapshots:
    """Snapshots that have not started."""
    return Snapshots(registry, [encoder], Telemetry(), poll_s=0.01)


@asynccontextmanager
async def following(snapshots: Snapshots) -> AsyncIterator[None]:
    """Let snapshots follow their registry."""
    await snapshots.start()
    try:
        yield
    finally:
        await snapshots.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is told by no event
            await asyncio.sleep(0.005)


async def test_refresh_takes_what_is_registered(registry: Registry, snapshots: Snapshots) -> None:
    """Tools and their vectors are in the catalogue when refresh returns."""
    await registry.put([tool("a"), tool("b")])
    await snapshots.refresh()
    assert [t.name for t in snapshots.catalog.tools] == ["a", "b"]
    assert snapshots.ready


async def test_refresh_without_a_change_keeps_the_catalogue(registry: Registry, snapshots: Snapshots) -> None:
    """Where nothing has changed nothing is built."""
    await registry.put([tool("a")])
    await snapshots.refresh()
    catalog = snapshots.catalog
    await snapshots.refresh()
    assert snapshots.catalog is catalog


async def test_refreshes_that_queue_up_are_one(registry: CountingRegistry, snapshots: Snapshots) -> None:
    """Fifty writers at once do not read the whole registry fifty times, and each finds its tool in the catalogue."""

    async def write(name: str) -> bool:
        await registry.put([tool(name)])
        await snapshots.refresh()
        return name in snapshots.catalog.by_name

    assert all(await asyncio.gather(*(write(f"t{i}") for i in range(50))))
    assert registry.loads < 40


async def test_known_vectors_are_made_once(registry: Registry, snapshots: Snapshots, encoder: Encoder) -> None:
    """A tool that changes its tags or comes back after its removal is not embedded anew."""
    await registry.put([tool("a")])
    await snapshots.refresh()
    texts = encoder.texts
    await registry.put([replace(tool("a"), risk=tool("a").risk.WRITE)])
    await snapshots.refresh()
    await registry.delete("a")
    await snapshots.refresh()
    await registry.put([tool("a")])
    await snapshots.refresh()
    assert encoder.texts == texts


async def test_durability_c12_a_broken_encoder_hides_no_change(
    registry: Registry, snapshots: Snapshots, encoder: Encoder
) -> None:
    """That a tool is disabled is seen although another one cannot be embedded; it is embedded later."""
    await registry.put([tool("a")])
    async with following(snapshots):
        encoder.broken = True
        await registry.put([replace(tool("a"), enabled=False), tool("b")])
        await snapshots.refresh()
        assert [t.enabled for t in snapshots.catalog.tools] == [False, True]
        assert snapshots.pending == 1


async def test_a_fault_of_an_encoder_keeps_no_deleted_tool(
    registry: Registry, snapshots: Snapshots, encoder: Encoder
) -> None:
    """Whatever an encoder raises, a tool that was deleted meanwhile is gone, and the new one is there."""
    await registry.put([tool("a")])
    await snapshots.refresh()
    encoder.broken, encoder.error = True, KeyError("a fault that nobody thought of")
    await registry.delete("a")
    await registry.put([tool("b")])
    await snapshots.refresh()
    assert [t.name for t in snapshots.catalog.tools] == ["b"]
    assert snapshots.pending == 1


async def test_a_slow_encoder_keeps_no_deleted_tool(
    registry: Registry, snapshots: Snapshots, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion waits for no vector: what is not made in a moment comes by itself, made once."""
    monkeypatch.setattr(snapshot, "_AT_ONCE_S", 0.01)
    async with following(snapshots):
        encoder.gate.clear()
        await registry.put([tool("a"), tool("b")])
        await snapshots.refresh()
        assert snapshots.pending == 2
        await registry.delete("a")
        await snapshots.refresh()
        assert ([t.name for t in snapshots.catalog.tools], encoder.texts) == (["b"], 0)
        encoder.gate.set()
        await until(lambda: snapshots.ready)
    assert encoder.texts == 4


async def test_a_vector_that_cannot_be_stored_hides_no_change(
    registry: Registry, snapshots: Snapshots, tmp_path: Path
) -> None:
    """With another process writing, the vectors of a write are used all the same."""
    await registry.put([tool("a")])
    with closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await snapshots.refresh()
    assert snapshots.ready
    assert len(snapshots.catalog) == 1


async def test_many_new_tools_are_embedded_in_the_background(
    registry: Registry, snapshots: Snapshots, encoder: Encoder
) -> None:
    """Beyond a few, a write does not wait for vectors; they come by themselves, in another version."""
    encoder.gate.clear()
    async with following(snapshots):
        await registry.put([tool(f"t{i}") for i in range(100)])
        await snapshots.refresh()
        assert (len(snapshots.catalog), snapshots.pending) == (100, 100)
        before = snapshots.catalog.version
        encoder.gate.set()
        await until(lambda: snapshots.ready)
        assert snapshots.catalog.version != before


async def test_following_sees_what_others_write(registry: Registry, snapshots: Snapshots) -> None:
    """A change that nobody here made is in the catalogue after the next look."""
    async with following(snapshots):
        await registry.put([tool("a")])
        await until(lambda: "a" in snapshots.catalog.by_name)


async def test_following_outlives_a_fault(registry: CountingRegistry, snapshots: Snapshots) -> None:
    """A fault that nobody thought of does not end the following: the next look makes up for it."""
    async with following(snapshots):
        registry.faults = 2
        await registry.put([tool("a")])
        await until(lambda: "a" in snapshots.catalog.by_name)


async def test_a_registry_that_comes_back_as_it_was_is_no_longer_away(
    registry: Registry, snapshots: Snapshots, tmp_path: Path
) -> None:
    """A file that was moved away for a while is found again, though nothing of it has changed."""
    file = tmp_path / "registry.db"
    then = time.time() - 60
    os.utime(file, (then, then))
    async with following(snapshots):
        await asyncio.sleep(0.1)  # some looks at the file at rest
        file.rename(tmp_path / "away.db")
        await until(lambda: snapshots.away)
        (tmp_path / "away.db").rename(file)
        await until(lambda: not snapshots.away)


async def test_that_encoders_are_done_is_told_until_it_is_stored(registry: Registry, encoder: Encoder) -> None:
    """Where it could not be stored it is tried again, though nothing changes in the registry; then never again."""
    tries: list[int] = []

    async def complete() -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            raise RegistryError("not now")

    await registry.put([tool("a")])
    snapshots = Snapshots(registry, [encoder], Telemetry(), poll_s=0.01, on_complete=complete)
    async with following(snapshots):
        await until(lambda: len(tries) == 3)
        await snapshots.refresh()
    assert len(tries) == 3


async def test_a_registry_that_was_put_back_is_another_version(
    registry: Registry, snapshots: Snapshots, tmp_path: Path
) -> None:
    """A backup with the number of a state that was seen before is not taken for that state."""
    path, backup = tmp_path / "registry.db", tmp_path / "backup.db"
    await registry.put([tool("a")])
    shutil.copy(path, backup)
    await snapshots.refresh()
    seen = {snapshots.catalog.version}
    for name in ("b", "c"):
        await registry.put([tool(name)])
        await snapshots.refresh()
        seen.add(snapshots.catalog.version)
    shutil.copy(backup, path)
    await snapshots.refresh()
    assert [t.name for t in snapshots.catalog.tools] == ["a"]
    assert snapshots.catalog.version not in seen


async def test_durability_c12_a_tool_that_cannot_be_embedded_keeps_back_no_other(
    registry: Registry, snapshots: Snapshots, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left to words, the catalogue is ready without it, and it is tried again later."""
    monkeypatch.setattr(snapshot, "_RETRY_FAILED_S", 0.05)
    encoder.poison = "t7"
    await registry.put([tool(f"t{i}") for i in range(70, 180)])
    async with following(snapshots):
        await until(lambda: snapshots.pending == 10)
        assert snapshots.ready
        encoder.poison = "\0"
        await until(lambda: snapshots.pending == 0)


async def test_vectors_are_shown_as_they_come(
    registry: Registry, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first tools of a large import are found by meaning while the last still wait."""
    monkeypatch.setattr(snapshot, "_STEP", 32)
    await registry.put([tool(f"t{i}") for i in range(100)])
    seen = set()
    async with following(snapshots):
        await until(lambda: seen.add(snapshots.pending) or snapshots.ready)  # type: ignore[func-returns-value]
    assert len(seen & {68, 36, 4}) >= 2


async def test_digests_of_an_earlier_recipe_are_brought_up_to_date(
    registry: Registry, snapshots: Snapshots, tmp_path: Path
) -> None:
    """What pruning goes by is corrected when the registry is read."""
    await registry.put([tool("a")])
    with closing(sqlite3.connect(tmp_path / "registry.db")) as other, other:
        other.execute("UPDATE tools SET text_digest = 'old'")
    await snapshots.refresh()
    assert (await registry.changes()).stale == {}


async def test_a_single_change_reads_a_single_tool(registry: CountingRegistry, snapshots: Snapshots) -> None:
    """Other tools are neither read nor made again: they stay the same objects."""
    await registry.put([tool("a"), tool("b")])
    await snapshots.refresh()
    before = snapshots.catalog
    await registry.put([replace(tool("b"), enabled=False)])
    await snapshots.refresh()
    assert snapshots.catalog.tools[0] is before.tools[0]
    assert [t.enabled for t in snapshots.catalog.tools] == [True, False]
    assert before.tools[1].enabled
