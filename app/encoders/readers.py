"""Encoders that were examined: what each can read, and what small talk is to it."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from app.encoders import make_encoders
from app.settings import Settings
from app.settings.encoders import EncoderSpec
from router.embed.embedder import Embedder, OnLearned
from router.embed.reading import EVERYTHING, Reading, examine
from router.embed.small_talk import SmallTalk, learn
from router.errors import EncoderError
from router.types import Encoder

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reader:
    """An encoder, what it can read, and what small talk is to it."""

    encoder: Encoder
    reading: Reading
    small_talk: SmallTalk | None = None

    def embedder(self, on_learned: OnLearned | None = None, **sizes: int) -> Embedder:
        """Make it ready to serve requests."""
        return Embedder(
            self.encoder, self.reading, self.small_talk, on_learned=on_learned, on_failed=report_failure, **sizes
        )


def load(settings: Settings, specs: tuple[EncoderSpec, ...] | None = None) -> list[Reader]:
    """Load and examine encoders, those of the settings if no others are named. Takes seconds, on no event loop.

    Raises:
        EncoderError: One cannot be loaded.
        ConfigurationError: Both are the same.
    """
    chosen = settings if specs is None else settings.model_copy(update={"encoder": specs})
    return [examined(encoder) for encoder in make_encoders(chosen)]


def examined(encoder: Encoder) -> Reader:
    """Measure what an encoder can read; one that does not answer is believed to read everything."""
    try:
        reading = examine(encoder)
        return Reader(encoder, reading, learn(encoder, reading))
    except EncoderError as error:
        report_failure(error)
        return Reader(encoder, EVERYTHING)


def report_failure(error: BaseException) -> None:
    """Say that words must do."""
    _log.warning("the encoder failed; words find the tools", reason=str(error)[:200])
