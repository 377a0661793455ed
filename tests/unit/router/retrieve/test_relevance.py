"""Whether a question needs a tool."""

from __future__ import annotations

import numpy as np
import pytest

from router.catalog import Space
from router.embed.small_talk import SmallTalk
from router.index.flat import FlatIndex
from router.retrieve import relevance
from router.retrieve.relevance import Usual, best, margin, usual
from router.types import Vectors

_EAST, _NORTH = np.asarray([1, 0], np.float32), np.asarray([0, 1], np.float32)
_TALK = SmallTalk(np.stack([_EAST] * 4 + [_NORTH] * 4), to_requests=0.0, to_itself=1.0)
_BOTH = np.ones(2, dtype=np.bool_)


def _space(*vectors: Vectors, ready: tuple[bool, ...] = (True, True)) -> Space:
    return Space("compass", FlatIndex(np.stack(vectors)), np.asarray(ready))


def test_usual_is_the_best_of_small_talk() -> None:
    """Worked by hand: the best tool is 1 for one exemplar and 0.6 for the other, mean 0.8, deviation 0.2."""
    leaning = np.asarray([0.1, 0.6], np.float32)
    found = usual(_TALK, _space(_EAST, leaning), _BOTH)
    assert found is not None
    assert [found.mean, found.deviation] == pytest.approx([0.8, 0.2])


def test_usual_sees_what_is_permitted_and_ready() -> None:
    """A tool that may not be offered or has no vector says nothing; without any there is nothing usual."""
    only = usual(_TALK, _space(_EAST, _NORTH), np.asarray([False, True]))
    assert only is not None
    assert only == usual(_TALK, _space(_EAST, _NORTH, ready=(False, True)), _BOTH)
    assert only.mean == pytest.approx(0.5)
    assert usual(_TALK, _space(_EAST, _NORTH, ready=(True, False)), np.asarray([False, True])) is None


def test_usual_of_many_is_that_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools are compared a part at a time, with the same result."""
    drawn = np.random.default_rng(5).standard_normal((23, 2)).astype(np.float32)
    space, everything = Space("compass", FlatIndex(drawn), np.ones(23, np.bool_)), np.ones(23, np.bool_)
    whole = usual(_TALK, space, everything)
    monkeypatch.setattr(relevance, "ROWS_AT_ONCE", 5)
    assert usual(_TALK, space, everything) == whole


def test_usual_deviation_is_never_nothing() -> None:
    """Small talk that is all alike can still be divided by."""
    found = usual(SmallTalk(np.stack([_EAST] * 8), 0.0, 1.0), _space(_EAST, _NORTH), _BOTH)
    assert found is not None
    assert found.deviation > 0


def test_best_is_the_nearest_that_is_permitted_and_ready() -> None:
    """The similarity of the best tool that may be offered and has a vector."""
    assert best(_NORTH, _space(_EAST, _NORTH), _BOTH) == 1
    assert best(_NORTH, _space(_EAST, _NORTH), np.asarray([True, False])) == 0
    assert best(_NORTH, _space(_EAST, _NORTH, ready=(True, False)), _BOTH) == 0
    assert best(_NORTH, _space(_EAST, _NORTH, ready=(True, False)), np.asarray([False, True])) is None


def test_margin_weighs_the_best_tool_against_small_talk() -> None:
    """Worked by hand: two deviations above the usual, as near to small talk as it is to itself: 2 - 4 - 0.3."""
    assert margin(1.0, _EAST, _TALK, Usual(0.6, 0.2)) == pytest.approx(2 - 4 - 0.3)


def test_margin_of_a_request_is_how_far_its_tool_stands_out() -> None:
    """Where a question is nothing like small talk its best tool alone decides."""
    talk = SmallTalk(np.stack([_EAST] * 4), to_requests=0.0, to_itself=1.0)
    assert margin(1.0, _NORTH, talk, Usual(0.6, 0.2)) == pytest.approx(2 - 0.3)
    assert margin(0.0, _NORTH, talk, Usual(0.6, 0.2)) == pytest.approx(-3 - 0.3)
