"""The keys that open the gateway now, in memory: one HMAC and a look at a dictionary a request.

Revoked keys are not in it. What is looked for is the HMAC of what is shown, never its id: whoever has no pepper can
neither choose nor foresee it, so the time that a look takes tells nothing about secrets, and nothing about ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from weakref import WeakSet

from app.callers import form
from app.registry.keys import Key
from app.settings import SourcePolicy
from router.permit import ANYONE
from router.types import Grants


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a key: its id, what it grants, how often it may be used, whose tools its requests get."""

    id: str
    grants: Grants = ANYONE
    limits: tuple[str, ...] = ()
    source: SourcePolicy | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    until: float
    holder: Holder


class Keyring:
    """What `hold` was given last. Of one event loop.

    `used` collects when keys opened last since it was emptied, by id.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.used: dict[str, float] = {}
        self._held: dict[str, _Held] = {}
        self._ids: frozenset[str] = frozenset()
        self._inside: dict[str, WeakSet[asyncio.Task[object]]] = {}
        self._taken_back: set[str] = set()
        self._clock = clock

    def __len__(self) -> int:
        """Return how many keys would open."""
        return len(self._held)

    def hold(self, keys: Iterable[Key]) -> None:
        """Let these keys open and no others; cancel the requests in hand of those that are taken back."""
        keys = list(keys)
        self._ids = frozenset(key.id for key in keys)
        before, self._held = self._held, self._of(keys)
        for digest in before.keys() - self._held.keys():
            key_id = before[digest].holder.id
            self._taken_back.add(key_id)
            for task in list(self._inside.pop(key_id, ())):
                task.cancel()

    def attend(self, key_id: str) -> None:
        """Let the request that this task answers end when its key is taken back."""
        if (task := asyncio.current_task()) is not None:
            self._inside.setdefault(key_id, WeakSet()).add(task)

    def took_back(self, key_id: str) -> bool:
        """Tell whether a key opened before and does not any more."""
        return key_id in self._taken_back

    def open(self, shown: bytes, pepper: bytes) -> Holder | None:
        """Give the holder of a key; None for a key that is not known, or is not any more."""
        held = self._held.get(form.digest(shown, pepper))
        now = self._clock()
        if held is None or held.until <= now:
            return None
        self.used[held.holder.id] = now
        return held.holder

    def made(self, shown: bytes) -> bool:
        """Return whether this looks like a key of this gateway's making, whether it opens or not any more."""
        return form.id_of(shown) in self._ids

    def holder_of(self, key_id: str) -> Holder | None:
        """Return the holder of a key that is held; None where there is none of this id."""
        return next((held.holder for held in self._held.values() if held.holder.id == key_id), None)

    def _of(self, keys: Iterable[Key]) -> dict[str, _Held]:
        return {
            key.digest: _Held(
                key.expires_at.timestamp() if key.expires_at else float("inf"),
                Holder(key.id, key.grants, key.limits, key.source),
            )
            for key in keys
            if key.revoked_at is None
        }
