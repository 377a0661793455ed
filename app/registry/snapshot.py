"""Rows -> Catalog, swapped whole. The data plane reads `Snapshots.catalog` and nothing else of the registry.

Laws: a catalogue in use is never changed. A write is in the catalogue when `refresh` returns, its vectors with it
when there are few; many are embedded in the background while words find the tools. A vector is made once: they
are stored by content and encoder, so a restart with known tools embeds nothing. What cannot be embedded or stored
now never keeps a catalogue from being shown: that a tool is gone or disabled must not wait for a vector.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from app.errors import RegistryError
from app.registry.store import Registry
from app.telemetry import Telemetry
from router import text
from router.catalog import EMPTY, Catalog, Space
from router.embed.embedder import tool_vectors
from router.errors import EncoderError
from router.index.choice import index_of
from router.types import Encoder, Tool, Vectors

_log = structlog.get_logger()

_AT_ONCE = 64  # as many new tools are embedded before a write returns: about a third of a second
_CHUNK = 32
_MANY = 1_000
_RETRY_S = 5.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Entry:
    """What is kept of a tool from one snapshot to the next."""

    tool: Tool
    digest: str


async def embed_missing(
    registry: Registry, encoder: Encoder, tools: list[Tool], progress: Progress | None = None
) -> int:
    """Make and store the vectors that are not there yet; give how many. `progress` gets done and total."""
    digests = await asyncio.to_thread(lambda: {text.digest(tool): tool for tool in tools})
    known = await registry.vectors(encoder.key, digests.keys())
    missing = [(digest, tool) for digest, tool in digests.items() if digest not in known]
    for start in range(0, len(missing), _CHUNK):
        chunk = dict(missing[start : start + _CHUNK])
        await registry.add_vectors(encoder.key, await _made(encoder, chunk))
        if progress is not None:
            progress(min(start + _CHUNK, len(missing)), len(missing))
    return len(missing)


async def _made(encoder: Encoder, tools: dict[str, Tool]) -> dict[str, Vectors]:
    """Make the vectors of tools by digest."""
    vectors = await asyncio.to_thread(tool_vectors, encoder, list(tools.values()))
    return dict(zip(tools, vectors, strict=True))


class Snapshots:
    """Keeps the catalogue that requests see in step with the registry."""

    def __init__(self, registry: Registry, encoder: Encoder, telemetry: Telemetry, poll_s: float) -> None:
        self.catalog = EMPTY
        self.loaded = False
        self._registry = registry
        self._encoder = encoder
        self._telemetry = telemetry
        self._poll_s = poll_s
        self._generation = -1
        self._builds = 0
        self._entries: dict[str, _Entry] = {}
        self._rows: dict[str, int] = {}
        self._matrix: Vectors = np.zeros((0, encoder.dimension), dtype=np.float32)
        self._building = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    @property
    def pending(self) -> int:
        """Count the tools that have no vector yet."""
        return int((~self.catalog.ready).sum())

    @property
    def ready(self) -> bool:
        """Whether the catalogue is loaded and embedded."""
        return self.loaded and not self.pending

    async def start(self) -> None:
        """Load the catalogue, then follow the registry in the background."""
        await self.refresh()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._embed())]

    async def stop(self) -> None:
        """End the background work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def refresh(self) -> None:
        """Take what the registry holds now, unless it is in use already.

        Raises:
            RegistryError: The registry cannot be read; the catalogue in use stays.
        """
        async with self._building:
            if await self._registry.generation() != self._generation:
                await self._rebuild()

    async def _rebuild(self) -> None:
        generation, tools = await self._registry.load()
        entries = await asyncio.to_thread(self._entered, tools)
        vectors = await self._vectors(entries)
        catalog, matrix = await asyncio.to_thread(self._built, generation, entries, vectors)
        self._entries = {entry.tool.name: entry for entry in entries}
        self._rows = {e.digest: i for i, e in enumerate(entries) if catalog.ready[i]}
        self._matrix = matrix
        if len(catalog) > len(self.catalog) + _MANY:
            gc.freeze()  # a collection that walks a large catalogue stops the process for a second
        self.catalog, self._generation, self.loaded = catalog, generation, True
        self._builds += 1
        self._telemetry.catalog(len(catalog), self.pending)
        self._wake.set()

    async def _vectors(self, entries: list[_Entry]) -> dict[str, Vectors]:
        """Give by digest what is not at hand: the stored vectors, and where few are missing those, made now."""
        unheld = {entry.digest: entry.tool for entry in entries if entry.digest not in self._rows}
        found = await self._registry.vectors(self._encoder.key, unheld.keys())
        missing = {digest: tool for digest, tool in unheld.items() if digest not in found}
        if 0 < len(missing) <= _AT_ONCE:
            try:
                made = await _made(self._encoder, missing)
                found |= made
                await self._registry.add_vectors(self._encoder.key, made)
            except (RegistryError, EncoderError) as error:
                _log.warning("vectors could not be made or stored yet", reason=str(error))
        return found

    def _entered(self, tools: list[Tool]) -> list[_Entry]:
        entries = []
        for tool in tools:
            known = self._entries.get(tool.name)
            if known is None or known.tool != tool:
                known = _Entry(tool, text.digest(tool))
            entries.append(known)
        return entries

    def _built(self, generation: int, entries: list[_Entry], stored: dict[str, Vectors]) -> tuple[Catalog, Vectors]:
        matrix = np.zeros((len(entries), self._encoder.dimension), dtype=np.float32)
        ready = np.zeros(len(entries), dtype=np.bool_)
        for i, entry in enumerate(entries):
            row = self._rows.get(entry.digest)
            vector = self._matrix[row] if row is not None else stored.get(entry.digest)
            if vector is not None:
                matrix[i], ready[i] = vector, True
        # Every build is a version of its own: what was selected by words alone is selected anew with vectors, and a
        # registry that was put back to an earlier state cannot pass for the one remembered under its number.
        version = f"{generation}.{self._builds}"
        catalog = Catalog.build(
            version,
            [entry.tool for entry in entries],
            spaces=[Space(self._encoder.key, index_of(matrix), ready)],
        )
        # Made lazily, half a second at 100,000 tools: no request should be the one to wait for them.
        _ = catalog.by_name, catalog.by_phrase, catalog.pinned, catalog.rights
        return catalog, matrix

    async def _follow(self) -> None:
        """Look for changes made by other processes."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self.refresh()
            except RegistryError as error:
                _log.warning("the registry could not be read; the last catalogue serves on", reason=str(error))
            except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                _log.exception("the catalogue could not be brought up to date; the last one serves on")

    async def _embed(self) -> None:
        """Embed what a large write left without vectors."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.pending:
                try:
                    await self._embed_pending()
                except (RegistryError, EncoderError) as error:
                    _log.warning("tools could not be embedded yet; words find them", reason=str(error))
                    await asyncio.sleep(_RETRY_S)
                except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                    _log.exception("tools could not be embedded; words find them")
                    await asyncio.sleep(_RETRY_S)

    async def _embed_pending(self) -> None:
        tools = [t for t, ok in zip(self.catalog.tools, self.catalog.ready, strict=True) if not ok]
        _log.info("embedding tools", tools=len(tools))
        await embed_missing(self._registry, self._encoder, tools, self._report)
        async with self._building:
            await self._rebuild()

    def _report(self, done: int, total: int) -> None:
        self._telemetry.catalog(len(self.catalog), total - done)
        if done % (_CHUNK * 16) == 0 or done == total:
            _log.info("embedding tools", done=done, of=total)
