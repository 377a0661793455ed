"""Search in PostgreSQL, beside what the contract of every index says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from psycopg_pool import ConnectionPool

from router.errors import IndexAway
from router.index import pgvector
from router.index.pgvector import OPTIONS, PgVectorIndex, PgVectorTable, Pool
from router.types import Vectors
from tests.support.gateway import free_port
from tests.support.postgres import Postgres

EVERYTHING = np.ones(4, dtype=np.bool_)


def vector(*values: float) -> Vectors:
    """Give a vector."""
    return np.array(values, dtype=np.float32)


@pytest.fixture
def pool(postgres: Postgres) -> Iterator[Pool]:
    """Connections to a new database."""
    with postgres.database() as url, ConnectionPool(url, kwargs={"options": OPTIONS}, open=True) as made:
        yield made


@pytest.fixture
def table(pool: Pool) -> PgVectorTable:
    """A table with two vectors."""
    made = PgVectorTable(pool, "nearest", 2)
    made.prepare()
    made.add({"right": vector(1, 0), "up": vector(0, 1)})
    return made


def index(table: PgVectorTable, *digests: str) -> PgVectorIndex:
    """Give the index of a catalogue whose rows have these vectors."""
    slots = table.slots(set(digests))
    return PgVectorIndex(table, np.asarray([slots.get(digest, -1) for digest in digests], dtype=np.int64))


@pytest.mark.parametrize("few", [0, 5_000])
def test_rows_that_say_the_same_share_a_vector(table: PgVectorTable, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Each of them comes, in order, unless it is not permitted; what has no vector does not."""
    monkeypatch.setattr(pgvector, "_FEW", few)
    monkeypatch.setattr(pgvector, "_SPARE", 0)
    found = index(table, "up", "right", "absent", "right")
    rows, scores = found.search(vector(1, 0.5), EVERYTHING, 2)
    assert (rows.tolist(), scores.tolist()) == ([1, 3], [1, 1])
    assert found.search(vector(1, 0), np.asarray([True, True, True, False]), 1)[0].tolist() == [1]


def test_what_has_no_vector_is_zero(table: PgVectorTable) -> None:
    """Rows without a vector score nothing and are taken as zeros."""
    found = index(table, "absent", "up")
    assert found.score(vector(3, 2), np.asarray([0, 1, 0])).tolist() == [0, 2, 0]
    assert found.take(np.asarray([1, 0, 1])).tolist() == [[0, 1], [0, 0], [0, 1]]
    assert index(table, "absent").score(vector(3, 2), np.asarray([0])).tolist() == [0]


def test_an_empty_catalogue_finds_nothing(table: PgVectorTable) -> None:
    """Without rows there is nothing to ask for."""
    rows, scores = index(table).search(vector(1, 0), np.zeros(0, dtype=np.bool_), 5)
    assert (len(rows), len(scores)) == (0, 0)


def test_a_graph_that_finds_nothing_gives_nothing(table: PgVectorTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors that were pruned since are not found, and that is no error."""
    monkeypatch.setattr(pgvector, "_FEW", 0)
    monkeypatch.setattr(pgvector, "_SPARE", 0)
    gone = PgVectorIndex(table, np.asarray([700, 800], dtype=np.int64))
    assert len(gone.search(vector(1, 0), EVERYTHING[:2], 1)[0]) == 0


def test_vectors_are_put_in_once(table: PgVectorTable) -> None:
    """The first vector of a digest stays, with its slot; preparing again changes nothing."""
    before = table.slots(["up"])
    table.prepare()
    assert table.add({"up": vector(5, 5)}) == before
    taken = [index(table, "up").take(np.asarray([0])).tolist() for _ in range(2)]  # the second time it is at hand
    assert taken == [[[0, 1]]] * 2


def test_long_vectors_are_searched_without_a_graph(pool: Pool) -> None:
    """Beyond what the graph takes, every row is compared."""
    table = PgVectorTable(pool, "long", 2_001)
    table.prepare()
    table.add({"a": np.ones(2_001, np.float32), "b": np.zeros(2_001, np.float32)})
    assert index(table, "b", "a").search(np.ones(2_001, np.float32), EVERYTHING[:2], 1)[0].tolist() == [1]


def test_vectors_go_with_those_they_are_of(pool: Pool) -> None:
    """What is pruned from the registry is gone here."""
    with pool.connection() as connection:
        connection.execute("CREATE TABLE vectors (digest varchar(32), encoder text, PRIMARY KEY (digest, encoder))")
        connection.execute("INSERT INTO vectors VALUES ('a', 'one'), ('b', 'one')")
    table = PgVectorTable(pool, "of_one", 2)
    table.prepare("one")
    table.add({"a": vector(1, 0), "b": vector(0, 1)})
    with pool.connection() as connection:
        connection.execute("DELETE FROM vectors WHERE digest = 'a'")
    assert table.slots(["a", "b"]).keys() == {"b"}


def test_a_slow_search_is_broken_off(table: PgVectorTable, pool: Pool) -> None:
    """A search that takes longer than its connection allows is an error, and the next one is tried all the same."""
    slow = ConnectionPool(pool.conninfo, kwargs={"options": f"{OPTIONS} -c statement_timeout=50"}, open=True)
    with slow:
        late = PgVectorTable(slow, "nearest", 2)
        with pool.connection() as connection:
            connection.execute("LOCK TABLE nearest")
            with pytest.raises(IndexAway, match="too long"):
                late.scores(vector(1, 0), np.asarray([1]))
        assert late.scores(vector(1, 0), np.asarray([1]))[1].tolist() == [1]


def test_a_database_that_is_away_is_not_asked_for_a_second() -> None:
    """The first search waits for a connection, those after it do not."""
    nobody: Pool = ConnectionPool(
        f"postgresql://postgres@127.0.0.1:{free_port()}/x", open=False, timeout=0.1, min_size=0, max_size=1
    )
    nobody.open()
    with nobody:
        table = PgVectorTable(nobody, "nearest", 2)
        with pytest.raises(IndexAway, match="cannot be searched"):
            table.scores(vector(1, 0), np.asarray([1]))
        with pytest.raises(IndexAway, match="a moment ago"):
            table.scores(vector(1, 0), np.asarray([1]))
