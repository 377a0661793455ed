"""What small talk looks like to an encoder: greetings, thanks, opinions and the like, in twelve languages.

A question that is as near to small talk as small talk is to itself needs no tools; one that is as far from it as
requests usually are may. Similarities of different encoders have different ranges, so both ends are measured for each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from router.embed.reading import LANGUAGES, Reading, probes
from router.types import Encoder, Vectors

_NEAREST = 3
_READABLE = 0.5  # an encoder judges what it reads at least so well
_APART = 2.0  # deviations; an encoder to which small talk and requests are more alike cannot tell them apart
_FEW = 4  # of so many exemplars one stands for them where all would take too long


@dataclass(frozen=True)
class SmallTalk:
    """Exemplars, `float32[m, d]`, and their usual similarity to requests for tools and to one another."""

    vectors: Vectors
    to_requests: float
    to_itself: float

    def closeness(self, asked: Vectors) -> float:
        """Tell whether a question, `float32[d]`, is like requests (0 and less) or like small talk (1 and more)."""
        near = float(_similarity(asked[np.newaxis] @ self.vectors.T)[0])
        return (near - self.to_requests) / max(self.to_itself - self.to_requests, 1e-6)

    @property
    def few(self) -> Vectors:
        """Give some exemplars of every language."""
        return self.vectors[::_FEW]


def learn(encoder: Encoder, reading: Reading) -> SmallTalk | None:
    """Measure small talk in the languages that the encoder is known to read.

    None where it reads none, or cannot tell small talk from requests.

    Raises:
        EncoderError: The exemplars could not be encoded.
    """
    requests, talk = _texts()
    read = [lang for lang, script in LANGUAGES.items() if reading.of({script: 1.0}, {script: 1.0}) >= _READABLE]
    asked = [text for lang in read for text in requests[lang]]
    said = [text for lang in read for text in talk.get(lang, ())]
    if not said:
        return None
    vectors = encoder.encode_query(said)
    among = vectors @ vectors.T
    np.fill_diagonal(among, -1.0)
    near, itself = _similarity(encoder.encode_query(asked) @ vectors.T), _similarity(among)
    if itself.mean() - near.mean() < _APART * near.std():
        return None
    return SmallTalk(vectors, to_requests=float(near.mean()), to_itself=float(itself.mean()))


def _similarity(scores: Vectors) -> Vectors:
    """Give the mean of each row's best, `float32[n]`."""
    best: Vectors = np.sort(scores, axis=1)[:, -_NEAREST:].mean(axis=1)
    return best


@cache
def _texts() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Give requests for tools and small talk by language."""
    said = files(__package__).joinpath("small_talk.json").read_text(encoding="utf-8")
    return probes()["questions"], json.loads(said)
