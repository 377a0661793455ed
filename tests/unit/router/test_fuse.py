"""Channels to one ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from router.fuse import KEYWORD, Meaning, Said, adaptive, standing
from router.types import Rankings, Scores

_NAN = float("nan")
_LEVEL = math.exp(2.5)  # a length at which the length of a question says nothing


def _scores(*values: float) -> Scores:
    return np.asarray(values, dtype=np.float32)


def _said(
    bm25: Sequence[float], names: Sequence[float] | None = None, *, explained: float = 0.4, covered: float = 1.0,
    terms: int = 12, kin: float = 1.0,
) -> Said:  # fmt: skip
    return Said(_scores(*bm25), _scores(*(names or [0.0] * len(bm25))), explained, covered, terms, kin)


def _meaning(*scores: float, reads: float = 1.0, name: str = "one") -> Meaning:
    return Meaning(name, reads, _scores(*scores))


def _adaptive(said: Said, *meanings: Meaning, hits: Sequence[int] = ()) -> Rankings:
    return adaptive(np.arange(len(said.bm25)), said, meanings, hits)


def _by_position(rankings: Rankings) -> list[float]:
    found: list[float] = rankings.fused.scores[np.argsort(rankings.fused.ids)].tolist()
    return found


def _weights(rankings: Rankings) -> dict[str, float]:
    return {channel.name: channel.weight for channel in rankings.channels}


def test_adaptive_is_the_mean_of_meaning_and_words_and_the_names() -> None:
    """Worked by hand where the constants alone speak: weights ln(1 + e^0.985), ln(1 + e^-0.553), ln(1 + e^1.078)."""
    of_meaning, of_words, of_names = 1.302566, 0.454337, 1.371029
    length = math.log(12) - 2.5  # 12 terms are all but a question of level length
    assert length == pytest.approx(0, abs=0.016)
    fused = _by_position(_adaptive(_said([0, 8], [0.5, 0.0]), _meaning(4, 0)))
    total = of_meaning + of_words
    assert fused == pytest.approx([(4 * of_meaning + 0.5 * of_names) / total, 8 * of_words / total], rel=5e-3)


@pytest.mark.parametrize(
    "meanings",
    [(), (_meaning(3, 1, -1),), (_meaning(3, 1, -1), _meaning(0, 2, 1, reads=0.4, name="other"))],
    ids=["words", "one encoder", "two encoders"],
)
def test_adaptive_channels_add_up_to_the_fused_score(meanings: tuple[Meaning, ...]) -> None:
    """What each channel adds, its weight times its score, comes to the score that decides."""
    rankings = _adaptive(_said([2, 5, -1], [0.3, 0, 1]), *meanings, hits=[2])
    added = np.sum([channel.weight * np.nan_to_num(channel.scores) for channel in rankings.channels], axis=0)
    assert _by_position(rankings) == pytest.approx(added.tolist(), abs=1e-5)


def test_adaptive_counts_words_for_pending_vectors() -> None:
    """A tool without a vector has its words for its meaning too, but is guessed no nearer than the nearest."""
    assert _by_position(_adaptive(_said([-1, 2]), _meaning(_NAN, 3)))[0] == pytest.approx(-1)
    for words in (3, 9):
        pending, there = _by_position(_adaptive(_said([words, words]), _meaning(_NAN, 3)))
        assert pending == pytest.approx(there)


def test_adaptive_is_words_alone_without_meaning() -> None:
    """Without vectors words and names decide, and it is said."""
    rankings = _adaptive(_said([1, 3, 2]))
    assert rankings.by_words
    assert rankings.fused.ids.tolist() == [1, 2, 0]
    assert _by_position(rankings) == pytest.approx([1, 3, 2])
    assert _weights(rankings).keys() == {"lexical", "names", "keywords"}


def test_adaptive_lets_noise_not_vote() -> None:
    """An encoder that cannot read the question changes no score, beside a good one or alone."""
    said, good = _said([1, 0, 3], [0.2, 0.5, 0]), _meaning(2, -1, 0)
    noise, other = _meaning(-5, 9, 9, reads=0.0, name="noise"), _meaning(9, -5, 9, reads=0.0, name="noise")
    assert _by_position(_adaptive(said, good, noise)) == _by_position(_adaptive(said, good))
    assert _by_position(_adaptive(said, noise)) == _by_position(_adaptive(said, other))
    weights = _weights(_adaptive(said, noise))
    assert weights["noise"] == 0
    assert weights["lexical"] == pytest.approx(1)


def test_adaptive_weighs_encoders_by_how_well_they_read() -> None:
    """Two encoders share the weight of meaning; one that reads half as well has half as much of it."""
    said = _said([0, 0])
    both = _weights(_adaptive(said, _meaning(4, 0), _meaning(4, 0, reads=0.5, name="half")))
    assert both["half"] == pytest.approx(both["one"] / 2)
    assert both["one"] + both["half"] == pytest.approx(_weights(_adaptive(said, _meaning(4, 0)))["one"])


def test_adaptive_asks_one_encoder_where_the_other_has_no_vector() -> None:
    """A tool that only one of two encoders knows has that one's meaning whole."""
    said = _said([0, 0])
    two = _adaptive(said, _meaning(4, 4), _meaning(_NAN, 4, name="other"))
    assert _by_position(two)[0] == pytest.approx(_by_position(two)[1])


def test_adaptive_trusts_words_more_where_an_encoder_reads_badly() -> None:
    """How well the best encoder reads is what meaning weighs against words."""
    well, badly = (_weights(_adaptive(_said([1, 0]), _meaning(1, 0, reads=reads))) for reads in (1.0, 0.5))
    assert well["one"] / well["lexical"] == pytest.approx(2 * badly["one"] / badly["lexical"])


@pytest.mark.parametrize(
    ("kin", "covered", "share"),
    [(0.0, 0.0, 0.0), (0.0, 0.25, 0.5), (0.0, 0.5, 1.0), (0.0, 1.0, 1.0), (0.75, 0.25, 0.75), (1.0, 0.0, 1.0)],
)
def test_adaptive_damps_words_across_scripts(kin: float, covered: float, share: float) -> None:
    """A question in another script has as much of its words' weight as the catalogue knows of its words."""
    damped = _weights(_adaptive(_said([1, 0], kin=kin, covered=covered), _meaning(1, 0)))
    full = _weights(_adaptive(_said([1, 0]), _meaning(1, 0)))
    assert damped["lexical"] / damped["one"] == pytest.approx(share * full["lexical"] / full["one"])


def test_adaptive_follows_the_question() -> None:
    """Words weigh more where one tool explains most of the question, names where it is long."""

    def weights(explained: float, terms: int) -> dict[str, float]:
        return _weights(_adaptive(_said([1, 0], explained=explained, terms=terms), _meaning(1, 0)))

    assert weights(1.5, 12)["lexical"] > weights(0.1, 12)["lexical"]
    assert weights(0.4, 60)["names"] > weights(0.4, 3)["names"]


def test_adaptive_knows_what_is_loud_enough() -> None:
    """However far a rare word or a near vector stands out, the weights are those of the farthest that was fitted."""
    assert _weights(_adaptive(_said([90, 0]), _meaning(50, 0))) == _weights(_adaptive(_said([20, 0]), _meaning(10, 0)))
    assert _weights(_adaptive(_said([90, 0]), _meaning(5, 0))) != _weights(_adaptive(_said([9, 0]), _meaning(5, 0)))


def test_adaptive_adds_a_keyword_once() -> None:
    """An exact keyword lifts its tool, however many keywords it hits, and decides a tie."""
    rankings = _adaptive(_said([1, 1, 0]), hits=[1, 1])
    assert rankings.fused.ids.tolist() == [1, 0, 2]
    assert _by_position(rankings) == pytest.approx([1.0, 1 + KEYWORD, 0.0])
    assert np.flatnonzero(~np.isnan(rankings.channels[-1].scores)).tolist() == [1]


def test_adaptive_ranks_the_rows_it_is_given() -> None:
    """Positions are those of the rows; a keyword of a tool that is not among them lifts nobody."""
    rankings = adaptive(np.asarray([3, 5, 9]), _said([0, 2, 1]), (), hits=[4, 9])
    assert rankings.rows.tolist() == [3, 5, 9]
    assert rankings.fused.ids.tolist() == [5, 9, 3]
    assert rankings.fused.scores.tolist() == pytest.approx([2, 1 + KEYWORD, 0])


def test_adaptive_of_nothing_is_empty() -> None:
    """With nothing permitted the fused list is empty."""
    rankings = _adaptive(_said([]))
    assert (len(rankings.fused), rankings.by_words) == (0, True)


def test_adaptive_breaks_ties_by_position() -> None:
    """Equal scores stand in order of position."""
    assert _adaptive(_said([1, 1, 1]), _meaning(2, 2, 2)).fused.ids.tolist() == [0, 1, 2]


def test_standing_counts_in_deviations_of_the_permitted() -> None:
    """Worked by hand: 1 and 3 have mean 2 and deviation 1; what is not permitted is measured by them."""
    assert standing(_scores(1, 3, 7), np.asarray([True, True, False])).tolist() == [-1, 1, 5]


@pytest.mark.parametrize("permitted", [[True, True, True], [False, False, False], [True, False, False]])
def test_standing_of_level_scores_is_nothing(permitted: list[bool]) -> None:
    """A channel that tells no tool from another says nothing."""
    assert standing(_scores(2, 2, 2), np.asarray(permitted)).tolist() == [0, 0, 0]
