"""Catalog: an immutable, versioned snapshot of tools and the arrays to find them by; Pool: a request's tools.

A catalogue is swapped whole, never changed; a request holds one reference from its start to its end. A
client's own tool list is a catalogue too, so that registered tools and its own are ranked by one measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from router import text
from router.deadline import Check, checked, never
from router.errors import CatalogError
from router.lookup import Lookup
from router.postings import Postings
from router.rights import Rights
from router.script import Scripts, written
from router.spellings import Spellings
from router.types import Mask, Positions, Scores, Tool, VectorIndex, Vectors

_SAMPLE = 2_048  # tools that stand for all where the whole would take too long


@dataclass(frozen=True)
class Space:
    """The vectors of one encoder (its `key`): one row a tool in the catalogue's order, zeros where not ready.

    `ready[i]` says whether tool i has its vector yet; until then only words find it there.
    """

    key: str
    index: VectorIndex
    ready: Mask

    @cached_property
    def sample(self) -> Vectors:
        """Evenly spread rows that are ready, `float32[k, d]`: what scores of a question are usual is seen on them."""
        rows = np.flatnonzero(self.ready)
        return self.index.take(spread(rows))


@dataclass(frozen=True)
class Catalog:
    """Tools in their order, with their arrays: all words, the words of their names, the vectors of each encoder.

    `spellings` are what the tools are called by, however it is written.
    """

    version: str
    tools: tuple[Tool, ...]
    postings: Postings
    names: Postings
    spellings: Spellings
    spaces: tuple[Space, ...] = ()
    tokens: NDArray[np.int64] = field(repr=False, default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def build(
        cls,
        version: str,
        tools: Sequence[Tool],
        *,
        spaces: Sequence[Space] = (),
        postings: Postings | None = None,
        check: Check = never,
    ) -> Catalog:
        """Build the arrays for tools. `postings`: what words find them by, when the caller has it already.

        Raises:
            CatalogError: A space or `postings` has not one entry a tool.
            OutOfTime: As `check` does, which is called for each tool.
        """
        if postings is None:
            postings = Postings.build(map(text.document, checked(tools, check)), text.terms_of)
        if {len(tools)} != {len(postings), *(len(space.ready) for space in spaces)}:
            raise CatalogError(f"{len(tools)} tools need as many documents and as many flags in every space")
        return cls(
            version=version,
            tools=tuple(tools),
            postings=postings,
            names=Postings.build(map(text.named, checked(tools, check)), text.terms_of),
            spellings=Spellings.build(checked(tools, check)),
            spaces=tuple(spaces),
            tokens=np.asarray([text.estimate_tokens(tool.definition) for tool in tools], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.tools)

    def with_spaces(self, spaces: Sequence[Space]) -> Catalog:
        """Give the same tools with other vectors."""
        after = replace(self, spaces=tuple(spaces))
        made = {name: value for name, value in vars(self).items() if name not in vars(after) and name != "ready"}
        vars(after).update(made)  # what is made when it is first asked for, and does not follow from the vectors
        return after

    def space(self, key: str) -> Space | None:
        """Give the vectors of an encoder."""
        return next((space for space in self.spaces if space.key == key), None)

    @cached_property
    def ready(self) -> Mask:
        """Which tools have the vectors of every encoder, `bool[n]`; none without encoders."""
        if not self.spaces:
            return np.zeros(len(self), dtype=np.bool_)
        ready: Mask = np.logical_and.reduce([space.ready for space in self.spaces])
        return ready

    @cached_property
    def name_weights(self) -> Scores:
        """What the terms of each name weigh together, `float32[n]`: a name that all tools share tells little."""
        found = np.diff(self.names.starts)
        idf = np.log1p((len(self) - found + 0.5) / (found + 0.5))
        weights = np.bincount(self.names.rows, weights=np.repeat(idf, found), minlength=len(self))
        floored: Scores = np.maximum(weights, 1e-9).astype(np.float32)
        return floored

    @cached_property
    def scripts(self) -> Scripts:
        """In which scripts the tools describe themselves, in shares of 1."""
        rows = spread(np.arange(len(self)))
        return written(text.summary(self.tools[row]) for row in rows.tolist())

    @cached_property
    def trimmable(self) -> int:
        """How many tools of a client's list may be left out."""
        return sum(not tool.fixed for tool in self.tools)

    @cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Positions by name. A registry's names are unique, a client's need not be."""
        found: dict[str, list[int]] = {}
        for position, tool in enumerate(self.tools):
            found.setdefault(tool.name, []).append(position)
        return found

    @cached_property
    def by_phrase(self) -> Lookup:
        """Positions by keyword and tag, in the form of `text.phrase`."""
        return Lookup.build(map(text.keywords, self.tools))

    @cached_property
    def rights(self) -> Rights:
        """What decides about permission."""
        return Rights.build(self.tools)

    @cached_property
    def pinned(self) -> tuple[int, ...]:
        """Positions of the pinned tools."""
        return tuple(i for i, tool in enumerate(self.tools) if tool.pinned)


EMPTY = Catalog.build("empty", ())


@dataclass(frozen=True)
class Pool:
    """The tools one request can draw from: the client's own first, then the catalogue's."""

    own: Catalog
    registered: Catalog

    @property
    def parts(self) -> tuple[tuple[int, Catalog], ...]:
        """The catalogues with the position of their first tool."""
        return ((0, self.own), (len(self.own), self.registered))

    def __len__(self) -> int:
        return len(self.own) + len(self.registered)

    def tool(self, position: int) -> Tool:
        """Give the tool at a position."""
        own = len(self.own)
        return self.own.tools[position] if position < own else self.registered.tools[position - own]

    def is_own(self, position: int) -> bool:
        """Tell whether the client sent this tool itself."""
        return position < len(self.own)

    def positions(self, name: str) -> list[int]:
        """Give the positions of a name; the client's definitions hide the catalogue's."""
        own = self.own.by_name.get(name)
        if own:
            return own
        return [len(self.own) + i for i in self.registered.by_name.get(name, ())]

    def tokens_of(self, position: int) -> int:
        """Estimated tokens of one tool."""
        own = len(self.own)
        return int(self.own.tokens[position] if position < own else self.registered.tokens[position - own])

    def tokens(self) -> NDArray[np.int64]:
        """Estimated tokens of every tool, `int64[n]`."""
        return np.concatenate([self.own.tokens, self.registered.tokens])

    def ready(self) -> Mask:
        """Which tools have all their vectors, `bool[n]`."""
        return np.concatenate([self.own.ready, self.registered.ready])


def spread(rows: Positions) -> Positions:
    """Give evenly spread ones of many rows; of few, all."""
    return rows[:: max(1, -(-len(rows) // _SAMPLE))]
