"""What is special to a registry in PostgreSQL: its notices, its refusals, its order of names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

import pytest

from app.errors import RegistryAway, RegistryBusy, RegistryUnusable
from app.registry.store import Registry
from router.types import Tool
from tests.support.gateway import free_port
from tests.support.postgres import Postgres

OpenRegistry = Callable[..., Awaitable[Registry]]


class MakeTool(Protocol):
    def __call__(self, name: str, **fields: object) -> Tool: ...


@pytest.fixture
def registry_url(postgres: Postgres) -> Iterator[str]:
    """Give the address of a registry that is not there yet."""
    with postgres.database() as url:
        yield url


async def refusal(url: str) -> str:
    """Give the text with which an address is refused; it speaks neither SQL nor secrets."""
    with pytest.raises(RegistryUnusable) as refused:
        await Registry.open(url, busy_timeout_ms=100)
    assert "SELECT" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(("parameter", "told"), [("pgbouncer=true", "pgbouncer"), ("sslmode=some", "sslmode value")])
async def test_a_parameter_that_libpq_does_not_know_is_named(registry_url: str, parameter: str, told: str) -> None:
    """It is a fault of the address, and not of the server."""
    assert told in await refusal(f"{registry_url.replace('postgres@', 'postgres:hunter2@')}?{parameter}")


async def test_a_change_is_told_to_who_listens(open_registry: OpenRegistry, make_tool: MakeTool) -> None:
    """Waiting for an hour ends when another registry writes, and not for what is no change of tools."""
    writer, listener = await open_registry(), await open_registry()
    await listener.changed(5)  # that it listens now
    waiting = asyncio.create_task(listener.changed(3600))
    await writer.add_vectors("one", {})
    await writer.set_encoders("x")
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await writer.put([make_tool("a")])
    await asyncio.wait_for(waiting, 10)


async def test_a_writer_behind_another_is_busy_and_recovers(impatient: Registry, make_tool: MakeTool) -> None:
    """A write behind another's is refused after the timeout, while reads go on; then it goes through."""
    await impatient.put([make_tool("a")])
    async with impatient.database.writing():
        with pytest.raises(RegistryBusy, match="try again"):
            await impatient.put([make_tool("b")])
        assert await impatient.load() == (1, [make_tool("a")])
    await impatient.put([make_tool("b")])
    assert await impatient.count() == 2


async def test_names_are_sorted_by_code_point(registry: Registry) -> None:
    """Whatever the database's own order is, names have that of SQLite."""
    async with registry.reading() as connection:
        query = (
            "SELECT collation_name FROM information_schema.columns WHERE table_name = 'tools' AND column_name = 'name'"
        )
        assert (await connection.exec_driver_sql(query)).scalar_one() == "C"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://postgres@127.0.0.1:{port}/nowhere", "does not exist"),
        ("postgresql://nobody:hunter2@127.0.0.1:{port}/postgres", "does not exist"),
        ("postgresql://127.0.0.1:{port}", "of the form"),
        ("postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres", "of the form"),
        ("postgresql://[::1/postgres", "of the form"),
    ],
)
async def test_addresses_that_lead_nowhere_are_refused(postgres: Postgres, url: str, said: str) -> None:
    """What is wrong is named."""
    assert said in await refusal(url.format(port=postgres.port))


async def test_a_server_that_is_not_there_is_away() -> None:
    """Nobody at the address is a matter of time, not of the address."""
    with pytest.raises(RegistryAway, match="cannot be reached"):
        await Registry.open(f"postgresql://postgres@127.0.0.1:{free_port()}/x", busy_timeout_ms=100)


async def test_a_database_of_something_else_is_refused(postgres: Postgres, registry_url: str) -> None:
    """A database with other tables is not taken for a new registry."""
    postgres.execute("CREATE TABLE contacts (id integer)", registry_url.rpartition("/")[2])
    assert "something else" in await refusal(registry_url)


async def test_a_database_of_another_encoding_is_refused(postgres: Postgres) -> None:
    """Texts of any language need UTF-8."""
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    assert "UTF8" in await refusal(postgres.url("latin"))
    postgres.execute("DROP DATABASE latin")


async def test_a_schema_of_its_own_is_used(postgres: Postgres, registry_url: str, make_tool: MakeTool) -> None:
    """Beside the tables of others a registry lives in a schema that the address names."""
    name = registry_url.rpartition("/")[2]
    postgres.execute("CREATE TABLE contacts (id integer); CREATE SCHEMA toolfunnel", name)
    registry = await Registry.open(f"{registry_url}?options=-csearch_path%3Dtoolfunnel")
    await registry.put([make_tool("a")])
    await registry.close()
    assert postgres.execute("SELECT count(*) FROM toolfunnel.tools", name) == [(1,)]
