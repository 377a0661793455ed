"""Vectors that are searched in PostgreSQL, by pgvector: processes hold their numbers there, not themselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import numpy as np
from psycopg import Connection
from psycopg_pool import ConnectionPool

from app.errors import RegistryAway, RegistryUnusable
from app.registry.draft import Draft
from app.registry.postgres import PostgresDatabase
from app.registry.shelf import Found, table_name
from app.registry.store import Registry
from router.catalog import Space
from router.errors import IndexAway
from router.index.pgvector import OPTIONS, PgVectorIndex, PgVectorTable, Pool
from router.types import Encoder, Tool, Vectors

T = TypeVar("T")

_CONNECTIONS = 8  # as many requests are routed at once
_CHUNK = 500


def pool_of(registry: Registry, limit_ms: float) -> Pool:
    """Open connections for searches, none of which may take longer than that. `close()` it.

    Raises:
        RegistryUnusable: The registry is not in PostgreSQL.
    """
    database = registry.database
    if not isinstance(database, PostgresDatabase):
        raise RegistryUnusable("index: pgvector needs a registry in PostgreSQL")
    arguments: dict[str, Any] = dict(database.arguments)
    arguments["options"] += f" {OPTIONS} -c statement_timeout={max(1, round(limit_ms))}"
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # that the server is away is told once, by who follows it
    # Beyond `reconnect_timeout` the next search tries again; the pool itself would wait longer and longer.
    size: dict[str, Any] = {
        "min_size": 1,
        "max_size": _CONNECTIONS,
        "timeout": limit_ms / 1e3,
        "reconnect_timeout": 1.0,
    }
    connections: Pool = ConnectionPool(connection_class=Connection, kwargs=arguments, open=False, **size)
    connections.open()
    return connections


class PgVectorShelf:
    """Vectors of one encoder in a table of their own."""

    def __init__(self, registry: Registry, encoder: Encoder, pool: Pool) -> None:
        self._registry = registry
        self._encoder = encoder
        self._table = PgVectorTable(pool, table_name(encoder.key), encoder.dimension)

    async def prepare(self) -> None:
        """Make the table where there is none."""
        await self._asked(lambda: self._table.prepare(self._encoder.key))

    def empty(self) -> Space:
        """Give the space of no tools."""
        return self._space(np.zeros(0, dtype=np.int64))

    def wanted(self, draft: Draft) -> dict[str, Tool]:
        """Give all that were written: with a restored registry the numbers of known contents are others."""
        return draft.written

    async def find(self, digests: Collection[str], *, at_once: bool = False) -> Found:
        """Find the numbers of vectors; those that the registry has and the table has not are put in.

        `at_once`: not where they are many, which takes long.
        """
        found = await self._asked(lambda: self._table.slots(digests))
        missing = [digest for digest in digests if digest not in found]
        if at_once and len(missing) > _CHUNK:
            return dict(found)
        for start in range(0, len(missing), _CHUNK):
            stored = await self._registry.vectors(self._encoder.key, missing[start : start + _CHUNK])
            if stored:
                found |= await self._put(stored)
        return dict(found)

    async def add(self, vectors: Mapping[str, Vectors]) -> Found:
        """Store vectors, and put them into the table."""
        await self._registry.add_vectors(self._encoder.key, vectors)
        return dict(await self._put(vectors))

    def unstored(self, vectors: Mapping[str, Vectors]) -> Found:  # noqa: ARG002 - the protocol's
        """Wait for them: what is not stored is in no table."""
        return {}

    def filled(self, space: Space, draft: Draft, found: Found) -> Space:
        """Take along the numbers of what nobody wrote to, and put in what was found."""
        assert isinstance(space.index, PgVectorIndex)  # noqa: S101 - it is of this shelf
        slots = np.append(space.index.slots, -1)[draft.held]  # which -1 takes
        slots[list(draft.change.tools)] = -1
        for row in np.flatnonzero(slots < 0).tolist():
            slots[row] = found.get(draft.digests[row], -1)
        if np.array_equal(slots, space.index.slots):
            return space
        return self._space(slots)

    async def _put(self, vectors: Mapping[str, Vectors]) -> dict[str, int]:
        return await self._asked(lambda: self._table.add(vectors))

    def _space(self, slots: Any) -> Space:
        return Space(self._encoder.key, PgVectorIndex(self._table, slots), slots >= 0)

    async def _asked(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except IndexAway as error:
            raise RegistryAway(str(error)) from error
