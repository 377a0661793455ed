"""The channel of meaning."""

from __future__ import annotations

import numpy as np
import pytest

from router.catalog import EMPTY, Catalog, Pool
from router.index.flat import FlatIndex
from router.retrieve.dense import rank
from router.types import RoutingQuery, Vectors
from tests.unit.router.fakes import catalog, tool

_EAST, _NORTH = np.asarray([1, 0], np.float32), np.asarray([0, 1], np.float32)
_ASKED = {"east": _EAST, "north": _NORTH}


def _part(*vectors: Vectors, ready: tuple[bool, ...]) -> Catalog:
    tools = [tool(f"t{i}") for i in range(len(vectors))]
    return Catalog.build("1", tools, index=FlatIndex(np.stack(vectors)), ready=np.asarray(ready))


def _ask(*texts: str) -> RoutingQuery:
    return RoutingQuery(texts, (1.0, 0.5)[: len(texts)])


_POOL = Pool(_part(_NORTH, ready=(True,)), _part(_EAST, _NORTH, -_EAST, ready=(True, False, True)))
_ALL = np.ones(4, dtype=np.bool_)


def test_rank_merges_both_parts() -> None:
    """Tools of both parts stand in one list by similarity; those without vectors are not in it."""
    ranked = rank(_ask("east"), _ASKED, _POOL, _ALL, 9)
    assert ranked is not None
    assert (ranked.ids.tolist(), ranked.scores.tolist(), ranked.low) == ([1, 0, 3], [1, 0, -1], -1)


def test_rank_mixes_texts_by_weight() -> None:
    """The older text turns the question half as much as the newest."""
    ranked = rank(_ask("east", "north"), _ASKED, _POOL, _ALL, 9)
    assert ranked is not None
    assert ranked.scores.tolist() == pytest.approx(np.asarray([1, 0.5, -1]) / np.hypot(1, 0.5))


def test_rank_keeps_to_depth_and_permission() -> None:
    """No more than `depth` of the permitted are listed, with the lowest score of all of them."""
    ranked = rank(_ask("east"), _ASKED, _POOL, np.asarray([True, False, True, True]), 1)
    assert ranked is not None
    assert (ranked.ids.tolist(), ranked.low) == ([0], -1)


@pytest.mark.parametrize("asked", [_ask(), _ask("unknown"), _ask("east", "unknown")])
def test_rank_waits_for_every_text(asked: RoutingQuery) -> None:
    """A query of which a text has no vector is not ranked by meaning at all."""
    assert rank(asked, _ASKED, _POOL, _ALL, 9) is None


def test_rank_needs_a_tool_with_a_vector() -> None:
    """With no index, or with nothing permitted that is ready, there is no dense channel."""
    none = np.asarray([False, False, True, False])
    assert rank(_ask("east"), _ASKED, _POOL, none, 9) is None
    words = Pool(EMPTY, catalog(tool("a")))
    assert rank(_ask("east"), _ASKED, words, np.ones(1, dtype=np.bool_), 9) is None


def test_rank_takes_a_question_of_no_direction() -> None:
    """Texts that cancel each other do not divide by nothing."""
    asked = {"to": _EAST, "fro": np.float32(-2) * _EAST}
    ranked = rank(_ask("to", "fro"), asked, _POOL, _ALL, 9)
    assert ranked is not None
    assert np.isfinite(ranked.scores).all()
