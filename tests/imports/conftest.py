"""An API with 300 operations, a gateway that may import from this machine, and a registry to import into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.imports.service import Imports, Order, Report
from app.registry.sources import Sources
from app.registry.store import Registry
from app.settings.imports import ImportSettings, SourceSpec
from tests.cli.command import Place
from tests.support import shop
from tests.support.mcp_servers import McpServer, serve_mcp
from tests.support.served import serve

LOOPBACK = ("127.0.0.0/8",)
ALLOWED = {"IMPORTS__ALLOW_NETWORKS": '["127.0.0.0/8"]'}

Import = Callable[..., Awaitable[Report]]


@pytest.fixture(scope="session")
def shop_url() -> Iterator[str]:
    """Where the document of the API is."""
    with serve(shop.application()) as port:
        yield f"http://127.0.0.1:{port}/openapi.json"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty directory, with settings that allow this machine."""
    return Place(tmp_path, dict(ALLOWED))


@pytest.fixture
def server() -> Iterator[McpServer]:
    """An MCP server of both generations, without tools."""
    with serve_mcp(McpServer()) as running:
        yield running


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """An empty registry."""
    opened = await Registry.open(f"sqlite:///{tmp_path / 'registry.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def work(registry: Registry) -> Imports:
    """Imports into that registry from this machine."""
    return Imports(Sources(registry), ImportSettings(allow_networks=LOOPBACK, timeout_s=20.0))


@pytest.fixture
def take(work: Imports) -> Import:
    """Import a source: its name and kind, where it is, and what else a specification has."""

    async def run(
        name: str = "there", kind: str = "mcp", *, document: bytes | None = None, attended: bool = True,
        dry_run: bool = False, **more: Any,
    ) -> Report:  # fmt: skip
        spec = SourceSpec(name=name, kind=kind, **more)
        return await work.run(Order(spec, document, dry_run, attended))

    return run
