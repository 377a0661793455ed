"""Where the vectors of an encoder are searched: in this process, or in PostgreSQL. The registry has them anyway."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np

from app.registry.draft import Draft, filled
from app.registry.store import Registry
from router.catalog import Space
from router.index.choice import index_of
from router.types import Encoder, Tool, Vectors

Found = dict[str, Any]  # by digest, what this kind of shelf needs to know of a vector


class Shelf(Protocol):
    """Keeps vectors where they can be searched."""

    def empty(self) -> Space:
        """Give the space of no tools."""
        ...

    def wanted(self, draft: Draft) -> dict[str, Tool]:
        """Give the tools of a next catalogue whose vectors must be found, by digest."""
        ...

    async def find(self, digests: Collection[str], *, at_once: bool = False) -> Found:
        """Find those vectors that are stored; `at_once`: those that can be had in a moment.

        Raises:
            RegistryError: It cannot be asked.
        """
        ...

    async def add(self, vectors: Mapping[str, Vectors]) -> Found:
        """Store vectors that were made.

        Raises:
            RegistryError: They cannot be stored.
        """
        ...

    def unstored(self, vectors: Mapping[str, Vectors]) -> Found:
        """Give what can be searched of vectors that could not be stored."""
        ...

    def filled(self, space: Space, draft: Draft, found: Found) -> Space:
        """Give the next vectors of a catalogue: what is held, and what was found."""
        ...


class MemoryShelf:
    """Vectors in this process."""

    def __init__(self, registry: Registry, encoder: Encoder) -> None:
        self._registry = registry
        self._encoder = encoder

    def empty(self) -> Space:
        """Give the space of no tools."""
        nothing = np.zeros((0, self._encoder.dimension), np.float32)
        return Space(self._encoder.key, index_of(nothing), np.zeros(0, np.bool_))

    def wanted(self, draft: Draft) -> dict[str, Tool]:
        """Give those of new content."""
        return draft.wanted

    async def find(self, digests: Collection[str], *, at_once: bool = False) -> Found:  # noqa: ARG002 - reading is quick
        """Read the vectors that are stored."""
        return dict(await self._registry.vectors(self._encoder.key, digests))

    async def add(self, vectors: Mapping[str, Vectors]) -> Found:
        """Store vectors."""
        await self._registry.add_vectors(self._encoder.key, vectors)
        return dict(vectors)

    def unstored(self, vectors: Mapping[str, Vectors]) -> Found:
        """Use them all the same."""
        return dict(vectors)

    def filled(self, space: Space, draft: Draft, found: Found) -> Space:
        """Copy what is held, and put in what was found."""
        return filled(space, draft, found)


def table_name(encoder: str) -> str:
    """Name the table that the vectors of an encoder (its key) are searched in."""
    return f"nearest_{hashlib.blake2b(encoder.encode(), digest_size=8).hexdigest()}"
