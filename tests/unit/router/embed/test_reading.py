"""What an encoder can read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from router.embed.reading import EVERYTHING, LANGUAGES, Reading, examine, probes
from router.errors import EncoderError
from router.types import Vectors
from tests.unit.router.fakes import BreakingEncoder, HashingEncoder

_DIMENSION = 64
_SCRIPTS = tuple(LANGUAGES.values())
_PROBES = probes()["questions"], probes()["descriptions"]


class TopicEncoder(HashingEncoder):
    """Knows the topic of the probes in some languages; any other text is noise, or all of it `alike`."""

    dimension = _DIMENSION

    def __init__(self, languages: Iterable[str], *, alike: bool = False) -> None:
        super().__init__(name="topics")
        self.alike = alike
        self.topics = {
            text: topic for texts in _PROBES for language in languages for topic, text in enumerate(texts[language])
        }

    def encode(self, texts: list[str]) -> Vectors:
        """Encode."""
        return np.stack([self._row(text) for text in texts])

    def _row(self, text: str) -> Vectors:
        topic = self.topics.get(text, 0 if self.alike else None)
        if topic is not None:
            known: Vectors = np.eye(1, _DIMENSION, topic, dtype=np.float32)[0]
            return known
        seed = int.from_bytes(text.encode()[:32])
        drawn: Vectors = np.random.default_rng(seed).standard_normal(_DIMENSION).astype(np.float32)
        return drawn / np.float32(np.linalg.norm(drawn))


def test_examine_finds_the_one_script_that_is_read() -> None:
    """An encoder that knows English reads Latin; all else, from it or into it, is noise that has hardly a vote."""
    shares = dict(examine(TopicEncoder(["en"])).shares)
    assert shares.pop(("latin", "latin")) == 1.0
    assert len(shares) == len(_SCRIPTS) ** 2 - 1
    assert np.mean(list(shares.values())) < 0.05
    assert max(shares.values()) < 0.5  # so few texts can look like reading by chance


def test_examine_finds_scripts_that_are_read_into_each_other() -> None:
    """An encoder that knows Chinese and English finds tools of the one with questions of the other."""
    shares = examine(TopicEncoder(["en", "zh"])).shares
    read = {pair for pair, share in shares.items() if share > 0.5}
    assert read == {(one, other) for one in ("latin", "han") for other in ("latin", "han")}


def test_examine_gives_nothing_for_vectors_that_are_all_alike() -> None:
    """An encoder to which all foreign texts are one text does not read them."""
    shares = examine(TopicEncoder(["en"], alike=True)).shares
    assert all(share == 0 for pair, share in shares.items() if "latin" not in pair)


def test_examine_asks_for_questions_and_for_tools() -> None:
    """Models that encode questions and documents otherwise are examined as they are used."""

    class Parted(TopicEncoder):
        def encode_query(self, texts: list[str]) -> Vectors:
            return -super().encode_query(texts)

    assert examine(Parted(LANGUAGES)).shares["latin", "latin"] == 0


def test_examine_tells_when_the_encoder_is_broken() -> None:
    """What an encoder that fails can read is not guessed."""
    with pytest.raises(EncoderError):
        examine(BreakingEncoder())


def test_reading_weighs_the_scripts() -> None:
    """Worked by hand: half of the question and a quarter of the tools are in the script that is read."""
    reading = Reading({("latin", "latin"): 1.0, ("latin", "han"): 0.4, ("han", "latin"): 0.2, ("han", "han"): 0.0})
    mixed = {"latin": 0.5, "han": 0.5}, {"latin": 0.25, "han": 0.75}
    assert reading.of(*mixed) == pytest.approx(0.125 + 0.375 * 0.4 + 0.125 * 0.2)


def test_reading_of_what_was_not_examined_is_the_worst() -> None:
    """A script without probes is taken for what is read worst; where nothing was examined all is believed."""
    assert EVERYTHING.of({"other": 1.0}, {"latin": 1.0}) == 1.0
    reading = Reading({("latin", "latin"): 0.9, ("han", "latin"): 0.3})
    assert reading.of({"other": 1.0}, {"latin": 1.0}) == 0.3


def test_probes_hold_every_language_in_one_order() -> None:
    """For each language there are as many questions as descriptions, more than are used."""
    lengths = {len(texts[language]) for texts in _PROBES for language in LANGUAGES}
    assert len(lengths) == 1
    assert lengths.pop() >= 12
