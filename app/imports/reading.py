"""Sources -> what they say of their tools. One function for each kind; nothing is written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import SourceRefused
from app.imports import shapes
from app.imports.bounds import Work, parsed
from app.imports.found import Found, Refused
from app.imports.openapi import operations
from app.settings.imports import ImportSettings, SourceKind, SourceSpec


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says, tool by tool; `fresh_s` is for how long, where it says so."""

    found: list[Found | Refused]
    fresh_s: float | None = None


async def read(spec: SourceSpec, settings: ImportSettings, document: bytes | None = None) -> Answer:
    """Read a source, or a document that was handed over in its place.

    Raises:
        SourceRefused: It cannot be read, or says more than `settings` allow.
    """
    try:
        async with asyncio.timeout(settings.timeout_s):
            answer = await _read(spec, settings, document)
    except TimeoutError as error:
        raise SourceRefused(f"{spec.origin} took longer than imports.timeout_s, {settings.timeout_s:g} s") from error
    if len(answer.found) > settings.max_tools:
        raise SourceRefused(f"{spec.name} has more tools than imports.max_tools, {settings.max_tools:,}")
    return answer


def mcp_client() -> Any:
    """Give `app.imports.mcp.client`.

    Raises:
        SourceRefused: The extra is not installed.
    """
    try:
        from app.imports.mcp import client  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise SourceRefused("MCP servers need an extra: pip install 'toolfunnel[mcp]'") from error
    return client


async def _read(spec: SourceSpec, settings: ImportSettings, document: bytes | None) -> Answer:
    if spec.kind is SourceKind.MCP:
        if not spec.origin:
            raise SourceRefused(f"{spec.name} was started by a command that the configuration has no more")
        return Answer(*await mcp_client().read(spec, settings))
    data = document if document is not None else await _data(spec, settings)
    if len(data) > settings.max_bytes:
        raise SourceRefused(f"The document is larger than imports.max_bytes, {settings.max_bytes:,} bytes")
    work = Work()
    try:
        return Answer(await asyncio.to_thread(_found, spec, data, settings.max_tools, work))
    finally:
        work.stop()  # a thread whose time is over would go on, and nothing could end while it does


async def _data(spec: SourceSpec, settings: ImportSettings) -> bytes:
    if spec.url:
        from app.imports.fetch import fetch  # noqa: PLC0415 - commands that fetch nothing start sooner

        return await fetch(spec, settings)
    if spec.file is None:
        raise SourceRefused(f"{spec.name} was imported from a document that was handed over; hand the new one over")
    return await asyncio.to_thread(_file, spec.file, settings.max_bytes)


def _file(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise SourceRefused(f"{path}: {error.strerror}") from error


def _found(spec: SourceSpec, data: bytes, most: int, work: Work) -> list[Found | Refused]:
    value = parsed(data, spec.origin or "The document")
    if spec.kind is SourceKind.OPENAPI:
        return operations.read(value, spec, most, work)
    return shapes.read(value, spec, work)
