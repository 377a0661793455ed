"""What every store is tested with: an address of an empty one, one that is open, and tools to put in."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from app.registry.store import Registry
from router.types import Parameter, Tool
from tests.support.postgres import Postgres

OpenRegistry = Callable[..., Awaitable[Registry]]


class MakeTool(Protocol):
    """Makes a tool; what is not said has a value that is not the default."""

    def __call__(self, name: str, **fields: Any) -> Tool: ...


async def _make(url: str) -> None:
    await (await Registry.open(url)).close()


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty registry as a file. Nobody writes to it."""
    path = tmp_path_factory.mktemp("registry") / "made.db"
    asyncio.run(_make(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def made_database(postgres: Postgres) -> str:
    """Give the name of a database that is an empty registry. Nobody connects to it."""
    postgres.execute("CREATE DATABASE made")
    asyncio.run(_make(postgres.url("made")))
    return "made"


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a registry, for every kind of store.

    It is not there yet; a test that asks for it opened has a copy of one that was made before: that takes a tenth.
    """
    copied = not {"registry", "impatient"}.isdisjoint(request.fixturenames)
    if request.param == "sqlite":
        url = sqlite_url(tmp_path)
        if copied:
            path = Path(url.removeprefix("sqlite:///"))
            path.parent.mkdir()
            shutil.copy(request.getfixturevalue("made_file"), path)
        yield url
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.database(request.getfixturevalue("made_database") if copied else "template1") as url:
            yield url


def sqlite_url(directory: Path) -> str:
    """Give the address of a file with a name that needs care."""
    return f"sqlite:///{directory}/new directory/50%?#.db"


@pytest.fixture
def registry_path(registry_url: str) -> Path:
    """Give the file behind the address of a SQLite registry."""
    assert registry_url.startswith("sqlite:///")
    return Path(registry_url.removeprefix("sqlite:///"))


@pytest.fixture
async def open_registry(registry_url: str) -> AsyncIterator[OpenRegistry]:
    """Open the same registry as often as is asked for."""
    opened: list[Registry] = []

    async def open_one(busy_timeout_ms: int = 30_000) -> Registry:
        opened.append(await Registry.open(registry_url, busy_timeout_ms=busy_timeout_ms))
        return opened[-1]

    yield open_one
    for registry in opened:
        await registry.close()


@pytest.fixture
async def registry(open_registry: OpenRegistry) -> Registry:
    """Give an open, empty registry."""
    return await open_registry()


@pytest.fixture
async def impatient(open_registry: OpenRegistry) -> Registry:
    """Give an open, empty registry that waits a tenth of a second for a lock."""
    return await open_registry(busy_timeout_ms=100)


@pytest.fixture
def make_tool() -> MakeTool:
    """Give a maker of tools."""

    def make(name: str, **fields: Any) -> Tool:
        given = {
            "definition": f'{{"type":"function","function":{{"name":"{name}"}}}}'.encode(),
            "description": f"Does {name}",
            "parameters": (Parameter("city", "Where", ("Ulm", "København")),),
            "tags": ("sample",),
            "keywords": ("weather",),
            "examples": ("Will it rain?",),
            "source": "tests",
        }
        return Tool(name=name, **(given | fields))

    return make
