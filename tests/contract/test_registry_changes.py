"""What changed since a state: exactly that, or everything where the state is not known."""

# ruff: noqa: ASYNC240 (files are prepared and looked at while nothing else runs)

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest
from alembic import command
from sqlalchemy import MetaData, Table, insert

from app.registry import database, migrate, rows, writing
from app.registry.store import Changes, Registry, Watch
from router import text
from router.types import Risk, Tool

OpenRegistry = Callable[[], Awaitable[Registry]]


class MakeTool(Protocol):
    def __call__(self, name: str, **fields: object) -> Tool: ...


def told(changes: Changes) -> tuple[list[str], set[str], bool]:
    """Give the names written, the names removed, and whether it is everything."""
    return [tool.name for tool in changes.tools], set(changes.removed), changes.whole


async def test_without_a_state_everything_is_told(registry: Registry, make_tool: MakeTool) -> None:
    """Who knows nothing yet gets all tools with the digests of their vectors."""
    await registry.put([make_tool("b"), make_tool("a")])
    changes = await registry.changes()
    assert told(changes) == (["b", "a"], set(), True)
    assert changes.digests == [text.digest(tool) for tool in changes.tools]
    assert changes.state == await registry.state()


async def test_changes_are_what_was_written_since(registry: Registry, make_tool: MakeTool) -> None:
    """Created, updated and edited tools in catalogue order; the others are not read."""
    await registry.put([make_tool(name) for name in "abcd"])
    known = await registry.state()
    await registry.put([make_tool("e"), make_tool("c", description="new"), make_tool("a")])
    await registry.change("b", lambda tool: make_tool(tool.name, risk=Risk.WRITE))
    assert told(await registry.changes(known)) == (["b", "c", "e"], set(), False)


async def test_changes_name_what_was_removed(registry: Registry, make_tool: MakeTool) -> None:
    """A tool that went and came back is in both."""
    await registry.put([make_tool(name) for name in "abc"])
    known = await registry.state()
    await registry.delete("a")
    await registry.delete("b")
    await registry.put([make_tool("b")])
    assert told(await registry.changes(known)) == (["b"], {"a", "b"}, False)


async def test_no_change_is_nothing(registry: Registry, make_tool: MakeTool) -> None:
    """From the state it is in, a registry has changed nothing; equal states are equal."""
    await registry.put([make_tool("a")])
    known = await registry.state()
    assert told(await registry.changes(known)) == ([], set(), False)
    assert await registry.state() == known


@pytest.mark.parametrize("registry_url", ["sqlite"], indirect=True)
async def test_a_registry_that_was_put_back_and_went_on_tells_everything(
    registry: Registry, registry_path: Path, make_tool: MakeTool, tmp_path: Path
) -> None:
    """With the same number of generations but another history, nothing is taken as known."""
    await registry.put([make_tool("a")])
    shutil.copy(registry_path, tmp_path / "backup.db")
    await registry.put([make_tool("b")])
    known = await registry.state()
    shutil.copy(tmp_path / "backup.db", registry_path)
    await registry.put([make_tool("c")])
    now = await registry.state()
    assert (now.generation, now == known) == (known.generation, False)
    assert told(await registry.changes(known)) == (["a", "c"], set(), True)


async def test_a_state_of_long_ago_is_not_known(
    registry: Registry, make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of changes is bounded; who comes from before it reads everything."""
    monkeypatch.setattr(writing, "_KEPT_CHANGES", 2)
    await registry.put([make_tool("a")])
    states = [await registry.state()]
    for name in "bcd":
        await registry.put([make_tool(name)])
        states.append(await registry.state())
    assert told(await registry.changes(states[2])) == (["d"], set(), False)
    assert told(await registry.changes(states[0])) == (["a", "b", "c", "d"], set(), True)


async def test_a_registry_of_the_first_version_goes_on_by_its_changes(
    open_registry: OpenRegistry, registry_url: str, make_tool: MakeTool
) -> None:
    """Rows from before the log are read whole once: from then on only what is written is told."""
    row = rows.from_tools([make_tool("a")])[0]
    made = database.at(registry_url, 100)
    made.prepare()
    with made.migrating() as connection:
        command.upgrade(migrate.config(connection), "0001")
        old = Table("tools", MetaData(), autoload_with=connection)
        connection.execute(insert(old), row)
        connection.exec_driver_sql("UPDATE generation SET value = 7")
    await made.dispose()
    migrated = await open_registry()
    known = (await migrated.changes()).state
    assert told(await migrated.changes(known)) == ([], set(), False)
    await migrated.put([make_tool("b")])
    assert told(await migrated.changes(known)) == (["b"], set(), False)


async def test_digests_of_an_earlier_recipe_are_told_and_replaced(registry: Registry, make_tool: MakeTool) -> None:
    """After a change of recipe the rows say whose vectors are in use, without counting as changed."""
    await registry.put([make_tool("a"), make_tool("b", description="other")])
    async with registry.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE tools SET text_digest = 'old' WHERE name = 'b'")
    before = await registry.changes()
    assert before.stale == {"b": before.digests[1]}
    await registry.restate(before.stale)
    after = await registry.changes()
    assert (after.stale, after.state) == ({}, before.state)


async def test_a_watch_misses_no_change(open_registry: OpenRegistry, make_tool: MakeTool) -> None:
    """Whatever another process wrote since the last look, however soon after it, there is reason for the next."""
    registry, other = await open_registry(), await open_registry()
    watch = registry.watch()
    for number in range(20):
        assert stirred(watch)
        await other.put([make_tool(f"t{number}")])
    assert stirred(watch)


@pytest.mark.parametrize("registry_url", ["sqlite"], indirect=True)
async def test_a_watch_spares_looks_at_a_file_at_rest(
    open_registry: OpenRegistry, registry_path: Path, make_tool: MakeTool
) -> None:
    """A file that nobody wrote to for seconds needs no second look; one that is replaced, gone, or has a WAL does."""
    registry = await open_registry()
    at_rest(registry_path)
    watch = registry.watch()
    assert [stirred(watch), stirred(watch)] == [True, False]
    await registry.put([make_tool("a")])
    assert stirred(watch)
    at_rest(registry_path)
    assert [stirred(watch), stirred(watch)] == [True, False]
    shutil.copy2(registry_path, registry_path.with_name("copy"))
    registry_path.with_name("copy").replace(registry_path)  # as large, and as old
    assert [stirred(watch), stirred(watch)] == [True, False]
    wal = registry_path.with_name(f"{registry_path.name}-wal")
    wal.touch()
    assert stirred(watch)
    wal.unlink()
    assert [stirred(watch), stirred(watch)] == [True, False]
    registry_path.unlink()
    assert stirred(watch)


@pytest.mark.parametrize("registry_url", ["sqlite"], indirect=True)
async def test_a_look_that_fails_is_looked_again(open_registry: OpenRegistry, registry_path: Path) -> None:
    """Who raised within a look has seen nothing, even of a file that is as it was at the last look that went well."""
    watch = (await open_registry()).watch()
    at_rest(registry_path)
    assert stirred(watch)
    with pytest.raises(ValueError, match="in between"), watch.look():
        raise ValueError("in between")
    assert [stirred(watch), stirred(watch)] == [True, False]


@pytest.mark.parametrize("registry_url", ["sqlite"], indirect=True)
async def test_a_watch_looks_at_a_file_that_came_back(open_registry: OpenRegistry, registry_path: Path) -> None:
    """A file that was moved away and back, itself and as old as it was, is news to who found it gone."""
    watch = (await open_registry()).watch()
    at_rest(registry_path)
    assert stirred(watch)
    registry_path.rename(registry_path.with_name("away"))
    assert stirred(watch)
    registry_path.with_name("away").rename(registry_path)
    assert [stirred(watch), stirred(watch)] == [True, False]


async def test_a_watch_finds_the_wal_of_a_link(tmp_path: Path) -> None:
    """What a writer of the file behind a link left in its write-ahead log is looked for where SQLite puts it."""
    file, link = tmp_path / "there" / "file.db", tmp_path / "link.db"
    await (await Registry.open(f"sqlite:///{file}")).close()
    link.symlink_to(file)
    registry = await Registry.open(f"sqlite:///{link}")
    with closing(sqlite3.connect(link)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE generation SET value = value")
        at_rest(file)
        watch = registry.watch()
        assert [stirred(watch), stirred(watch)] == [True, True]
    await registry.close()


def stirred(watch: Watch) -> bool:
    """Take a look."""
    with watch.look() as found:
        return found


def at_rest(path: Path) -> None:
    """Let a file look as if nobody had written to it for a minute."""
    then = time.time() - 60
    os.utime(path, (then, then))
