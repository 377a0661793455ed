"""What was in force at a turn, remembered: it saves the replay, and a running conversation keeps its list.

Laws. A *settled* set follows from catalogue, grants and request alone; for the same catalogue it may be used whenever
it is asked for. Any other (in haste, with a forced tool, or over an older catalogue) counts only where the conversation
shows that it was sent: it went on after it. A set that was found before all vectors were there is extended when it is
asked for again: what was sent stays, and what meaning finds comes behind it. What a caller may no longer be offered is
gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from router.catalog import Pool
from router.cut import Held, undisputed
from router.memory import Lru
from router.types import Mask, Reason


@dataclass(frozen=True, slots=True)
class _Entry:
    """A set and the catalogue version that its positions belong to; `names` are its tools', in order."""

    version: str
    held: Held
    names: tuple[str, ...]


class Recall:
    """A bounded memory of sets by key; see `pipeline._Run` for what a key is made of. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._entries: Lru[bytes, _Entry] = Lru(size)

    def put(self, key: bytes, held: Held, pool: Pool) -> None:
        """Remember what is in force at a turn."""
        names = tuple(pool.tool(position).name for position in held.order)
        self._entries.put(key, _Entry(pool.registered.version, held, names))

    def get(self, key: bytes, pool: Pool, permitted: Mask, kept: Mapping[int, Reason], *, sent: bool) -> Held | None:
        """Give what was in force, in positions of this pool; None where there is nothing to go by.

        `sent` tells that the conversation went on after this turn. `kept` are the invariants of today.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        same = entry.version == pool.registered.version
        if not sent and not (same and (entry.held.settled or entry.held.hasty)):
            return None
        return entry.held if same else _moved(entry, pool, permitted, kept)


def _moved(entry: _Entry, pool: Pool, permitted: Mask, kept: Mapping[int, Reason]) -> Held:
    """Find the tools of a set in another version of the catalogue."""
    own = len(pool.own)
    found: dict[int, Reason] = {}
    for position, reason, name in zip(entry.held.order, entry.held.reasons, entry.names, strict=True):
        if position < own:
            if permitted[position] or undisputed(pool, position):
                found[position] = reason
        else:
            places = (own + row for row in pool.registered.by_name.get(name, ()))
            found |= {place: reason for place in places if permitted[place]}
    found |= {position: reason for position, reason in kept.items() if position not in found}
    return replace(entry.held, order=tuple(found), reasons=tuple(found.values()), settled=False)
