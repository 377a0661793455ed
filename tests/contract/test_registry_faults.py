"""A registry under foreign locks, full disks and broken files: the right error, a clear text, nothing lost."""

# ruff: noqa: ASYNC240 (files are prepared and looked at while nothing else runs)

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, event

from app.errors import RegistryBusy, RegistryError, RegistryFull, RegistryUnusable
from app.registry.sqlite import SqliteDatabase
from app.registry.store import Registry
from router.types import Tool

IMPORTER = Path(__file__).with_name("importer.py")

OpenRegistry = Callable[[], Awaitable[Registry]]


class MakeTool(Protocol):
    def __call__(self, name: str, **fields: object) -> Tool: ...


@pytest.fixture
def registry_url(tmp_path: Path) -> str:
    """Give the address of a file; the faults of PostgreSQL are others."""
    return f"sqlite:///{tmp_path}/new directory/50%?#.db"


def database_of(registry: Registry) -> SqliteDatabase:
    """Give what is behind a registry."""
    assert isinstance(registry.database, SqliteDatabase)
    return registry.database


def engine_of(registry: Registry) -> Engine:
    """Give its connections."""
    return database_of(registry).engine.sync_engine


@contextmanager
def held(path: Path, statement: str) -> Iterator[None]:
    """Hold the lock that a statement takes in another connection."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(statement)
        if statement == "BEGIN":
            other.execute("SELECT count(*) FROM tools").fetchone()
        yield


async def refusal(url: str) -> str:
    """Give the text with which an address is refused; it speaks no SQL."""
    with pytest.raises(RegistryUnusable) as refused:
        await Registry.open(url, busy_timeout_ms=50)
    assert "SELECT" not in str(refused.value)
    assert "sqlalche.me" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "BEGIN"])
async def test_locked_registry_is_busy_and_recovers(
    impatient: Registry, registry_path: Path, make_tool: MakeTool, lock: str
) -> None:
    """A write behind another's lock is refused after the timeout; when the lock is gone, it goes through."""
    await impatient.put([make_tool("a")])
    with held(registry_path, lock), pytest.raises(RegistryBusy, match="try again"):
        await impatient.put([make_tool("b")])
    assert await impatient.load() == (1, [make_tool("a")])
    await impatient.put([make_tool("b")])
    assert await impatient.count() == 2


async def test_every_write_behind_a_lock_is_busy(impatient: Registry, registry_path: Path, make_tool: MakeTool) -> None:
    """Change, delete and the writes of vectors tell a lock in the same words."""
    await impatient.put([make_tool("a")])
    with held(registry_path, "BEGIN IMMEDIATE"):
        for write in (
            impatient.change("a", lambda _: make_tool("a", pinned=True)),
            impatient.delete("a"),
            impatient.add_vectors("one", {"d": [1.0]}),  # type: ignore[dict-item]
            impatient.prune_vectors(0),
        ):
            with pytest.raises(RegistryBusy):
                await write
    assert await impatient.load() == (1, [make_tool("a")])


async def test_reads_go_on_behind_a_writer(registry: Registry, registry_path: Path, make_tool: MakeTool) -> None:
    """A transaction that is being written keeps no reader out."""
    await registry.put([make_tool("a")])
    with held(registry_path, "BEGIN IMMEDIATE"):
        assert await registry.load() == (1, [make_tool("a")])


async def test_opening_goes_on_behind_a_writer(
    registry: Registry, open_registry: OpenRegistry, registry_path: Path
) -> None:
    """A registry that needs no migration is opened without a lock."""
    with held(registry_path, "BEGIN IMMEDIATE"):
        assert await (await open_registry()).count() == 0


async def test_durability_c04_a_full_database_takes_nothing_and_loses_nothing(
    registry: Registry, make_tool: MakeTool
) -> None:
    """A put for which there is no room leaves what was there; with room again it goes through."""

    def limit(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 30")

    await registry.put([make_tool("a")])
    tools = [make_tool(f"t{i}", definition=b"x" * 1_000) for i in range(1_000)]
    event.listen(engine_of(registry), "connect", limit)
    with pytest.raises(RegistryFull, match="no room"):
        await registry.put(tools)
    assert await registry.load() == (1, [make_tool("a")])
    event.remove(engine_of(registry), "connect", limit)
    assert len((await registry.put(tools)).created) == 1_000


def test_durability_c04_a_full_disk_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """On a real disk of 3 MiB every acknowledged tool is there when it is full, and tools can be deleted."""
    mounted = f"mount -t tmpfs -o size=3m tmpfs '{tmp_path}'"
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.call([*alone, mounted], stderr=subprocess.DEVNULL):
        pytest.skip("a small disk cannot be mounted here: unshare or mount is not allowed")
    fill = f"{mounted} && exec '{sys.executable}' '{IMPORTER}' fill 'sqlite:///{tmp_path}/full.db'"
    done = subprocess.run([*alone, fill], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == "full True True True\n"


async def test_durability_c05_a_failing_disk_is_told_as_such(registry: Registry) -> None:
    """An I/O error of the disk is neither busy nor full."""

    def fail(_connection: Any, _record: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
        raise error

    event.listen(engine_of(registry), "connect", fail)
    with pytest.raises(RegistryError, match="disk failed") as failed:
        await registry.count()
    assert type(failed.value) is RegistryError


@pytest.mark.parametrize("garbage", [b"name: not a database\n" * 100, b"\x00" * 4_096, b"SQLite format 3\x00"])
async def test_durability_c07_garbage_is_refused_and_left_alone(
    registry_url: str, registry_path: Path, garbage: bytes
) -> None:
    """A file that is no database is named, refused, and not touched."""
    registry_path.parent.mkdir()
    registry_path.write_bytes(garbage)
    assert str(registry_path) in await refusal(registry_url)
    assert registry_path.read_bytes() == garbage


async def test_empty_file_becomes_a_registry(
    open_registry: OpenRegistry, registry_path: Path, make_tool: MakeTool
) -> None:
    """A file of no bytes, as `touch` makes it, is as good as none."""
    registry_path.parent.mkdir()
    registry_path.touch()
    await (await open_registry()).put([make_tool("a")])


async def test_durability_c07_a_damaged_database_is_refused(
    registry: Registry, registry_path: Path, make_tool: MakeTool
) -> None:
    """Pages that were overwritten are noticed when they are read."""
    await registry.put([make_tool(f"t{i}") for i in range(200)])
    with registry_path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xa5" * (registry_path.stat().st_size - 4_096))
    with pytest.raises(RegistryUnusable, match="damaged"):
        await registry.load()


async def test_newer_registry_is_refused(registry: Registry, registry_url: str, registry_path: Path) -> None:
    """A revision that this version does not know is of a newer one, and is left alone."""
    with closing(sqlite3.connect(registry_path)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    before = registry_path.read_bytes()
    assert "newer version" in await refusal(registry_url)
    assert registry_path.read_bytes() == before


async def test_database_of_something_else_is_refused(registry_url: str, registry_path: Path) -> None:
    """A database with other tables is not taken for a new registry."""
    registry_path.parent.mkdir()
    with closing(sqlite3.connect(registry_path)) as other, other:
        other.execute("CREATE TABLE contacts (id INTEGER)")
    assert "something else" in await refusal(registry_url)


async def test_durability_c07_a_file_taken_away_is_noticed(
    registry: Registry, registry_path: Path, make_tool: MakeTool
) -> None:
    """A database that vanished is an error, not an empty registry made anew."""
    await registry.put([make_tool("a")])
    registry_path.unlink()
    with pytest.raises(RegistryUnusable, match="cannot be opened"):
        await registry.put([make_tool("b")])
    assert not registry_path.exists()


async def test_impossible_places_are_refused(tmp_path: Path) -> None:
    """Where there can be no file, the place and the way out are named."""
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    for place in (tmp_path / "file" / "x.db", tmp_path / "file" / "x" / "x.db", tmp_path / "directory"):
        message = await refusal(f"sqlite:///{place}")
        assert str(place) in message
        assert "registry.url" in message


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc, where nobody can write")
@pytest.mark.parametrize("place", ["/proc/x.db", "/proc/new/x.db"])
async def test_unwritable_places_are_refused(place: str) -> None:
    """Where nobody can write, the place is named and the right to write is asked for."""
    message = await refusal(f"sqlite:///{place}")
    assert place in message
    assert "write" in message or "writable" in message


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///", "tools.db"])
async def test_other_addresses_are_refused(url: str) -> None:
    """Only `sqlite:///path` is an address."""
    assert "sqlite:///path" in await refusal(url)


async def test_durability_c10_wal_becomes_a_rollback_journal(
    registry: Registry, registry_url: str, registry_path: Path
) -> None:
    """A database that something switched to a write-ahead log is switched back when it is opened."""
    with closing(sqlite3.connect(registry_path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
    await (await Registry.open(registry_url)).close()
    with closing(sqlite3.connect(registry_path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_durability_c10_connections_write_through(registry: Registry) -> None:
    """Every connection syncs fully, so that what was acknowledged survives a power cut."""
    async with database_of(registry).engine.connect() as connection:
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == 2
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one() == "delete"
