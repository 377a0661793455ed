"""What search in PostgreSQL costs, and what it misses: `python -m bench.pgvector --url postgresql://… --sizes 10000`.

Prints a row for each size and filter: the share of the exact best 20 that is found, and the time of a search. Vectors
are those of `bench/catalog.py`, questions those of the sample. A table is made in the database and dropped afterwards.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from psycopg_pool import ConnectionPool

from app.encoders import make_encoders
from app.settings import Settings
from bench.catalog import Grown, grow
from router.index.flat import FlatIndex
from router.index.pgvector import OPTIONS, PgVectorIndex, PgVectorTable, Pool
from router.types import Vectors

_BEST = 20
_ASKED = 100


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000])
    options = parser.parse_args()
    encoder = make_encoders(Settings())[0]
    print("| tools | permitted | put in, s | recall@20 | p50 ms | p99 ms | exact in memory, ms |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    with ConnectionPool(options.url, kwargs={"options": OPTIONS}, open=True) as pool:
        for size in options.sizes:
            grown = grow(size, encoder)
            _measure(pool, grown, encoder.encode_query(grown.questions[:_ASKED]))


def _measure(pool: Pool, grown: Grown, questions: Vectors) -> None:
    name = f"bench_{len(grown.tools)}"
    table = PgVectorTable(pool, name, grown.vectors.shape[1])
    began = time.perf_counter()
    slots = _put_in(table, grown.vectors)
    put_s = time.perf_counter() - began
    index, exact, draw = PgVectorIndex(table, slots), FlatIndex(grown.vectors), np.random.default_rng(1)
    for share in (1.0, 0.5, 0.1, 0.01):
        found, took, flat = 0, [], []
        for question in questions:
            permitted = draw.random(len(slots)) < share
            began = time.perf_counter()
            wanted, _ = exact.search(question, permitted, _BEST)
            flat.append(time.perf_counter() - began)
            began = time.perf_counter()
            rows, _ = index.search(question, permitted, _BEST)
            took.append(time.perf_counter() - began)
            found += len(np.intersect1d(rows, wanted))
        p50, p99 = 1e3 * np.percentile(took, [50, 99])
        recall = found / (_BEST * len(questions))
        print(
            f"| {len(slots):,} | {share:.0%} | {put_s:.0f} | {recall:.3f} | {p50:.1f} | {p99:.1f} "
            f"| {1e3 * np.median(flat):.1f} |",
            flush=True,
        )
    with pool.connection() as connection:
        connection.execute(f"DROP TABLE {name}".encode())


def _put_in(table: PgVectorTable, vectors: Vectors) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    table.prepare()
    slots = np.zeros(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), 500):
        part = {str(row): vectors[row] for row in range(start, min(start + 500, len(vectors)))}
        for digest, slot in table.add(part).items():
            slots[int(digest)] = slot
    return slots


if __name__ == "__main__":
    main()
