"""Memories that are bounded in bytes, and how much each may take of what all together may.

Laws. What is held never takes more than the limit, as `size` counts it, the map's own part among it. What is larger
than a part of the limit is not held: one entry never pushes out more than a few. Each kind has a share of its own: a
flood of one leaves the others as they were.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY_BYTES = 320  # what the map itself takes for an entry, while it doubles its table
DEFAULT_BYTES = 128 * 2**20


class Lru(Generic[K, V]):
    """Holds at most `most_bytes`; reading an entry makes it the newest, the oldest go. Thread-safe.

    `size` counts a key and its value. An entry may take a `part`-th of the limit at most.
    """

    def __init__(self, most_bytes: int, size: Callable[[K, V], int], part: int = 8) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0
        self.largest_bytes = most_bytes // part
        self._size = size
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return an entry, or None."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: K, value: V) -> None:
        """Add or replace an entry, unless it is too large; the oldest go when there are too many bytes."""
        size = self._size(key, value) + ENTRY_BYTES
        with self._lock:
            _, before = self._entries.pop(key, (None, 0))
            self.used_bytes -= before
            if size > self.largest_bytes:
                return
            self._entries[key] = value, size
            self.used_bytes += size
            while self.used_bytes > self.most_bytes:
                _, (_, freed) = self._entries.popitem(last=False)
                self.used_bytes -= freed


class Room:
    """Bytes that may be in use at once. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take so many bytes where they are free; return whether they were."""
        with self._lock:
            if self.used_bytes + size > self.most_bytes:
                return False
            self.used_bytes += size
            return True

    def give_back(self, size: int) -> None:
        """Let others have them."""
        with self._lock:
            self.used_bytes -= size


@dataclass(frozen=True, slots=True)
class Shares:
    """The bytes that each kind of memory may take.

    `conversations`: which tools were sent to each. `lists`: clients' tool lists as they were read. `list_vectors`: the
    same with their vectors. `tool_vectors`: of clients' tools one by one. `questions`: vectors of questions. `frames`:
    what follows from a list, a caller's rights and a budget. `waiting`: texts that wait to be encoded. `requests`: why
    the last requests got their tools.
    """

    conversations: int
    lists: int
    list_vectors: int
    tool_vectors: int
    questions: int
    frames: int
    waiting: int
    requests: int

    @classmethod
    def of(cls, total: int = DEFAULT_BYTES) -> Self:
        """Divide what all memories together may take."""
        part = total // 25
        return cls(
            conversations=4 * part,
            lists=5 * part,
            list_vectors=5 * part,
            tool_vectors=4 * part,
            questions=3 * part,
            frames=part,
            waiting=2 * part,
            requests=part,
        )

    def among(self, count: int) -> Self:
        """Return what each of so many encoders may take."""
        return type(self)(*(getattr(self, name) // max(1, count) for name in self.__slots__))
