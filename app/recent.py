"""Why recent requests got the tools that they got: names of tools, ranks and figures, never a text of anybody.

Laws: bounded in bytes, the oldest go first. What is kept of a request is one JSON text, made when it has ended; until
then its names are: nothing of a client's list or of the catalogue is held on to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from router.catalog import Pool
from router.memory import Lru
from router.types import Selection

_CHOSEN = 128  # tools that are named: as many as select.max lets be chosen; what a client keeps beside them is counted
_NEAR = 10  # best of those that were not chosen
_RANKED = 64  # places that are looked at: a rank beyond says no more than that it is low
_NAME = 64  # characters of a name that a client gave
_OVERHEAD_BYTES = 128  # of a key and its value
_PART = 16  # an entry takes this part of the whole at most


class Chosen(msgspec.Struct):
    """A tool that was sent, and why; its rank where the request was searched for and it is among the first."""

    name: str
    from_: str = msgspec.field(name="from")
    why: str
    rank: int | None


class Passed(msgspec.Struct):
    """A tool that came close."""

    name: str
    rank: int


class Choice(msgspec.Struct):
    """What routing chose, in the order in which it was sent, and the best of what it did not."""

    chosen: list[Chosen]
    near: list[Passed]
    searched: bool
    relevance: float | None


class Told(msgspec.Struct):
    """What one request came to."""

    id: str
    at: datetime
    choice: Choice | None
    figures: Mapping[str, Any]


class Recent:
    """The requests that have ended last, by their ids. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self._kept: Lru[str, bytes] = Lru(most_bytes, _size, _PART)

    @property
    def used_bytes(self) -> int:
        """Return what is held."""
        return self._kept.used_bytes

    def note(self, told: Told, *also: str) -> None:
        """Keep what a request came to, under its id and others that its caller may have seen."""
        text = msgspec.json.encode(told)
        for name in (told.id, *also):
            self._kept.put(name, text)

    def get(self, request_id: str) -> bytes | None:
        """Return what a request came to, as JSON; None where that is not known."""
        return self._kept.get(request_id)

    def clear(self) -> None:
        """Forget all."""
        self._kept = Lru(self._kept.most_bytes, _size, _PART)


def choice_of(selection: Selection, pool: Pool) -> Choice:
    """Return what was chosen, by name: nothing of what it was chosen from is held on to. Takes some microseconds."""
    rankings, names = selection.rankings, _Names(pool)
    first = [] if rankings is None else rankings.fused.ids[:_RANKED].tolist()
    ranks = dict(zip(first, range(1, len(first) + 1), strict=True))
    sent, own = frozenset(selection.positions), len(pool.own)
    passed = islice((place for place in ranks.items() if place[0] not in sent), _NEAR)
    return Choice(
        [
            Chosen(names[at], "client" if at < own else "catalogue", reason, ranks.get(at))
            for at, reason in zip(selection.positions[:_CHOSEN], selection.reasons, strict=False)
        ],
        [Passed(names[at], rank) for at, rank in passed],
        searched=rankings is not None,
        relevance=None if selection.relevance is None else round(selection.relevance, 3),
    )


class _Names:
    """The names of a pool's tools by position, as far as they are kept."""

    def __init__(self, pool: Pool) -> None:
        self._own, self._registered = pool.own.tools, pool.registered.tools
        self._first = len(self._own)

    def __getitem__(self, position: int) -> str:
        first = self._first
        tool = self._own[position] if position < first else self._registered[position - first]
        return tool.name[:_NAME]


def _size(request_id: str, text: bytes) -> int:
    return len(request_id) + len(text) + _OVERHEAD_BYTES
