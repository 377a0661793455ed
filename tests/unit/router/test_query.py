"""Conversation to routing query."""

from __future__ import annotations

import pytest

from router.query import alone, at_turn, reads_around
from router.text import MAX_QUERY_CHARS
from router.types import Conversation, RoutingQuery, Turn
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


def test_at_turn_searches_a_long_request_in_pieces() -> None:
    """Sentences of it are searched with, and beside them, by word alone, parts of all of it."""
    filling = "Nothing in here says anything to anybody. " * 50
    asked = at_turn(talk("before", f"{filling}Can you book a room? {filling}"), 1)
    assert asked.asked > 1
    assert "Can you book a room?" in asked.newest
    assert asked.texts[asked.asked :] == ("before",)
    ((rest, weight),) = asked.beside
    assert len(rest) <= MAX_QUERY_CHARS + 10
    assert weight < sum(asked.weights[: asked.asked])
    assert alone(asked) == at_turn(talk(f"{filling}Can you book a room? {filling}"), 0)


def test_turns_case_05_at_turn_weighs_the_words_an_answer_leans_on_no_more_than_the_answer() -> None:
    """A bare answer weighs as much as what it answers, one that says something of its own more."""
    for said, weight in [("2", 1.0), ("yes for nine people in the garden on Friday", 0.375)]:
        asked = at_turn(Conversation((Turn("hi"), Turn(said, before="Find a hotel"))), 1)
        assert asked.newest == (said, "Find a hotel")
        assert asked.texts[2:] == ("hi",)
        assert asked.weights[0] == 1.0
        assert asked.weights[1] == pytest.approx(weight, abs=0.1)


def test_at_turn_reads_what_stands_around_a_request_that_says_little() -> None:
    """Documents are searched by word, a little, where the request itself has few words."""
    vague = Turn("Send this out", context="invoice 7")
    clear = Turn("Send the invoice for order seven to Rosa by mail today", context="an essay")
    ((around, weight),) = at_turn(Conversation((vague,)), 0).beside
    assert around == "invoice 7"
    assert weight <= 0.25
    assert at_turn(Conversation((clear,)), 0).beside == ()
    assert (reads_around(vague), reads_around(clear)) == (True, False)
