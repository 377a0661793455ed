"""The channel of meaning."""

from __future__ import annotations

import numpy as np
import pytest

from router.catalog import EMPTY, Catalog, Pool, Space
from router.index.flat import FlatIndex
from router.retrieve.dense import Similarity, measure, mixed, nearest
from router.types import RoutingQuery, Vectors
from tests.unit.router.fakes import catalog, tool

_EAST, _NORTH = np.asarray([1, 0], np.float32), np.asarray([0, 1], np.float32)
_ASKED = {"east": _EAST, "north": _NORTH}
_KEY = "compass"


def _part(*vectors: Vectors, ready: tuple[bool, ...] = ()) -> Catalog:
    tools = [tool(f"t{i}") for i in range(len(vectors))]
    flags = np.asarray(ready or [True] * len(vectors), dtype=np.bool_)
    return Catalog.build("1", tools, spaces=[Space(_KEY, FlatIndex(np.stack(vectors)), flags)])


def _ask(*texts: str) -> RoutingQuery:
    return RoutingQuery(texts, (1.0, 0.5)[: len(texts)])


_POOL = Pool(_part(_NORTH), _part(_EAST, _NORTH, -_EAST, ready=(True, False, True)))
_ALL = np.ones(4, dtype=np.bool_)


def test_mixed_weighs_the_texts() -> None:
    """The older text turns the question half as much as the newest; the length is one."""
    asked = mixed(_ask("east", "north"), _ASKED)
    assert asked is not None
    assert asked.tolist() == pytest.approx((np.asarray([1, 0.5]) / np.hypot(1, 0.5)).tolist())


@pytest.mark.parametrize("asked", [_ask(), _ask("unknown"), _ask("east", "unknown")])
def test_mixed_waits_for_every_text(asked: RoutingQuery) -> None:
    """A query of which a text has no vector has none itself."""
    assert mixed(asked, _ASKED) is None


def test_mixed_takes_a_question_of_no_direction() -> None:
    """Texts that cancel each other do not divide by nothing."""
    asked = mixed(_ask("to", "fro"), {"to": _EAST, "fro": np.float32(-2) * _EAST})
    assert asked is not None
    assert np.isfinite(asked).all()


def _measure(pool: Pool, *rows: int, every: bool = True, key: str = _KEY) -> Similarity:
    return measure(_EAST, key, pool, np.asarray(rows, dtype=np.int64), every=every)


def test_measure_gives_cosines_and_what_is_usual() -> None:
    """Worked by hand: cosines 0, 1 and -1 have mean 0 and deviation sqrt(2/3); what has no vector has no number."""
    similar = _measure(_POOL, 0, 1, 2, 3)
    assert similar.scores[[0, 1, 3]].tolist() == [0, 1, -1]
    assert [similar.mean, similar.deviation] == pytest.approx([0, (2 / 3) ** 0.5])
    assert np.isnan(similar.scores[2])


def test_standing_counts_in_deviations() -> None:
    """Worked by hand: above the mean of 0.25 by one and by two deviations of 0.25; no number stays none."""
    similar = Similarity(np.asarray([0.5, 0.75, np.nan], dtype=np.float32), 0.25, 0.25)
    assert similar.standing[:2].tolist() == [1, 2]
    assert np.isnan(similar.standing[2])


def test_measure_of_candidates_stands_as_among_all() -> None:
    """Where not all tools are compared the catalogue says what is usual, so a tool's standing stays what it was."""
    full, some = _measure(_POOL, 0, 1, 2, 3), _measure(_POOL, 0, 3, every=False)
    assert some.standing.tolist() == pytest.approx(full.standing[[0, 3]].tolist())


def test_measure_of_all_that_is_permitted_looks_at_nothing_else() -> None:
    """What may not be offered does not say what is usual."""
    assert _measure(_POOL, 0, 1).mean == pytest.approx((1 * 0 + 2 * 1) / 3)  # a part counts by its size


@pytest.mark.parametrize("every", [True, False])
def test_measure_of_two_parts_is_that_of_one_list(*, every: bool) -> None:
    """Two catalogues are measured as one that holds all their tools."""
    drawn = np.random.default_rng(7).standard_normal((9, 2)).astype(np.float32)
    one = _measure(Pool(EMPTY, _part(*drawn)), *range(9), every=every)
    two = _measure(Pool(_part(*drawn[:3]), _part(*drawn[3:])), *range(9), every=every)
    assert two.standing.tolist() == pytest.approx(one.standing.tolist(), abs=1e-5)


def test_measure_needs_vectors() -> None:
    """Without a space of this encoder, or with nothing ready in it, no tool has a number."""
    unready = _part(_EAST, _NORTH, ready=(False, False))
    assert np.isnan(_measure(Pool(unready, catalog(tool("a"))), 0, 1, 2).standing).all()
    assert np.isnan(_measure(_POOL, 0, 1, 2, 3, key="other").standing).all()


def test_measure_of_level_tools_is_finite() -> None:
    """Tools that are all alike stand nowhere in particular."""
    assert np.isfinite(_measure(Pool(EMPTY, _part(_EAST, _EAST)), 0, 1).standing).all()


def test_nearest_gives_the_best_of_each_part() -> None:
    """Positions count through both parts; those without vectors are left out."""
    assert nearest(_EAST, _KEY, _POOL, _ALL, 9).tolist() == [0, 1, 3]
    assert nearest(_EAST, _KEY, _POOL, _ALL, 1).tolist() == [0, 1]


def test_nearest_keeps_to_what_is_permitted() -> None:
    """A tool that is not permitted takes no other's place."""
    assert nearest(_EAST, _KEY, _POOL, np.asarray([False, False, True, True]), 1).tolist() == [3]


def test_nearest_without_vectors_is_nothing() -> None:
    """Where no part has a space of this encoder nothing is found."""
    assert nearest(_EAST, "other", _POOL, _ALL, 9).tolist() == []
