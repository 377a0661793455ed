"""What an encoder can read: measured on questions and descriptions of everyday tools, in eight scripts.

An encoder that was trained on English turns Chinese into noise, and noise must not vote. So each is examined when it is
loaded: of how many wrong descriptions does it know that they fit a question less than the right one?
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from router.script import Scripts
from router.types import Encoder, Vectors

# Of each script one language, and as many topics: 192 texts, a quarter of a second with the embedded encoder.
LANGUAGES = {
    "en": "latin",
    "zh": "han",
    "ja": "kana",
    "ko": "hangul",
    "ru": "cyrillic",
    "ar": "arabic",
    "th": "thai",
    "hi": "devanagari",
}
_KINDS = ("questions", "descriptions")
_TOPICS = 12
_GOOD = 0.5  # squared competence of an encoder that reads well, on so few and so terse texts


@dataclass(frozen=True)
class Reading:
    """How well questions in one script find tools in another: 1 is well, 0 is chance."""

    shares: Mapping[tuple[str, str], float]

    def of(self, question: Scripts, tools: Scripts) -> float:
        """Give how well questions in these scripts find tools in those; shares of the scripts weigh.

        What was not measured is taken for what the encoder reads worst.
        """
        unknown = min(self.shares.values(), default=1.0)
        return sum(
            asked * told * self.shares.get((one, other), unknown)
            for one, asked in question.items()
            for other, told in tools.items()
        )


EVERYTHING = Reading({})


def examine(encoder: Encoder) -> Reading:
    """Measure what an encoder can read.

    Raises:
        EncoderError: The probes could not be encoded.
    """
    questions, descriptions = ([probes()[kind][lang][:_TOPICS] for lang in LANGUAGES] for kind in _KINDS)
    asked = encoder.encode_query([text for texts in questions for text in texts])
    told = encoder.encode_document([text for texts in descriptions for text in texts])
    shape = (len(LANGUAGES), _TOPICS, encoder.dimension)
    asked, told = asked.reshape(shape), told.reshape(shape)
    return Reading(
        {
            (one, other): _competence(asked[i], told[j])
            for i, one in enumerate(LANGUAGES.values())
            for j, other in enumerate(LANGUAGES.values())
        }
    )


def _competence(asked: Vectors, told: Vectors) -> float:
    """Give how much better than chance the right description is told from the wrong ones.

    Squared, so that noise is near 0, and in shares of what is good.
    """
    scores = asked @ told.T
    right = np.diagonal(scores)[:, np.newaxis]
    wins = (right > scores).sum() / (_TOPICS * (_TOPICS - 1))
    return min(1.0, float(max(0.0, 2 * wins - 1)) ** 2 / _GOOD)


@cache
def probes() -> dict[str, dict[str, list[str]]]:
    """Give `questions` and `descriptions` by language, in the order of one list of topics."""
    found: dict[str, dict[str, list[str]]] = json.loads(
        files(__package__).joinpath("probes.json").read_text(encoding="utf-8")
    )
    return found
