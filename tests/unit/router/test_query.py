"""Conversation to routing query."""

from __future__ import annotations

import pytest

from router.query import at_turn
from router.text import MAX_QUERY_CHARS
from router.types import RoutingQuery
from tests.unit.router.fakes import talk


@pytest.mark.parametrize(
    ("turn", "texts"),
    [(-1, ()), (0, ("one",)), (1, ("one",)), (2, ("two", "one")), (3, ("three", "two"))],
)
def test_at_turn_takes_the_newest_texts(turn: int, texts: tuple[str, ...]) -> None:
    """The two newest texts up to the turn are searched with, newest first, the older at half its weight."""
    asked = at_turn(talk("one", "", "two", "three"), turn)
    assert asked == RoutingQuery(texts, (1.0, 0.5)[: len(texts)])


@pytest.mark.parametrize(("words", "weight"), [(1, 0.5), (10, 0.5), (20, 0.25), (50, 0.1)])
def test_at_turn_needs_the_turn_before_less_the_more_is_said(words: int, weight: float) -> None:
    """Beyond ten search terms the weight of the turn before falls in proportion; repetitions are no terms."""
    said = " ".join(f"w{number} w{number}" for number in range(words))
    assert at_turn(talk("before", said), 1).weights[1] == pytest.approx(weight)


def test_at_turn_clips_long_texts() -> None:
    """A text beyond the limit is cut before it is searched with."""
    (asked,) = at_turn(talk("x" * 10 * MAX_QUERY_CHARS), 0).texts
    assert len(asked) <= MAX_QUERY_CHARS + 1
