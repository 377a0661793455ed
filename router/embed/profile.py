"""What is known of an encoder: what it can read, and what small talk is to it."""

from __future__ import annotations

from dataclasses import dataclass

from router.embed.reading import EVERYTHING, Reading, examine
from router.embed.small_talk import SmallTalk, learn
from router.types import Encoder


@dataclass(frozen=True, slots=True)
class Profile:
    """Belongs to one encoder. One that was not measured is believed to read everything, and judges nothing."""

    reading: Reading = EVERYTHING
    small_talk: SmallTalk | None = None


def measure(encoder: Encoder) -> Profile:
    """Examine an encoder.

    Raises:
        EncoderError: It does not answer.
    """
    reading = examine(encoder)
    return Profile(reading, learn(encoder, reading))


UNKNOWN = Profile()
