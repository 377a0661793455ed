"""`toolfunnel migrate`, `toolfunnel backup` and `toolfunnel restore`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from app import settings, terminal
from app.registry import backup as backups
from app.registry.backup import Manifest
from app.registry.store import Registry
from app.terminal import out, print_json

T = TypeVar("T")

_File = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE", show_default=False)]
_Config = Annotated[Path | None, typer.Option("--config", help="The configuration file.", show_default="config.yaml")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def migrate(config: _Config = None) -> None:
    """Bring the registry to what this version needs; make it where there is none."""
    tools, place = _with_registry(config, _counted)
    out.print(terminal.printable(f"{place}: up to date, {terminal.counted(tools)}"), markup=False, highlight=False)


def backup(file: _File, config: _Config = None, as_json: _Json = False) -> None:
    """Write the registry to one file, while it is in use."""
    made = _with_registry(config, lambda registry: backups.backup(registry, file))
    _tell(f"{file}:", made, as_json=as_json)


def restore(
    file: _File,
    config: _Config = None,
    replace: Annotated[bool, typer.Option("--replace", help="Remove what the registry holds.")] = False,
    as_json: _Json = False,
) -> None:
    """Fill the registry from a backup: with all of it, or with nothing."""
    made = _with_registry(config, lambda registry: backups.restore(registry, file, replace=replace))
    _tell("restored:", made, as_json=as_json)


async def _counted(registry: Registry) -> tuple[int, str]:
    return await registry.count(), registry.database.place  # it was migrated when it was opened


def _with_registry(config: Path | None, work: Callable[[Registry], Awaitable[T]]) -> T:
    if config is not None:
        settings.use_file(config)
    loaded = settings.load()

    async def run() -> T:
        registry = await Registry.open(loaded.registry.address)
        try:
            return await work(registry)
        finally:
            await registry.close()

    return asyncio.run(run())


def _tell(what: str, made: Manifest, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        told = f"{what} {terminal.counted(made.tools)}, {made.vectors:,} vectors, SHA-256 {made.sha256[:16]}"
        out.print(terminal.printable(told), markup=False, highlight=False)
