"""A registry shared by processes, and one that dies in the middle of a write."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, insert, inspect

from app.errors import RegistryUnusable
from app.registry import database, migrate, rows, schema
from app.registry.store import Registry
from router.types import Tool

IMPORTER = Path(__file__).with_name("importer.py")
COUNT = 10_000
MOMENTS = 6

OpenRegistry = Callable[[], Awaitable[Registry]]


class MakeTool(Protocol):
    def __call__(self, name: str, **fields: object) -> Tool: ...


def importer(url: str, count: int) -> subprocess.Popen[str]:
    """Start a process that will put tools when it is told to."""
    process = subprocess.Popen(
        [sys.executable, str(IMPORTER), "import", url, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    """Tell an importer to go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def outcome(process: subprocess.Popen[str]) -> str:
    """Wait for an importer and give what it said."""
    return process.communicate(timeout=60)[0].strip()


async def test_durability_c14_processes_open_a_new_registry_at_once(
    registry_url: str, open_registry: OpenRegistry
) -> None:
    """Of several processes on a file that is not there yet, everyone gets a registry, and one import wins."""
    processes = [importer(registry_url, 100) for _ in range(4)]
    for process in processes:
        start(process)
    assert [outcome(process) for process in processes] == ["done"] * 4
    generation, tools = await (await open_registry()).load()
    assert (generation, len(tools)) == (1, 100)


async def test_put_of_one_process_is_seen_by_another(
    registry: Registry, registry_url: str, make_tool: MakeTool
) -> None:
    """What another process imports is there in this one."""
    await registry.put([make_tool("a")])
    process = importer(registry_url, 100)
    start(process)
    assert outcome(process) == "done"
    assert await registry.generation() == 2
    assert await registry.count() == 101


@pytest.fixture(scope="module")
def import_s(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Measure how long an import takes that nobody disturbs."""
    process = importer(f"sqlite:///{tmp_path_factory.mktemp('whole')}/x.db", COUNT)
    began = time.perf_counter()
    start(process)
    assert outcome(process) == "done"
    return time.perf_counter() - began


@pytest.mark.parametrize("moment", range(MOMENTS))
async def test_durability_c01_a_killed_import_leaves_all_or_nothing(
    registry: Registry, registry_url: str, make_tool: MakeTool, moment: int, import_s: float
) -> None:
    """A process killed somewhere in a put of 10,000 tools leaves all of them or none, and a sound database."""
    await registry.put([make_tool("a")])
    process = importer(registry_url, COUNT)
    start(process)
    time.sleep(import_s * (moment + random.random()) / MOMENTS)  # noqa: ASYNC251 (nothing else is to run)
    process.kill()
    outcome(process)
    generation, tools = await registry.load()
    assert (generation, len(tools)) in [(1, 1), (2, COUNT + 1)]
    async with registry.database.reading() as connection:
        if registry_url.startswith("sqlite"):
            assert (await connection.exec_driver_sql("PRAGMA integrity_check")).scalars().all() == ["ok"]
    assert len((await registry.put([make_tool("b")])).created) == 1


def test_durability_c14_migrations_make_the_tables_of_the_schema(registry_url: str) -> None:
    """A migrated database differs in nothing from what the code expects."""
    made = database.at(registry_url, 1_000)
    migrate.upgrade(made)
    with made.looking() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def revisions() -> list[str]:
    """Give every released schema, the oldest first."""
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    return [script.revision for script in scripts.walk_revisions()][::-1]


@pytest.mark.parametrize("revision", revisions())
async def test_durability_c14_a_registry_of_any_version_is_brought_up(
    registry_url: str, open_registry: OpenRegistry, make_tool: MakeTool, revision: str
) -> None:
    """Tools, their order and vectors of every released schema are there after the start, and can be changed."""
    made = database.at(registry_url, 1_000)
    made.prepare()
    with made.migrating() as connection:
        command.upgrade(migrate.config(connection), revision)
        old = Table("tools", MetaData(), autoload_with=connection)
        for row in rows.from_tools([make_tool("z"), make_tool("a")]):
            connection.execute(insert(old), {name: value for name, value in row.items() if name in old.c})
        connection.execute(insert(schema.vectors), rows.from_vectors("one", [("d", np.ones(2, np.float32))]))
    await made.dispose()
    migrated = await open_registry()
    assert (await migrated.load())[1] == [make_tool("z"), make_tool("a")]
    assert (await migrated.vectors("one", ["d"]))["d"].tolist() == [1, 1]
    assert (await migrated.put([make_tool("z"), make_tool("b")])).created == ("b",)


async def test_durability_c14_a_migration_that_loosens_nothing_can_be_taken_back(registry_url: str) -> None:
    """The version before finds its own tables, and this one comes back to where it was."""
    made = database.at(registry_url, 1_000)
    made.prepare()
    with made.migrating() as connection:
        command.upgrade(migrate.config(connection), "0006")
        command.downgrade(migrate.config(connection), "-1")
        assert [one["name"] for one in inspect(connection).get_columns("provenance")][-1] == "pending"
    migrate.upgrade(made)
    with made.looking() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    await made.dispose()


async def test_durability_c14_a_migration_that_narrows_keys_is_not_taken_back(
    registry_url: str, registry: Registry, make_tool: MakeTool
) -> None:
    """Before it a key that was narrowed would reach more: that is refused, and everything stays as it is."""
    await registry.put([make_tool("a")])
    made = database.at(registry_url, 1_000)
    with pytest.raises(NotImplementedError, match="an older version"), made.migrating() as connection:
        command.downgrade(migrate.config(connection), "-1")
    assert await registry.count() == 1
    with made.looking() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    await made.dispose()


async def test_durability_c14_a_newer_registry_is_refused(registry: Registry, registry_url: str) -> None:
    """A revision that this version does not know is of a newer one."""
    async with registry.changing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RegistryUnusable, match="newer version"):
        await Registry.open(registry_url)
