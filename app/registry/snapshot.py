"""Rows -> Catalog, swapped whole. The data plane reads `Snapshots.catalog` and nothing else of the registry.

Laws: a catalogue in use is never changed. A write is in the catalogue when `refresh` returns, its vectors with it
when there are few; many are embedded in the background while words find the tools. A vector is made once: they
are stored by content and encoder, so a restart with known tools embeds nothing. What cannot be embedded or stored
now never keeps a catalogue from being shown: that a tool is gone or disabled must not wait for a vector. Encoders that
are new embed everything while those in force before go on serving; vectors of two encoders never stand in one index.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

import numpy as np
import structlog

from app.errors import RegistryAway, RegistryError
from app.registry.draft import Draft, drafted
from app.registry.learn import made, made_or_failed
from app.registry.shelf import Found, MemoryShelf, Shelf
from app.registry.store import Registry, State
from app.telemetry import Telemetry
from router.catalog import EMPTY, Catalog, Space
from router.change import changed, tools_after
from router.errors import EncoderError, IndexAway
from router.types import Encoder, Tool, Vectors

_log = structlog.get_logger()

_AT_ONCE = 64  # as many new tools are embedded before a write returns: about a third of a second
_AT_ONCE_S = 1.0  # they are waited for so long: a deletion may stand behind this write
_MANY = 1_000
_RETRY_S = 5.0
_RETRY_FAILED_S = 60.0  # a tool that fails alone: its text, or the encoder's limits, must change first
_STEP = 256  # tools that are embedded between two versions of a small catalogue, more of a large one


class Snapshots:
    """Keeps the catalogue that requests see in step with the registry."""

    def __init__(  # noqa: PLR0913 - two of them by name
        self,
        registry: Registry,
        encoders: Sequence[Encoder],
        telemetry: Telemetry,
        poll_s: float,
        *,
        previous: Sequence[Encoder] = (),
        on_complete: Callable[[], Awaitable[None]] | None = None,
        shelf_of: Callable[[Registry, Encoder], Shelf] = MemoryShelf,
    ) -> None:
        """Take the encoders to use, and the `previous` ones, which serve until those have embedded everything.

        `on_complete` is awaited once: when the encoders have. `shelf_of` says where vectors are searched.
        """
        self.catalog = EMPTY
        self.loaded = False
        self.away = False  # the registry could not be read when it was last looked at
        self._registry = registry
        self._encoders = {encoder.key: encoder for encoder in (*previous, *encoders)}
        self._wanted = [encoder.key for encoder in encoders]
        self._serving = [encoder.key for encoder in previous] or self._wanted
        self._on_complete = on_complete
        self._shelves = {key: shelf_of(registry, encoder) for key, encoder in self._encoders.items()}
        self._spaces = {key: shelf.empty() for key, shelf in self._shelves.items()}
        self._telemetry = telemetry
        self._poll_s = poll_s
        self._state: State | None = None
        self._builds = 0
        self._digests: list[str] = []
        self._failed: set[tuple[str, str]] = set()  # encoder and digest
        self._building = asyncio.Lock()
        self._making: dict[str, asyncio.Task[Found]] = {}  # by encoder
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    @property
    def pending(self) -> int:
        """Count the tools that have not all their vectors yet."""
        return int((~np.logical_and.reduce([self._spaces[key].ready for key in self._wanted])).sum())

    @property
    def ready(self) -> bool:
        """Whether the catalogue is loaded and embedded, but for tools that the encoder cannot take.

        While new encoders embed, those in force before keep it ready.
        """
        return self.loaded and not any(self._waiting(key, 1) for key in self._serving)

    async def start(self) -> None:
        """Load the catalogue, then follow the registry in the background."""
        await self.refresh()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._embed())]

    async def stop(self) -> None:
        """End the background work."""
        tasks = [*self._tasks, *self._making.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refresh(self) -> None:
        """Take what the registry holds now, unless it is in use already.

        Raises:
            RegistryError: The registry cannot be read; the catalogue in use stays.
        """
        async with self._building:
            if await self._registry.state() != self._state:
                await self._rebuild({})
            else:
                await self._tell_complete()  # where that failed

    async def renew(self) -> None:
        """Put the same tools in use as another version: nothing is decided by what was settled with the one before.

        Raises:
            RegistryError: The registry cannot be read; the catalogue in use stays.
        """
        async with self._building:
            await self._rebuild({})

    async def _rebuild(self, learned: dict[str, Found]) -> None:
        """Put the next catalogue in use: what changed in the registry, and by encoder the vectors learned since."""
        with _collections_put_off():
            changes = await self._registry.changes(self._state)
            draft = await asyncio.to_thread(drafted, self.catalog, self._digests, changes)
            words, found = await asyncio.gather(
                asyncio.to_thread(self._worded, changes.state, draft), self._found(draft, learned)
            )
            spaces = await asyncio.to_thread(self._filled, draft, found)
            if self._serving != self._wanted and self._complete(spaces, draft):
                self._switch()
            catalog = words.with_spaces([spaces[key] for key in self._serving])
            if len(catalog) > len(self.catalog) + _MANY:
                gc.freeze()  # a collection that walks a large catalogue stops the process for a second
        self._digests, self._spaces = draft.digests, {key: spaces[key] for key in self._encoders}
        self.catalog, self._state, self.loaded = catalog, changes.state, True
        self._builds += 1
        self._telemetry.catalog(len(catalog), self.pending)
        self._wake.set()
        if changes.stale:
            await self._restate(changes.stale)
        await self._tell_complete()

    async def _tell_complete(self) -> None:
        if self._on_complete is None or self._serving != self._wanted or not self.ready:
            return
        try:
            await self._on_complete()
            self._on_complete = None
        except RegistryError as error:
            _log.warning("which encoder is in force could not be stored yet", reason=str(error))

    def _complete(self, spaces: dict[str, Space], draft: Draft) -> bool:
        """Tell whether the wanted encoders have embedded all that they can take."""
        return all(
            (key, draft.digests[row]) in self._failed
            for key in self._wanted
            for row in np.flatnonzero(~spaces[key].ready).tolist()
        )

    def _switch(self) -> None:
        _log.info("the encoder was changed", before=self._serving, now=self._wanted)
        self._serving = self._wanted
        self._encoders = {key: self._encoders[key] for key in self._wanted}

    async def _found(self, draft: Draft, learned: dict[str, Found]) -> dict[str, Found]:
        return {key: await self._found_by(key, draft, learned.get(key, {})) for key in self._encoders}

    async def _found_by(self, key: str, draft: Draft, learned: Found) -> Found:
        """Give by digest what was learned of what is as it was, and of the rest what is stored."""
        wanted = self._shelves[key].wanted(draft)
        before = {digest: found for digest, found in learned.items() if digest not in wanted}
        return before | await self._stored_or_made(key, wanted)

    async def _stored_or_made(self, key: str, wanted: dict[str, Tool]) -> Found:
        """Give by digest the vectors that are stored, and where few are missing those, if they are made in a moment."""
        if not wanted:
            return {}
        try:
            found = await self._shelves[key].find(wanted.keys(), at_once=True)
        except RegistryAway:
            return {}  # the change is shown without them, and `_embed` finds them
        missing = {digest: tool for digest, tool in wanted.items() if digest not in found}
        if 0 < len(missing) <= _AT_ONCE and key not in self._making:
            self._making[key] = making = asyncio.create_task(self._made(key, missing))
            making.add_done_callback(lambda _: self._making.pop(key))
            with suppress(TimeoutError):  # then they are stored when they come, and `_embed` finds them
                found |= await asyncio.wait_for(asyncio.shield(making), _AT_ONCE_S)
        return found

    async def _made(self, key: str, tools: dict[str, Tool]) -> Found:
        """Make and store vectors, as many as can be."""
        fresh: dict[str, Vectors] = {}
        try:
            fresh = await made(self._encoders[key], tools)
            return await self._shelves[key].add(fresh)
        except (RegistryError, EncoderError) as error:
            _log.warning("vectors could not be made or stored yet", reason=str(error))
        except Exception:  # noqa: BLE001 - whatever an encoder raises: the change must be shown
            _log.exception("vectors could not be made; words find the tools")
        return self._shelves[key].unstored(fresh)

    def _filled(self, draft: Draft, found: dict[str, Found]) -> dict[str, Space]:
        spaces = {key: self._shelves[key].filled(self._spaces[key], draft, found[key]) for key in self._encoders}
        with suppress(IndexAway):
            _ = [space.sample for space in spaces.values()]  # made lazily, as below
        return spaces

    def _worded(self, state: State, draft: Draft) -> Catalog:
        """Give the next catalogue without its vectors."""
        # Every build is a version of its own: what was selected by words alone is selected anew with vectors, and a
        # registry that was put back to an earlier state cannot pass for the one remembered under its number.
        version = f"{state.generation}.{self._builds}"
        if len(draft.change.tools) > max(_MANY, len(self.catalog) // 4):
            catalog = Catalog.build(version, tools_after(self.catalog, draft.change))
        else:
            catalog = changed(self.catalog, draft.change, version)
        # Made lazily, half a second at 100,000 tools: no request should be the one to wait for them.
        _ = catalog.by_name, catalog.by_phrase, catalog.pinned, catalog.rights, catalog.name_weights, catalog.scripts
        return catalog

    async def _restate(self, stale: dict[str, str]) -> None:
        try:
            await self._registry.restate(stale)
        except RegistryError as error:
            _log.warning("digests of an earlier recipe could not be replaced yet", tools=len(stale), reason=str(error))

    async def _follow(self) -> None:
        """Look for changes made by other processes."""
        watch = self._registry.watch()
        while True:
            await self._registry.changed(self._poll_s)
            try:
                with watch.look() as stirred:
                    if stirred or self._on_complete is not None:
                        await self.refresh()
                        self._reached(None)
            except RegistryError as error:
                self._reached(error)
            except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                _log.exception("the catalogue could not be brought up to date; the last one serves on")

    def _reached(self, error: RegistryError | None) -> None:
        """Take note of whether the registry could be read; say so when that has changed."""
        if error is not None and not self.away:
            _log.warning("the registry could not be read; the last catalogue serves on", reason=str(error))
        if error is None and self.away:
            _log.info("the registry can be read again")
        self.away = error is not None
        self._telemetry.registry(up=not self.away)

    async def _embed(self) -> None:
        """Embed what a large write left without vectors; what fails by itself is tried again later."""
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), _RETRY_FAILED_S if self._failed else None)
            except TimeoutError:
                self._failed.clear()
            self._wake.clear()
            while keys := [key for key in self._encoders if self._waiting(key, 1)]:
                if not any([await self._attempt(key) for key in keys]):
                    await asyncio.sleep(_RETRY_S)

    async def _attempt(self, key: str) -> bool:
        """Embed some of the tools that wait for an encoder; tell whether it could be done."""
        try:
            await self._embed_some(key, self._waiting(key, max(_STEP, len(self.catalog) // 64)))
        except (RegistryError, EncoderError) as error:
            _log.warning("tools could not be embedded yet; words find them", reason=str(error))
        except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
            _log.exception("tools could not be embedded; words find them")
        else:
            return True
        return False

    def _waiting(self, key: str, most: int) -> dict[str, Tool]:
        """Give tools that an encoder has to embed, by digest."""
        rows = np.flatnonzero(~self._spaces[key].ready).tolist()
        waiting = (row for row in rows if (key, self._digests[row]) not in self._failed)
        return {self._digests[row]: self.catalog.tools[row] for row in islice(waiting, most)}

    async def _embed_some(self, key: str, waiting: dict[str, Tool]) -> None:
        """Embed tools and show them: a large catalogue is found by meaning bit by bit."""
        encoder = self._encoders[key]
        if key in self._making:
            await asyncio.wait({self._making[key]})  # some of them come by it
        _log.info("embedding tools", encoder=encoder.name, waiting=self.pending)
        learned = await self._shelves[key].find(waiting.keys())
        missing = {digest: tool for digest, tool in waiting.items() if digest not in learned}
        async for fresh, failed in made_or_failed(encoder, missing):
            learned |= await self._shelves[key].add(fresh)
            self._failed |= {(key, digest) for digest in failed}
            for tool in failed.values():
                _log.warning("the encoder cannot take this tool; words find it", tool=tool.name)
        async with self._building:
            await self._rebuild({key: learned})


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
