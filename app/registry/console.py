"""What commands share that work on the registry: their options, the settings, and an open registry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app import settings
from app.registry.store import Registry
from app.settings import Configuration, Settings
from app.terminal import given, printable
from router.types import Risk

T = TypeVar("T")

Config = Annotated[Path | None, typer.Option("--config", help="The configuration file.", show_default="config.yaml")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RISKS = "|".join(Risk)
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def risk_of(text: str | Risk) -> Risk:
    """Read a risk from the command line.

    Raises:
        BadParameter: There is none of this name.
    """
    try:
        return Risk(text)
    except ValueError:
        raise typer.BadParameter(f"{printable(given(text))!r} is none of {', '.join(Risk)}") from None


def load(config: Path | None) -> Settings:
    """Read the configuration, from this file where one is named.

    Raises:
        ConfigurationError: It cannot be used.
    """
    return read(config).settings


def read(config: Path | None) -> Configuration:
    """Read the configuration, with the file that it comes from.

    Raises:
        ConfigurationError: It cannot be used.
    """
    if config is not None:
        settings.use_file(config)
    return settings.read()


def with_registry(loaded: Settings, work: Callable[[Registry], Awaitable[T]]) -> T:
    """Open the registry, do the work, close it.

    Raises:
        RegistryError: It cannot be opened.
    """

    async def run() -> T:
        registry = await Registry.open(loaded.registry.address)
        try:
            return await work(registry)
        finally:
            await registry.close()

    return asyncio.run(run())
