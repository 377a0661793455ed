"""Catalog: an immutable, versioned snapshot of tools and the arrays to find them by; Pool: a request's tools.

A catalogue is swapped whole, never changed; a request holds one reference from its start to its end. A
client's own tool list is a catalogue too, so that registered tools and its own are ranked by one measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from router import text
from router.errors import CatalogError
from router.postings import Postings
from router.rights import Rights
from router.types import Mask, Tool, VectorIndex


@dataclass(frozen=True)
class Catalog:
    """Tools in their order, with their arrays.

    `ready[i]` says whether tool i has its vector yet; until then only words find it. `index` holds `n` rows
    in the order of `tools`, zeros where not ready, or is None while no tool is.
    """

    version: str
    tools: tuple[Tool, ...]
    postings: Postings
    ready: Mask
    index: VectorIndex | None = None
    tokens: NDArray[np.int64] = field(repr=False, default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def build(
        cls,
        version: str,
        tools: Sequence[Tool],
        *,
        index: VectorIndex | None = None,
        ready: Mask | None = None,
        postings: Postings | None = None,
    ) -> Catalog:
        """Build the arrays for tools. `postings`: what words find them by, when the caller has it already.

        Raises:
            CatalogError: `ready` or `postings` has not one entry a tool.
        """
        if postings is None:
            postings = Postings.build(map(text.document, tools), text.terms_of)
        if ready is None:
            ready = np.zeros(len(tools), dtype=np.bool_)
        if not len(tools) == len(ready) == len(postings):
            raise CatalogError(f"{len(tools)} tools, {len(ready)} flags, {len(postings)} documents")
        return cls(
            version=version,
            tools=tuple(tools),
            postings=postings,
            ready=ready,
            index=index,
            tokens=np.asarray([text.estimate_tokens(tool.definition) for tool in tools], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.tools)

    @cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Positions by name. A registry's names are unique, a client's need not be."""
        found: dict[str, list[int]] = {}
        for position, tool in enumerate(self.tools):
            found.setdefault(tool.name, []).append(position)
        return found

    @cached_property
    def by_phrase(self) -> dict[str, list[int]]:
        """Positions by keyword and tag, in the form of `text.phrase`."""
        found: dict[str, list[int]] = {}
        for position, tool in enumerate(self.tools):
            for keyword in {text.phrase(word) for word in (*tool.keywords, *tool.tags)} - {""}:
                found.setdefault(keyword, []).append(position)
        return found

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

    def tokens(self) -> NDArray[np.int64]:
        """Estimated tokens of every tool, `int64[n]`."""
        return np.concatenate([self.own.tokens, self.registered.tokens])

    def ready(self) -> Mask:
        """Which tools have their vectors, `bool[n]`."""
        return np.concatenate([self.own.ready, self.registered.ready])
