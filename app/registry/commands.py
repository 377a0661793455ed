"""`toolfunnel migrate`, `toolfunnel backup` and `toolfunnel restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from app import terminal
from app.registry import backup as backups
from app.registry.backup import Manifest
from app.registry.console import Config, Force, Json, load, with_registry
from app.registry.store import Registry
from app.terminal import out, print_json

_File = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE", show_default=False)]


def migrate(config: Config = None) -> None:
    """Bring the registry to what this version needs; make it where there is none."""
    tools, place = with_registry(load(config), _counted)
    out.print(terminal.printable(f"{place}: up to date, {terminal.counted(tools)}"), markup=False, highlight=False)


def backup(file: _File, config: Config = None, force: Force = False, as_json: Json = False) -> None:
    """Write the registry to one file, while it is in use."""
    made = with_registry(load(config), lambda registry: backups.backup(registry, file, force=force))
    _tell(f"{file}:", made, as_json=as_json)


def restore(
    file: _File,
    config: Config = None,
    replace: Annotated[bool, typer.Option("--replace", help="Remove what the registry holds.")] = False,
    as_json: Json = False,
) -> None:
    """Fill the registry from a backup: with all of it, or with nothing."""
    made = with_registry(load(config), lambda registry: backups.restore(registry, file, replace=replace))
    _tell("restored:", made, as_json=as_json)


async def _counted(registry: Registry) -> tuple[int, str]:
    return await registry.count(), registry.database.place  # it was migrated when it was opened


def _tell(what: str, made: Manifest, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        told = f"{what} {terminal.counted(made.tools)}, {made.vectors:,} vectors, SHA-256 {made.sha256[:16]}"
        out.print(terminal.printable(told), markup=False, highlight=False)
