"""Conversations through the serving routing: ranks, the list in force, and what a turn changed."""

from __future__ import annotations

import pytest

from app.evaluation import EvaluationFailed
from router.errors import EncoderError
from router.types import Vectors
from tests.support.datasets import question
from tests.support.inside import WordEncoder
from tests.unit.app.evaluation.conftest import Evaluate


def test_replay_ranks_by_group(evaluate: Evaluate) -> None:
    """Either of two equivalent tools is found first; the song is first in every ranking."""
    asked = [question(1, "Weather forecast for a city", "forecast_weather"), question(2, "Play a song", "play_song")]
    weather, song = evaluate(asked).results
    assert (weather.ranks["fused"], song.ranks["fused"]) == ((1,), (1,))
    assert song.ranks == {"fused": (1,), "lexical": (1,), "words": (1,), "names": (1,), "reference": (1,)}


def test_replay_counts_what_is_sent(evaluate: Evaluate) -> None:
    """Both weather tools fill a list of two: one wanted group is in it, the other one is not."""
    (result,) = evaluate([question(1, "Weather forecast of next days", "weather_forecast", "play_song")]).results
    assert (result.wanted, result.found, result.sent, result.added) == (2, 1, 2, 2)
    assert 0 < result.tokens_after < result.tokens_before


def test_replay_sends_at_most_k(evaluate: Evaluate) -> None:
    """What a request may ask for, an evaluation may."""
    (result,) = evaluate([question(1, "Play a song", "play_song")], k=1).results
    assert (result.sent, result.found) == (1, 1)


def test_replay_tells_what_a_turn_changed(evaluate: Evaluate) -> None:
    """The same subject keeps the list, a new one makes it grow, and one more overflows it."""
    weather, flights, song = "Weather forecast of next days", "Flights between two airports", "Play a song by title"
    asked = [
        question(1, weather, "weather_forecast"),
        question(2, [weather, "The weather forecast"], "weather_forecast"),
        question(3, [weather, flights], "find_flights"),
        question(4, [weather, flights, song], "play_song"),
    ]
    results = evaluate(asked, initial=2, most=3).results
    assert [result.change for result in results] == ["first", "kept", "grown", "renewed"]
    assert [result.found for result in results] == [1, 1, 1, 1]
    assert (results[1].added, results[2].added) == (0, 1)


def test_replay_times_questions_it_has_not_heard(evaluate: Evaluate) -> None:
    """A question that was asked before costs no encoding: it would flatter the figure."""
    asked = [question(1, "Play a song", "play_song"), question(2, "Play a song", "play_song")]
    first, second = evaluate(asked).results
    assert first.route_ms is not None
    assert first.route_ms > 0
    assert second.route_ms is None


def test_replay_takes_questions_that_need_nothing(evaluate: Evaluate) -> None:
    """They have no ranks; what counts is what they added."""
    run = evaluate([question(1, "Hello!"), question(2, ["Play a song", "The song"])])
    hello, again = run.results
    assert (hello.wanted, hello.ranks["fused"], again.change, again.added) == (0, (), "kept", 0)
    assert (run.summary.nothing_wanted["all"].queries, run.summary.overall.queries) == (2, 0)


def test_replay_of_a_question_without_text_finds_nothing(evaluate: Evaluate) -> None:
    """A picture alone cannot be searched with: its tool is ranked nowhere, and that counts."""
    picture = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    asked = [{"id": "1", "messages": [{"role": "user", "content": picture}], "gold": ["play_song"]}]
    run = evaluate(asked)
    assert (run.results[0].ranks, run.misses) == ({"fused": (None,)}, ())
    assert run.summary.overall.figures["R@20"] == 0.0


class _Breaking(WordEncoder):
    """Encodes tools, and no question about songs."""

    def encode_query(self, texts: list[str]) -> Vectors:
        if "song" in texts[0]:
            raise EncoderError("out of order")
        return super().encode_query(texts)


def test_replay_without_its_encoder_is_no_measurement(evaluate: Evaluate) -> None:
    """The gateway would go on by words; figures of that would be told as if they were the encoder's."""
    asked = [question("a", "Weather forecast", "weather_forecast"), question("b", "Play a song", "play_song")]
    with pytest.raises(EvaluationFailed, match="weather, question b: the encoder words did not answer"):
        evaluate(asked, encoder=_Breaking())
