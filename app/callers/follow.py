"""Keeps the ring in step with the registry, whichever process changes it, and notes which keys are used.

Laws: a key that is revoked anywhere opens nothing after a second. While the registry cannot be read, the keys that are
known go on. When a key was used is written two seconds later, and then once a minute at most: the last use always is.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from app.callers.ring import Keyring
from app.errors import RegistryError
from app.registry.keys import Key, KeyStore

_log = structlog.get_logger()

LOOK_S = 0.4  # a look takes a millisecond; with what is under way it stays well below a second
_NOTE_S = 2.0
_NOTE_AGAIN_S = 60.0  # of one key: a busy one costs a write a minute, whatever its requests


class Following:
    """The background work for a ring. `stop()` it."""

    def __init__(
        self,
        ring: Keyring,
        store: KeyStore,
        look_s: float = LOOK_S,
        note_s: float = _NOTE_S,
        again_s: float = _NOTE_AGAIN_S,
    ) -> None:
        self.ring = ring
        self.store = store
        self._look_s = look_s
        self._note_s = note_s
        self._again_s = again_s
        self._token: str | None = None
        self._noted_at: dict[str, float] = {}
        self._reading = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load the keys, then follow the registry in the background."""
        await self.refresh()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._note())]

    async def stop(self) -> None:
        """End the background work; note what was used last."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._note_used(0.0)

    async def refresh(self) -> None:
        """Hold the keys that are there now.

        Raises:
            RegistryError: The registry cannot be read; the keys that were held stay.
        """
        async with self._reading:
            if await self.store.token() != self._token:
                token, keys = await self.store.load()
                self.ring.hold(keys)
                self._token = token

    async def add(self, key: Key) -> None:
        """Keep a new key, and hold it here at once if that can be.

        Raises:
            RegistryError: It is not kept.
        """
        await self.store.add(key)
        with suppress(RegistryError):  # it is looked at again in a moment
            await self.refresh()

    async def _follow(self) -> None:
        failed = False
        watch = self.store.watch()
        while True:
            await asyncio.sleep(self._look_s)
            try:
                with watch.look() as stirred:
                    if stirred:
                        await self.refresh()
                failed = False
            except RegistryError as error:
                if not failed:
                    _log.warning("keys could not be read; those that are known go on", reason=str(error))
                failed = True
            except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                _log.exception("keys could not be brought up to date; those that are known go on")

    async def _note(self) -> None:
        while True:
            await asyncio.sleep(self._note_s)
            await self._note_used(self._again_s)

    async def _note_used(self, again_s: float) -> None:
        """Write when keys were used, but for those that were written less than `again_s` ago: they wait."""
        now = time.monotonic()
        due = {key_id for key_id in self.ring.used if now - self._noted_at.get(key_id, -math.inf) >= again_s}
        if not due:
            return
        used, self.ring.used = self.ring.used, {}
        self.ring.used = {key_id: at for key_id, at in used.items() if key_id not in due}
        try:
            await self.store.note_used({key_id: _second(used[key_id]) for key_id in due})
            self._noted_at |= dict.fromkeys(due, now)
        except RegistryError as error:
            self.ring.used = used | self.ring.used
            _log.warning("when keys were used could not be noted yet", reason=str(error))


def _second(at: float) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)
