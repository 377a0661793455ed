"""What was in force at a turn, remembered: it saves the replay, and a running conversation keeps its list.

Laws. A *settled* set is the same whenever it is asked for over the same catalogue: it follows from catalogue, grants
and request alone, or it was found in haste and has been extended. Any other (in haste, with a forced tool, over an
older catalogue or another list) counts only where the conversation shows that it was sent: it went on after it. A set
that was found before all vectors were there is extended once, when it is asked for again and they are: what was sent
stays, and what meaning finds comes behind it. What a caller may no longer be offered is gone. A set of thousands of
tools is not remembered but found anew: what follows from the request comes out the same. A list of the client is known
by its tools, not by its bytes: in another order, or with others beside them, a conversation goes on as it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from sys import getsizeof

import numpy as np
import xxhash

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
    """A set, packed: positions as `int32`, reasons as a byte each, the tools' names.

    `registered` and `own` are the versions of the catalogue and of the list that its positions belong to, `listed` is
    the number of tools of that list; `rest` is the set without its tools.
    """

    registered: str
    own: str
    listed: int
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
        few = most_bytes // 16
        self._entries: Lru[bytes, _Entry] = Lru(most_bytes - few, _size, _PART)
        # Under which list a conversation was seen last. Two applications with one key and one question do not mix.
        self._latest: Lru[bytes, bytes] = Lru(few, lambda key, exact: getsizeof(key) + getsizeof(exact))

    @property
    def used_bytes(self) -> int:
        """What it holds."""
        return self._entries.used_bytes + self._latest.used_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: bytes, held: Held, pool: Pool) -> None:
        """Remember what is in force at a turn."""
        names = "\0".join([pool.tool(position).name.replace("\0", "\1") for position in held.order])
        entry = _Entry(
            registered=pool.registered.version,
            own=pool.own.version,
            listed=len(pool.own),
            order=np.asarray(held.order, dtype=np.int32).tobytes(),
            reasons=bytes([_NUMBERS[reason] for reason in held.reasons]),
            names=names.encode("utf-8", "surrogatepass"),
            rest=replace(held, order=(), reasons=()),
        )
        exact = _exact(key, pool)
        self._entries.put(exact, entry)
        self._seen(key, exact)

    def get(self, key: bytes, pool: Pool, permitted: Mask, kept: Mapping[int, Reason], *, sent: bool) -> Held | None:
        """Give what was in force, in positions of this pool; None where there is nothing to go by.

        `sent` tells that the conversation went on after this turn. `kept` are the invariants of today.
        """
        exact = _exact(key, pool)
        entry = self._entries.get(exact)
        if entry is not None:
            self._seen(key, exact)
        elif sent and (latest := self._latest.get(key)) is not None:
            entry = self._entries.get(latest)
        if entry is None:
            return None
        if (entry.registered, entry.own) == (pool.registered.version, pool.own.version):
            held = entry.held()
            if kept.keys() <= set(held.order):  # not so where other instructions name others of the client's tools
                return held if sent or held.settled or held.hasty else None
        return _moved(entry, pool, permitted, kept) if sent else None

    def _seen(self, key: bytes, exact: bytes) -> None:
        if exact not in {key, self._latest.get(key)}:
            self._latest.put(key, exact)


def _exact(key: bytes, pool: Pool) -> bytes:
    """Return the key under which a set is held: that of a conversation with a list of its own, of the list, too."""
    if not len(pool.own):
        return key
    return xxhash.xxh3_128_digest(key + pool.own.version.encode("utf-8", "surrogatepass"))


def _moved(entry: _Entry, pool: Pool, permitted: Mask, kept: Mapping[int, Reason]) -> Held | None:
    """Find the tools of a set in another version of the catalogue, or in another list of the client; by their names.

    They stay in the order in which they were sent. None where the list has less than half of its own of them.
    """
    held = entry.held()
    names = entry.names.decode("utf-8", "surrogatepass").split("\0")
    found: dict[int, Reason] = {}
    before, now = set[str](), set[str]()  # of the client's tools that were sent
    for position, reason, name in zip(held.order, held.reasons, names, strict=False):
        if position < entry.listed:
            before.add(name)
            places = pool.own.by_name.get(name, [])
            now.update([name] * bool(places))
        else:
            places = pool.positions(name)
        for place in places:
            if place not in found and (permitted[place] or undisputed(pool, place)):
                found[place] = reason
    if 2 * len(now) < len(before):
        return None
    found |= {position: reason for position, reason in kept.items() if position not in found}
    return replace(held, order=tuple(found), reasons=tuple(found.values()), settled=False)
