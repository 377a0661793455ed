"""Every vector index gives what comparing all rows gives, under every filter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from router.index.faiss import FaissIndex
from router.index.flat import FlatIndex
from router.index.pgvector import OPTIONS, PgVectorIndex, PgVectorTable
from router.types import Mask, Positions, VectorIndex, Vectors
from tests.support.postgres import Postgres

_N, _D, _BEST = 6_000, 48, 20
_DRAW = np.random.default_rng(7)

MakeIndex = Callable[[Vectors], VectorIndex]


def _unit(vectors: NDArray[np.float64]) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return unit


_TOPICS = _DRAW.standard_normal((60, _D))
_SPREAD = _unit(_DRAW.standard_normal((_N, _D)))
_GROUPED = _unit(_TOPICS[_DRAW.integers(60, size=_N)] + 0.5 * _DRAW.standard_normal((_N, _D)))
_ALIKE = _unit(_GROUPED + 3 * np.eye(_D)[5])  # an encoder whose vectors all point one way
_QUERIES = _unit(_TOPICS + 0.3 * _DRAW.standard_normal((60, _D)))


@pytest.fixture(scope="module")
def in_postgres(postgres: Postgres) -> Iterator[MakeIndex]:
    """Give a maker of indexes in a database; equal vectors are put in once."""
    made: dict[bytes, PgVectorIndex] = {}

    def make(vectors: Vectors) -> PgVectorIndex:
        key = hashlib.sha256(vectors.tobytes()).digest()
        if key not in made:
            table = PgVectorTable(pool, f"nearest_{len(made)}", vectors.shape[1])
            table.prepare()
            with pool.connection() as connection:
                connection.execute(f"DROP INDEX ix_nearest_{len(made)}".encode())
            slots = table.add({f"{row:06}": vector for row, vector in enumerate(vectors)})
            table.prepare()  # a graph is made faster of all at once
            made[key] = PgVectorIndex(table, np.asarray([slots[f"{row:06}"] for row in range(len(vectors))]))
        return made[key]

    with postgres.database() as url, ConnectionPool(url, kwargs={"options": OPTIONS}, open=True) as pool:
        yield make


@pytest.fixture(params=[FlatIndex, FaissIndex, "pgvector"])
def make_index(request: pytest.FixtureRequest) -> MakeIndex:
    """Give one kind of index."""
    made: MakeIndex = request.getfixturevalue("in_postgres") if request.param == "pgvector" else request.param
    return made


def _best(vectors: Vectors, query: Vectors, permitted: Mask, depth: int) -> Positions:
    """Find the best by the book, in double precision."""
    rows = np.flatnonzero(permitted)
    scores = vectors[rows].astype(np.float64) @ query.astype(np.float64)
    return rows[np.argsort(-scores, kind="stable")[:depth]]


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("vectors", [_SPREAD, _GROUPED, _ALIKE], ids=["spread", "grouped", "alike"])
def test_search_finds_the_best_under_every_filter(make_index: MakeIndex, vectors: Vectors, share: float) -> None:
    """Of the exact best twenty, 99 of 100 are found, however many rows are permitted."""
    index, found, wanted = make_index(vectors), 0, 0
    for query in _QUERIES:
        permitted = _DRAW.random(_N) < share
        best = _best(vectors, query, permitted, _BEST)
        rows, _ = index.search(query, permitted, _BEST)
        found, wanted = found + len(np.intersect1d(rows, best)), wanted + len(best)
    assert found >= 0.99 * wanted


def test_search_finds_the_best_of_one_subject(make_index: MakeIndex) -> None:
    """A filter that leaves only what is far from the question hides nothing either."""
    index = make_index(_GROUPED)
    for query in _QUERIES:
        permitted = _GROUPED @ query < 0
        rows, _ = index.search(query, permitted, _BEST)
        assert len(np.intersect1d(rows, _best(_GROUPED, query, permitted, _BEST))) >= _BEST - 1


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
def test_search_gives_permitted_rows_with_their_scores(make_index: MakeIndex, share: float) -> None:
    """Nothing else comes back, no row twice, and the scores are exact and fall."""
    permitted = _DRAW.random(_N) < share
    rows, scores = make_index(_GROUPED).search(_QUERIES[0], permitted, 200)
    assert permitted[rows].all()
    assert len(set(rows.tolist())) == len(rows)
    np.testing.assert_allclose(scores, _GROUPED[rows].astype(np.float64) @ _QUERIES[0], atol=1e-6)
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("permitted", [0, 1, 7, 3_000])
def test_search_gives_as_many_as_there_are(make_index: MakeIndex, permitted: int) -> None:
    """With less permitted than asked for, all of it comes back."""
    mask = np.arange(_N) < permitted
    rows, scores = make_index(_SPREAD).search(_QUERIES[0], mask, 10_000)
    assert sorted(rows.tolist()) == list(range(permitted))
    assert len(scores) == permitted


def test_search_breaks_ties_by_row(make_index: MakeIndex) -> None:
    """Of equal vectors the earlier rows come first."""
    vectors = _SPREAD.copy()
    vectors[[17, 40, 3_000, 5_999]] = _QUERIES[0]
    rows, _ = make_index(vectors).search(_QUERIES[0], np.ones(_N, dtype=np.bool_), 3)
    assert rows.tolist() == [17, 40, 3_000]


def test_search_for_no_number_offers_nothing_forbidden(make_index: MakeIndex) -> None:
    """A query of a broken encoder breaks no permission."""
    permitted = np.arange(_N) < _N - 10
    rows, _ = make_index(_SPREAD).search(np.full(_D, np.nan, dtype=np.float32), permitted, _BEST)
    assert permitted[rows].all()


def test_search_permits_rows_of_zeros(make_index: MakeIndex) -> None:
    """What has no vector yet scores zero, and hides nothing."""
    vectors = _SPREAD.copy()
    vectors[: _N // 2] = 0
    rows, _ = make_index(vectors).search(_SPREAD[-1], np.ones(_N, dtype=np.bool_), 5)
    assert rows[0] == _N - 1
    assert rows.min() >= _N // 2


@pytest.mark.parametrize("asked", [[5, 3, 5_000, 3], range(_N - 1, -1, -1)])
def test_score_is_exact(make_index: MakeIndex, asked: Sequence[int]) -> None:
    """Rows are scored one by one, in the order in which they are asked for."""
    rows = np.asarray(asked)
    scores = make_index(_SPREAD).score(_QUERIES[1], rows)
    np.testing.assert_allclose(scores, _SPREAD[rows].astype(np.float64) @ _QUERIES[1], atol=1e-6)


@pytest.mark.parametrize("asked", [[5, 3, 5_000, 3], []])
def test_take_gives_the_vectors(make_index: MakeIndex, asked: list[int]) -> None:
    """Rows come bit for bit, in the order in which they are asked for."""
    rows = np.asarray(asked, dtype=np.int64)
    taken = make_index(_SPREAD).take(rows)
    assert taken.shape == (len(asked), _D)
    assert taken.tobytes() == _SPREAD[rows].tobytes()
