"""Search in PostgreSQL: pgvector finds likely rows by a graph (HNSW), or compares all of few. No vector is held here.

A table holds the vectors of one encoder by digest and numbers them (their slots). A catalogue knows the slots of its
rows; what is permitted is sent along as a bit a slot. Laws: a slot is never used again, so an index is immutable
whatever is added; what is not permitted never comes back; scores are exact. Of many permitted rows some of the best
may be missed: up to `_FEW` all are compared, beyond the graph is walked until enough are found (iterative scan).
Whatever the database does, a search ends: with `IndexAway`, and then nothing is asked for a second.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.errors import QueryCanceled
from psycopg_pool import ConnectionPool, PoolTimeout

from router.errors import IndexAway
from router.memory import Lru
from router.ordering import top
from router.types import Mask, Positions, Scores, Vectors

_FEW = 5_000  # as many permitted rows are compared one by one: no slower than the graph, which misses more there
_SPARE = 100  # more than asked for: of equals the first rows are wanted
_WALKED = 400  # candidates kept while the graph is walked; recall at 10,000 rows: docs/adr/0012
_MOST_DIMENSIONS = 2_000  # that pgvector's graph takes
_AWAY_S = 1.0
_PATIENCE_S = 5.0
_LOCK = 0x70677665  # any number that nothing else in this database locks
_KEPT_BYTES = 8 * 2**20  # of vectors that are asked for again and again

Pool = ConnectionPool[psycopg.Connection[tuple[Any, ...]]]

# For the connections of a pool that searches. The graph is worth its misses only while it is what is used.
OPTIONS = (
    f"-c hnsw.ef_search={_WALKED} -c hnsw.iterative_scan=relaxed_order -c hnsw.max_scan_tuples=40000 "
    "-c enable_seqscan=off -c max_parallel_workers_per_gather=0"
)


class PgVectorTable:
    """The vectors of one encoder, `float32[d]` by digest. Thread-safe."""

    def __init__(self, pool: Pool, name: str, dimension: int) -> None:
        self.dimension = dimension
        self._pool = pool
        self._name = sql.Identifier(name)
        self._index = sql.Identifier(f"ix_{name}")
        self._away_until = 0.0
        self._seen: Lru[int, Vectors] = Lru(_KEPT_BYTES, lambda _, vector: vector.nbytes + 144)

    def prepare(self, of: str = "") -> None:
        """Make the table where there is none; one process at a time.

        `of`: the encoder of these vectors, which go when they go from the table `vectors`.

        Raises:
            IndexAway: The database cannot be used, or has no pgvector.
        """
        columns = (
            "slot integer GENERATED ALWAYS AS IDENTITY UNIQUE, encoder text NOT NULL DEFAULT {encoder}, "
            "digest varchar(32) PRIMARY KEY, vector vector({dimension}) NOT NULL"
        )
        source = ", FOREIGN KEY (digest, encoder) REFERENCES vectors ON DELETE CASCADE" if of else ""
        table = sql.SQL(f"CREATE TABLE IF NOT EXISTS {{name}} ({columns}{source})").format(
            name=self._name, encoder=sql.Literal(of), dimension=sql.Literal(self.dimension)
        )
        with self._connected(patient=True) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(table)
            connection.execute(sql.SQL("ALTER TABLE {} ALTER vector SET STORAGE PLAIN").format(self._name))
            if self.dimension <= _MOST_DIMENSIONS:
                graph = "CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (vector vector_ip_ops)"
                connection.execute(sql.SQL(graph).format(self._index, self._name))

    def slots(self, digests: Collection[str]) -> dict[str, int]:
        """Give the slots of those digests that are there."""
        query = sql.SQL("SELECT digest, slot FROM {} WHERE digest = ANY(%s)").format(self._name)
        with self._connected(patient=True) as connection:
            return dict(connection.execute(query, [list(digests)]).fetchall())

    def add(self, vectors: Mapping[str, Vectors]) -> dict[str, int]:
        """Put vectors in, where they are not there yet; give the slots of all."""
        statement = sql.SQL("INSERT INTO {} (digest, vector) VALUES (%s, %s) ON CONFLICT DO NOTHING").format(self._name)
        with self._connected(patient=True) as connection, connection.cursor() as cursor:
            cursor.executemany(statement, [(digest, _written(vector)) for digest, vector in sorted(vectors.items())])
        return self.slots(vectors)

    def nearest(self, query: Vectors, permitted: NDArray[np.uint8], depth: int) -> tuple[Positions, Scores]:
        """Give likely slots with their scores; `permitted`: a bit a slot, least significant first."""
        statement = sql.SQL(
            "SELECT slot, -(vector <#> %(query)s::vector) FROM {} "
            "WHERE CASE WHEN slot < %(size)s THEN get_bit(%(bits)s, slot) = 1 ELSE false END "
            "ORDER BY vector <#> %(query)s::vector LIMIT %(depth)s"
        ).format(self._name)
        values = {"query": _written(query), "bits": permitted.tobytes(), "size": 8 * len(permitted), "depth": depth}
        with self._connected() as connection:
            return _pairs(connection.execute(statement, values, binary=True).fetchall())

    def scores(self, query: Vectors, slots: Positions) -> tuple[Positions, Scores]:
        """Give those of some slots that are there, with their scores."""
        statement = sql.SQL("SELECT slot, -(vector <#> %s::vector) FROM {} WHERE slot = ANY(%s)").format(self._name)
        with self._connected() as connection:
            found = connection.execute(statement, [_written(query), slots.tolist()], binary=True)
            return _pairs(found.fetchall())

    def vectors(self, slots: Positions) -> dict[int, Vectors]:
        """Give the vectors of some slots, those that are there."""
        found = {slot: vector for slot in slots.tolist() if (vector := self._seen.get(slot)) is not None}
        missing = [slot for slot in slots.tolist() if slot not in found]
        if missing:
            statement = sql.SQL("SELECT slot, vector::real[] FROM {} WHERE slot = ANY(%s)").format(self._name)
            with self._connected(patient=True) as connection:
                rows = connection.execute(statement, [missing], binary=True).fetchall()
            for slot, vector in rows:
                found[slot] = np.asarray(vector, dtype=np.float32)
                self._seen.put(slot, found[slot])
        return found

    @contextmanager
    def _connected(self, *, patient: bool = False) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Give a connection in a transaction; `patient` without the limit of time that requests have.

        Raises:
            IndexAway: There is none, it broke, or it took too long.
        """
        if time.monotonic() < self._away_until and not patient:
            raise IndexAway("the vectors in PostgreSQL could not be searched a moment ago")
        try:
            with self._pool.connection(_PATIENCE_S if patient else None) as connection:
                if patient:
                    connection.execute("SET LOCAL statement_timeout = 0")
                yield connection
        except QueryCanceled as error:
            raise IndexAway("a search in PostgreSQL took too long") from error
        except (psycopg.Error, PoolTimeout) as error:
            self._away_until = time.monotonic() + _AWAY_S
            reason = str(error).partition("\n")[0]
            raise IndexAway(f"the vectors in PostgreSQL cannot be searched: {reason}") from error


class PgVectorIndex:
    """The rows of a catalogue: `slots`, `int64[n]`, -1 where there is no vector."""

    at_hand = False

    def __init__(self, table: PgVectorTable, slots: Positions) -> None:
        self.slots = slots
        self._table = table
        self._order = np.argsort(slots, kind="stable")
        self._sorted = slots[self._order]
        self._size = int(slots.max(initial=-1)) + 1

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        """Give the `depth` best permitted rows and their scores, best first, ties by row."""
        rows = np.flatnonzero(permitted & (self.slots >= 0))
        if not len(rows) or not np.isfinite(query).all():
            return rows[:0], np.zeros(0, dtype=np.float32)
        if len(rows) > max(_FEW, depth + _SPARE):
            rows, scores = self._likely(query, permitted, depth + _SPARE)
        else:
            scores = self.score(query, rows)
        best = top(scores, depth)
        return rows[best], scores[best]

    def score(self, query: Vectors, rows: Positions) -> Scores:
        """Give the exact scores of rows, `float32[k]`; 0 for what has no vector."""
        found, scores = self._table.scores(query, np.unique(self.slots[rows]))
        if not len(found):
            return np.zeros(len(rows), dtype=np.float32)
        order = np.argsort(found)
        place = np.minimum(np.searchsorted(found, self.slots[rows], sorter=order), len(found) - 1)
        return np.where(found[order][place] == self.slots[rows], scores[order][place], np.float32(0))

    def take(self, rows: Positions) -> Vectors:
        """Give the vectors of rows, `float32[k, d]`; zeros for what has none."""
        taken: Vectors = np.zeros((len(rows), self._table.dimension), dtype=np.float32)
        found = self._table.vectors(np.unique(self.slots[rows]))
        for row, slot in enumerate(self.slots[rows].tolist()):
            if slot in found:
                taken[row] = found[slot]
        return taken

    def _likely(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        """Give permitted rows that the graph finds, in order of row."""
        bits = np.zeros(self._size, dtype=np.bool_)
        bits[self.slots[permitted & (self.slots >= 0)]] = True
        slots, scores = self._table.nearest(query, np.packbits(bits, bitorder="little"), depth)
        # Several rows may say the same and share a slot.
        first, last = np.searchsorted(self._sorted, slots), np.searchsorted(self._sorted, slots, side="right")
        rows = np.concatenate([self._order[a:b] for a, b in zip(first, last, strict=True)] or [self._order[:0]])
        scores = np.repeat(scores, last - first)
        inside = permitted[rows]
        order = np.argsort(rows[inside])
        return rows[inside][order], scores[inside][order]


def _written(vector: Vectors) -> str:
    return "[" + ",".join(map(str, vector.tolist())) + "]"


def _pairs(rows: list[tuple[Any, ...]]) -> tuple[Positions, Scores]:
    slots = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    scores = np.fromiter((row[1] for row in rows), dtype=np.float32, count=len(rows))
    return slots, scores
