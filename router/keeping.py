"""What of a client's long list is kept whatever is asked: what it wants kept, what its instructions name, what steers.

Law: it follows from the list, the instructions and the request alone, none of which a later turn of the conversation
changes: so the lists of a conversation begin alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import xxhash

from router import control, footprint
from router.catalog import Catalog
from router.memory import Lru
from router.named import named_in
from router.types import Budget, Reason, RouteRequest, Source

# Of a list that instructions name whole, the names say little: so many places are left to what is asked.
LEFT = 6
_MOST = 16_000  # characters of instructions that are read at either end
_SHORT = 200  # characters
_BETWEEN = re.compile(r"\n[ \t]*\n\s*")
_Key = tuple[str, bytes]


class Instructions:
    """Which tools of a list instructions name, remembered by paragraph. Thread-safe.

    An application's instructions are the same at each request, but for a paragraph that tells the time.
    """

    def __init__(self, most_bytes: int) -> None:
        self._named: Lru[_Key, frozenset[int]] = Lru(most_bytes, _size)

    @property
    def used_bytes(self) -> int:
        """What it holds."""
        return self._named.used_bytes

    def known(self, own: Catalog, request: RouteRequest) -> frozenset[int] | None:
        """Return the positions of the tools that are named, where that is known or needs no looking."""
        said = request.conversation.instructions
        if not said or request.source is Source.REGISTRY or own.trimmable <= request.budget.most:
            return frozenset()
        found = [self._named.get(_key(own, paragraph)) for paragraph in _paragraphs(said)]
        known = [named for named in found if named is not None]
        return frozenset().union(*known) if len(known) == len(found) else None

    def named(self, own: Catalog, request: RouteRequest) -> frozenset[int]:
        """Return the positions of the tools that are named."""
        found = self.known(own, request)
        if found is not None:
            return found
        return frozenset().union(*(self._in(own, said) for said in _paragraphs(request.conversation.instructions)))

    def _in(self, own: Catalog, paragraph: str) -> frozenset[int]:
        key = _key(own, paragraph)
        named = self._named.get(key)
        if named is None:
            named = frozenset(named_in(own, paragraph))
            self._named.put(key, named)
        return named


def _paragraphs(said: str) -> list[str]:
    """Return the paragraphs of a text, short ones together, of a long text those of its start and its end."""
    read = said if len(said) <= 2 * _MOST else f"{said[:_MOST]}\n\n{said[-_MOST:]}"
    found = [""]
    for paragraph in _BETWEEN.split(read):
        if len(found[-1]) < _SHORT:
            found[-1] += f"\n\n{paragraph}"
        else:
            found.append(paragraph)
    return list(dict.fromkeys(found))


def of_long_list(own: Catalog, asked: Iterable[str], named: frozenset[int], budget: Budget) -> dict[int, Reason]:
    """Return what is kept of a list that is longer than the budget.

    What the client asks for is, and then, up to the budget, what steers it and what its instructions name. Where they
    name more than there is room for, they list tools rather than name some: then those without a sibling are kept.
    """
    kept = dict.fromkeys((p for name in asked for p in own.by_name.get(name, ())), Reason.ASKED)
    _add(kept, own, control.control(own), Reason.CONTROL, budget.most)
    if len(kept.keys() | named) <= budget.most:
        _add(kept, own, sorted(named), Reason.INSTRUCTED, budget.most)
    else:
        _add(kept, own, control.alone(own, named), Reason.INSTRUCTED, budget.most - LEFT)
    return kept


def _add(kept: dict[int, Reason], own: Catalog, positions: Iterable[int], reason: Reason, most: int) -> None:
    """Add tools with their namesakes as long as there is room."""
    for name in dict.fromkeys(own.tools[position].name for position in positions):
        fresh = [p for p in own.by_name[name] if p not in kept]
        if len(kept) + len(fresh) <= most:
            kept |= dict.fromkeys(fresh, reason)


def _key(own: Catalog, said: str) -> _Key:
    return own.version, xxhash.xxh3_128_digest(said.encode("utf-8", "surrogatepass"))


def _size(key: _Key, named: frozenset[int]) -> int:
    return footprint.texts(key) + 64 * len(named) + 512
