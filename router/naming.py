"""Naming: what the turns of one request name, and may be sent.

Names count first in what the person asks for, then in the assistant's words that it leans on, at last in what stands
around it, where only identifiers count. Law: that a tool is named is never a way to one that may not be sent.
"""

from __future__ import annotations

import xxhash

from router import cut, named
from router.catalog import Pool
from router.frame import Frame
from router.memory import Lru
from router.named import Mention
from router.types import RouteRequest

_KEY_BYTES, _MENTION_BYTES, _POSITION_BYTES = 512, 256, 40

_Key = tuple[str, str, bool, bytes]


class Memory:
    """What texts around a request name, which an agent loop sends again and again. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self._found: Lru[_Key, tuple[Mention, ...]] = Lru(most_bytes, _size)

    @property
    def used_bytes(self) -> int:
        """What it holds."""
        return self._found.used_bytes

    def has(self, pool: Pool, said: str, *, identifiers: bool) -> bool:
        """Return whether `find` has an answer already."""
        return self._found.get(_key(pool, said, identifiers)) is not None

    def find(self, pool: Pool, said: str, *, identifiers: bool) -> tuple[Mention, ...]:
        """Give `named.find`, remembered."""
        key = _key(pool, said, identifiers)
        found = self._found.get(key)
        if found is None:
            found = named.find(pool, said, identifiers=identifiers)
            self._found.put(key, found)
        return found


class Naming:
    """Finds what is named at the turns of a request."""

    def __init__(self, memory: Memory, pool: Pool, frame: Frame, request: RouteRequest) -> None:
        self._memory = memory
        self._pool = pool
        self._permitted = frame.permitted
        self._budget = request.budget
        self._turns = request.conversation.turns
        self._at: dict[int, list[int]] = {}

    def at(self, turn: int) -> list[int]:
        """Give what a turn names and may be sent, as positions, in order of mention."""
        if turn not in self._at:
            self._at[turn] = self._allowed(self._mentions(turn))
        return self._at[turn]

    def is_known(self, turn: int) -> bool:
        """Return whether what is around the request of a turn was read before, or is nothing."""
        return all(self._memory.has(self._pool, text, identifiers=only) for text, only in self._texts_around(turn))

    def around(self, turn: int) -> list[int]:
        """Give the same of what stands around its request."""
        mentions = self._mentions_around(turn) if self._turns[turn].text else ()
        return self._allowed(mentions) if mentions else []

    def mentioned(self, turn: int) -> tuple[int, ...]:
        """Give what a turn names, also what may not be sent."""
        positions = (position for mention in self._mentions(turn) for position in mention.positions)
        return tuple(dict.fromkeys(positions))

    def _mentions(self, turn: int) -> tuple[Mention, ...]:
        return (*named.find(self._pool, self._turns[turn].text), *self._mentions_around(turn))

    def _mentions_around(self, turn: int) -> tuple[Mention, ...]:
        texts = self._texts_around(turn)
        return tuple(one for text, only in texts for one in self._memory.find(self._pool, text, identifiers=only))

    def _texts_around(self, turn: int) -> list[tuple[str, bool]]:
        """Give what is around a request, and whether only its identifiers count."""
        said = self._turns[turn]
        return [(text, only) for text, only in ((said.before, False), (said.context, True)) if text]

    def _allowed(self, mentions: tuple[Mention, ...]) -> list[int]:
        return cut.named(self._pool, mentions, self._permitted, self._budget)


def _key(pool: Pool, said: str, identifiers: bool) -> _Key:
    digest = xxhash.xxh3_128_digest(said.encode("utf-8", "surrogatepass"))
    return pool.own.version, pool.registered.version, identifiers, digest


def _size(_: _Key, found: tuple[Mention, ...]) -> int:
    return _KEY_BYTES + sum(_MENTION_BYTES + _POSITION_BYTES * len(mention.positions) for mention in found)
