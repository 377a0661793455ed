"""What small talk looks like to an encoder."""

from __future__ import annotations

import numpy as np
import pytest

from router.embed.reading import EVERYTHING, LANGUAGES, Reading, probes
from router.embed.small_talk import SmallTalk, learn
from router.embed.use import EmbeddedEncoder
from router.errors import EncoderError
from router.types import Vectors
from tests.unit.router.fakes import BreakingEncoder, HashingEncoder

_EAST, _NORTH = np.asarray([1, 0], np.float32), np.asarray([0, 1], np.float32)


class Told(HashingEncoder):
    """Tells requests for tools, which it knows, from all else: they lie north, the rest east."""

    dimension = 2

    def encode(self, texts: list[str]) -> Vectors:
        """Encode, and note what was asked."""
        self.seen.extend(texts)
        requests = {text for asked in probes()["questions"].values() for text in asked}
        return np.stack([_NORTH if text in requests else _EAST for text in texts])


def test_closeness_runs_from_requests_to_small_talk() -> None:
    """Worked by hand: 0 is as near as requests usually are, 1 as near as small talk is to itself."""
    talk = SmallTalk(np.stack([_EAST] * 5), to_requests=0.2, to_itself=0.7)
    half = np.asarray([0.45, 0], np.float32)
    assert talk.closeness(_EAST) == pytest.approx((1 - 0.2) / 0.5)
    assert talk.closeness(half) == pytest.approx(0.5)
    assert talk.closeness(_NORTH) == pytest.approx(-0.4)


def test_closeness_looks_at_the_nearest() -> None:
    """A question like three of the exemplars is small talk, whatever the others are."""
    talk = SmallTalk(np.stack([_EAST] * 3 + [-_EAST] * 9), to_requests=0.0, to_itself=1.0)
    assert talk.closeness(_EAST) == pytest.approx(1)


def test_closeness_where_all_is_alike_is_finite() -> None:
    """An encoder to which requests and small talk are one and the same does not divide by nothing."""
    assert np.isfinite(SmallTalk(np.stack([_EAST] * 3), to_requests=1.0, to_itself=1.0).closeness(_EAST))


def test_few_are_some_of_all() -> None:
    """One exemplar in four stands for them."""
    assert len(SmallTalk(np.zeros((10, 2), np.float32), 0.0, 1.0).few) == 3


def test_learn_measures_both_ends() -> None:
    """Requests that are nothing like small talk are at 0 and small talk is at 1; no text is its own neighbour."""
    talk = learn(Told(), EVERYTHING)
    assert talk is not None
    assert [talk.to_requests, talk.to_itself] == pytest.approx([0, 1])
    assert talk.closeness(_EAST) == pytest.approx(1)


def test_learn_takes_the_languages_that_are_read() -> None:
    """Exemplars in a script that the encoder does not read are left out."""
    every, latin = Told(), Told()
    shares = {(script, script): float(script == "latin") for script in LANGUAGES.values()}
    learn(every, EVERYTHING)
    learn(latin, Reading(shares))
    assert 0 < len(latin.seen) < len(every.seen)
    assert all(text.isprintable() and max(text) < "\u2fff" for text in latin.seen)


def test_learn_without_a_language_is_nothing() -> None:
    """An encoder that reads none of the languages judges no question."""
    encoder = Told()
    assert learn(encoder, Reading({(script, script): 0.4 for script in LANGUAGES.values()})) is None
    assert encoder.seen == []


def test_learn_without_a_difference_is_nothing() -> None:
    """An encoder to which small talk is no nearer to itself than requests are judges no question."""

    class Noise(HashingEncoder):
        def encode(self, texts: list[str]) -> Vectors:
            drawn = [np.random.default_rng(int.from_bytes(text.encode())).standard_normal(64) for text in texts]
            return np.stack([one / np.linalg.norm(one) for one in drawn]).astype(np.float32)

    assert learn(Noise(), EVERYTHING) is None


def test_learn_tells_when_the_encoder_is_broken() -> None:
    """What small talk is to an encoder that fails is not guessed."""
    with pytest.raises(EncoderError):
        learn(BreakingEncoder(), EVERYTHING)


@pytest.mark.parametrize(
    "greeting", ["Thanks a lot, you were a great help!", "谢谢你，辛苦了", "ありがとう！", "안녕하세요"]
)
def test_small_talk_of_the_embedded_encoder(embedded: EmbeddedEncoder, greeting: str) -> None:
    """Greetings and thanks are near to small talk, a request for the weather is not, in any of four languages."""
    talk = learn(embedded, EVERYTHING)
    assert talk is not None
    thanks, asked = embedded.encode_query([greeting, "What will the weather be in Kyoto tomorrow?"])
    assert talk.closeness(thanks) > 0.5 > talk.closeness(asked)
