"""A gateway that searches in PostgreSQL instead of holding vectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from app.registry import backup, nearest, snapshot
from app.registry.nearest import PgVectorShelf, pool_of
from app.registry.snapshot import Snapshots
from app.registry.store import Registry
from app.telemetry import Telemetry
from router.embed.embedder import tool_vectors
from tests.conftest import UNHURRIED, StartGateway
from tests.durability.conftest import mode, sent
from tests.support import tools
from tests.support.postgres import Postgres
from tests.unit.router.fakes import HashingEncoder, tool

NAMES = [f"tool_{number}" for number in range(40)]


@dataclass
class Searched:
    """A catalogue that is searched in PostgreSQL."""

    registry: Registry
    encoder: HashingEncoder
    snapshots: Snapshots

    def found(self) -> list[str]:
        """Give the tools that the vector of a tool finds: the names of all where each is found by its own."""
        catalog = self.snapshots.catalog
        vectors = tool_vectors(HashingEncoder(), catalog.tools)
        everything = np.ones(len(catalog), dtype=np.bool_)
        best = [catalog.spaces[0].index.search(vector, everything, 1) for vector in vectors]
        return [catalog.tools[row].name for rows, scores in best for row in rows if scores[0] > 0.5]


@pytest.fixture
async def searched(postgres: Postgres) -> AsyncIterator[Searched]:
    """Forty tools, all found."""
    with postgres.database() as url:
        registry, encoder = await Registry.open(url), HashingEncoder()
        pool = pool_of(registry, 10_000)
        shelf = PgVectorShelf(registry, encoder, pool)
        await shelf.prepare()
        await registry.put([tool(name, f"does {name}") for name in NAMES])
        snapshots = Snapshots(registry, [encoder], Telemetry(), 0.01, shelf_of=lambda *_: shelf)
        await snapshots.refresh()
        made = Searched(registry, encoder, snapshots)
        assert made.found() == NAMES
        yield made
        await asyncio.to_thread(pool.close)
        await registry.close()


async def restored(registry: Registry, file: Path) -> None:
    """Back a registry up, and put the backup in its place."""
    await backup.backup(registry, file)
    await registry.put([tool("since", "came after the backup")])
    await backup.restore(registry, file, replace=True)


async def test_a_registry_restored_below_a_gateway_is_searched_at_once(searched: Searched, tmp_path: Path) -> None:
    """With the vectors in the registry went their numbers: all are looked up anew, and none is made anew."""
    made = len(searched.encoder.seen)
    await restored(searched.registry, tmp_path / "b.zip")
    await searched.snapshots.refresh()
    assert (searched.found(), searched.snapshots.pending) == (NAMES, 0)
    assert len(searched.encoder.seen) == made


async def test_a_large_registry_restored_below_a_gateway_is_shown_before_it_is_searched(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the backup has not is gone at once; the many that go back into the table come by themselves."""
    monkeypatch.setattr(nearest, "_CHUNK", 10)
    monkeypatch.setattr(snapshot, "_AT_ONCE", 10)
    made = len(searched.encoder.seen)
    await restored(searched.registry, tmp_path / "b.zip")
    await searched.snapshots.refresh()
    assert [one.name for one in searched.snapshots.catalog.tools] == NAMES
    assert searched.snapshots.pending == len(NAMES)
    await searched.snapshots.start()
    async with asyncio.timeout(20):
        while searched.snapshots.pending:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await searched.snapshots.stop()
    assert searched.found() == NAMES
    assert len(searched.encoder.seen) == made


async def test_a_tool_pruned_and_registered_between_two_looks_is_searched(searched: Searched) -> None:
    """Its content was known, but the number of its vector is another one now."""
    registry = searched.registry
    first = searched.snapshots.catalog.tools[0]
    await registry.delete(first.name)
    await registry.prune_vectors(0)
    await registry.put([replace(first, tags=("back",))])
    await searched.snapshots.refresh()
    assert searched.found() == [*NAMES[1:], first.name]


def test_durability_c06_an_index_that_is_lost_is_made_again(start_gateway: StartGateway, mortal: Postgres) -> None:
    """Tools are found as they come and go. The table that is searched, dropped, is made anew without embedding."""
    first = start_gateway(REGISTRY__URL=mortal.url(), INDEX="pgvector", **UNHURRIED)
    first.register([tools.record(tool) for tool in tools.distinct(60)])
    first.admin("PUT", "/admin/tools/sing_song", json=tools.function("sing_song", "Sings a song aloud."))
    assert "sing_song" in sent(first, "please perform some music for me")
    first.admin("DELETE", "/admin/tools/sing_song")
    assert "sing_song" not in sent(first, "perform some music for me, please")
    first.stop()
    (table,) = mortal.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'nearest_%'")
    mortal.execute(f"DROP TABLE {table[0]}")
    second = start_gateway(REGISTRY__URL=mortal.url(), INDEX="pgvector", **UNHURRIED)
    assert mode(second, "list invoices") == "hybrid"
    assert "embedding tools" not in second.log
    assert mortal.execute(f"SELECT count(*) FROM {table[0]}") == [(60,)]
