"""What was in force at a turn, remembered: it saves the replay, and a running conversation keeps its list.

Laws. A *settled* set is the same whenever it is asked for over the same catalogue: it follows from catalogue, grants
and request alone, or it was found in haste and has been extended. Any other (in haste, with a forced tool, or over an
older catalogue) counts only where the conversation shows that it was sent: it went on after it. A set that was found
before all vectors were there is extended once, when it is asked for again and they are: what was sent stays, and what
meaning finds comes behind it. What a caller may no longer be offered is gone. A set of
thousands of tools is not remembered but found anew: what follows from the request comes out the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from sys import getsizeof

import numpy as np

from router.catalog import Pool
from router.cut import Held, undisputed
from router.memory import Lru
from router.types import Mask, Reason

_REASONS = tuple(Reason)
_NUMBERS = {reason: number for number, reason in enumerate(_REASONS)}
_PART = 1_024  # of the share is the most that one set may take, some thousands of tools
_OBJECTS_BYTES = 256  # an entry's own, beside its texts


@dataclass(frozen=True, slots=True)
class _Entry:
    """A set, packed: positions as `int32`, reasons as a byte each, the catalogue's tools' names.

    `version` is that of the catalogue that its positions belong to; `rest` is the set without its tools.
    """

    version: str
    order: bytes
    reasons: bytes
    names: bytes
    rest: Held

    def held(self) -> Held:
        """Unpack it."""
        reasons = tuple([_REASONS[number] for number in self.reasons])
        return replace(self.rest, order=self.positions(), reasons=reasons)

    def positions(self) -> tuple[int, ...]:
        """Unpack the positions."""
        return tuple(np.frombuffer(self.order, dtype=np.int32).tolist())


def _size(key: bytes, entry: _Entry) -> int:
    return _OBJECTS_BYTES + sum(map(getsizeof, (key, entry.order, entry.reasons, entry.names)))


class Recall:
    """A memory of sets by key, bounded in bytes; see `pipeline._Run` for what a key is made of. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self.entries: Lru[bytes, _Entry] = Lru(most_bytes, _size, _PART)

    def put(self, key: bytes, held: Held, pool: Pool) -> None:
        """Remember what is in force at a turn."""
        own = len(pool.own)
        names = "\0".join([pool.tool(position).name for position in held.order if position >= own])
        entry = _Entry(
            version=pool.registered.version,
            order=np.asarray(held.order, dtype=np.int32).tobytes(),
            reasons=bytes([_NUMBERS[reason] for reason in held.reasons]),
            names=names.encode("utf-8", "surrogatepass"),
            rest=replace(held, order=(), reasons=()),
        )
        self.entries.put(key, entry)

    def get(self, key: bytes, pool: Pool, permitted: Mask, kept: Mapping[int, Reason], *, sent: bool) -> Held | None:
        """Give what was in force, in positions of this pool; None where there is nothing to go by.

        `sent` tells that the conversation went on after this turn. `kept` are the invariants of today.
        """
        entry = self.entries.get(key)
        if entry is None:
            return None
        same = entry.version == pool.registered.version
        if not sent and not (same and (entry.rest.settled or entry.rest.hasty)):
            return None
        return entry.held() if same else _moved(entry, pool, permitted, kept)


def _moved(entry: _Entry, pool: Pool, permitted: Mask, kept: Mapping[int, Reason]) -> Held:
    """Find the tools of a set in another version of the catalogue."""
    own, held = len(pool.own), entry.held()
    names = iter(entry.names.decode("utf-8", "surrogatepass").split("\0"))
    found: dict[int, Reason] = {}
    for position, reason in zip(held.order, held.reasons, strict=True):
        if position < own:
            if permitted[position] or undisputed(pool, position):
                found[position] = reason
        else:
            places = (own + row for row in pool.registered.by_name.get(next(names), ()))
            found |= {place: reason for place in places if permitted[place]}
    found |= {position: reason for position, reason in kept.items() if position not in found}
    return replace(held, order=tuple(found), reasons=tuple(found.values()), settled=False)
