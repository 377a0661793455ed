"""Rows -> Catalog, swapped whole. The data plane reads `Snapshots.catalog` and nothing else of the registry.

Laws: a catalogue in use is never changed. A write is in the catalogue when `refresh` returns, its vectors with it
when there are few; many are embedded in the background while words find the tools. A vector is made once: they
are stored by content and encoder, so a restart with known tools embeds nothing. What cannot be embedded or stored
now never keeps a catalogue from being shown: that a tool is gone or disabled must not wait for a vector.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np
import structlog

from app.errors import RegistryError
from app.registry.draft import Draft, drafted, filled
from app.registry.learn import made, made_or_failed
from app.registry.store import Registry, State
from app.telemetry import Telemetry
from router.catalog import EMPTY, Catalog, Space
from router.change import changed, tools_after
from router.errors import EncoderError
from router.index.choice import index_of
from router.types import Encoder, Tool, Vectors

_log = structlog.get_logger()

_AT_ONCE = 64  # as many new tools are embedded before a write returns: about a third of a second
_MANY = 1_000
_RETRY_S = 5.0
_RETRY_FAILED_S = 60.0  # a tool that fails alone: its text, or the encoder's limits, must change first
_STEP = 256  # tools that are embedded between two versions of a small catalogue, more of a large one


class Snapshots:
    """Keeps the catalogue that requests see in step with the registry."""

    def __init__(self, registry: Registry, encoder: Encoder, telemetry: Telemetry, poll_s: float) -> None:
        self.catalog = EMPTY
        self.loaded = False
        self._registry = registry
        self._encoder = encoder
        self._telemetry = telemetry
        self._poll_s = poll_s
        self._state: State | None = None
        self._builds = 0
        self._digests: list[str] = []
        self._vectors: Vectors = np.zeros((0, encoder.dimension), dtype=np.float32)
        self._failed: set[str] = set()
        self._building = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    @property
    def pending(self) -> int:
        """Count the tools that have no vector yet."""
        return int((~self.catalog.ready).sum())

    @property
    def ready(self) -> bool:
        """Whether the catalogue is loaded and embedded, but for tools that the encoder cannot take."""
        return self.loaded and not self._waiting(1)

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
            if await self._registry.state() != self._state:
                await self._rebuild({})

    async def _rebuild(self, learned: dict[str, Vectors]) -> None:
        """Put the next catalogue in use: what changed in the registry, and vectors that were learned since."""
        with _collections_put_off():
            changes = await self._registry.changes(self._state)
        draft = await asyncio.to_thread(drafted, self.catalog, self._digests, changes)
        found = learned | await self._found(draft.wanted)
        with _collections_put_off():
            catalog, vectors = await asyncio.to_thread(self._built, changes.state, draft, found)
        if len(catalog) > len(self.catalog) + _MANY:
            gc.freeze()  # a collection that walks a large catalogue stops the process for a second
        self._digests, self._vectors = draft.digests, vectors
        self.catalog, self._state, self.loaded = catalog, changes.state, True
        self._builds += 1
        self._telemetry.catalog(len(catalog), self.pending)
        self._wake.set()
        if changes.stale:
            await self._restate(changes.stale)

    async def _found(self, wanted: dict[str, Tool]) -> dict[str, Vectors]:
        """Give by digest the vectors that are stored, and where few are missing those, made now."""
        found = await self._registry.vectors(self._encoder.key, wanted.keys())
        missing = {digest: tool for digest, tool in wanted.items() if digest not in found}
        if 0 < len(missing) <= _AT_ONCE:
            try:
                fresh = await made(self._encoder, missing)
                found |= fresh
                await self._registry.add_vectors(self._encoder.key, fresh)
            except (RegistryError, EncoderError) as error:
                _log.warning("vectors could not be made or stored yet", reason=str(error))
        return found

    def _built(self, state: State, draft: Draft, found: dict[str, Vectors]) -> tuple[Catalog, Vectors]:
        vectors, ready = filled(self._vectors, draft, found)
        same = vectors is self._vectors and self.catalog.spaces
        index = self.catalog.spaces[0].index if same else index_of(vectors)
        spaces = [Space(self._encoder.key, index, ready)]
        # Every build is a version of its own: what was selected by words alone is selected anew with vectors, and a
        # registry that was put back to an earlier state cannot pass for the one remembered under its number.
        version = f"{state.generation}.{self._builds}"
        if len(draft.change.tools) > max(_MANY, len(self.catalog) // 4):
            catalog = Catalog.build(version, tools_after(self.catalog, draft.change), spaces=spaces)
        else:
            catalog = changed(self.catalog, draft.change, version, spaces)
        # Made lazily, half a second at 100,000 tools: no request should be the one to wait for them.
        _ = catalog.by_name, catalog.by_phrase, catalog.pinned, catalog.rights, catalog.name_weights, catalog.scripts
        _ = spaces[0].sample
        return catalog, vectors

    async def _restate(self, stale: dict[str, str]) -> None:
        try:
            await self._registry.restate(stale)
        except RegistryError as error:
            _log.warning("digests of an earlier recipe could not be replaced yet", tools=len(stale), reason=str(error))

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
        """Embed what a large write left without vectors; what fails by itself is tried again later."""
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), _RETRY_FAILED_S if self._failed else None)
            except TimeoutError:
                self._failed.clear()
            self._wake.clear()
            while waiting := self._waiting(max(_STEP, len(self.catalog) // 64)):
                try:
                    await self._embed_some(waiting)
                except (RegistryError, EncoderError) as error:
                    _log.warning("tools could not be embedded yet; words find them", reason=str(error))
                    await asyncio.sleep(_RETRY_S)
                except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                    _log.exception("tools could not be embedded; words find them")
                    await asyncio.sleep(_RETRY_S)

    def _waiting(self, most: int) -> dict[str, Tool]:
        """Give tools that are to be embedded, by digest."""
        rows = np.flatnonzero(~self.catalog.ready).tolist()
        return {self._digests[i]: self.catalog.tools[i] for i in islice(filter(self._is_waiting, rows), most)}

    def _is_waiting(self, row: int) -> bool:
        return self._digests[row] not in self._failed

    async def _embed_some(self, waiting: dict[str, Tool]) -> None:
        """Embed tools and show them: a large catalogue is found by meaning bit by bit."""
        _log.info("embedding tools", waiting=self.pending)
        learned = await self._registry.vectors(self._encoder.key, waiting.keys())
        missing = {digest: tool for digest, tool in waiting.items() if digest not in learned}
        async for fresh, failed in made_or_failed(self._encoder, missing):
            await self._registry.add_vectors(self._encoder.key, fresh)
            learned |= fresh
            self._failed |= failed.keys()
            for tool in failed.values():
                _log.warning("the encoder cannot take this tool; words find it", tool=tool.name)
        async with self._building:
            await self._rebuild(learned)


@contextmanager
def _collections_put_off() -> Iterator[None]:
    """Keep the garbage collector from walking a catalogue again and again while it grows: that is half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
