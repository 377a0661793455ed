"""Encoders that were examined: what each can read, and what small talk is to it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from app.encoders import make_encoders
from app.errors import RegistryError
from app.settings import Settings
from app.settings.encoders import EncoderSpec
from router.embed.embedder import Embedder, OnLearned
from router.embed.profile import UNKNOWN, Profile, measure
from router.errors import EncoderError
from router.memory import Shares
from router.types import Encoder

_log = structlog.get_logger()

_RETRY_S = 30.0
_TOLD_S = 60.0


class Failures:
    """What encoders fail with: told at once, and then once in a while, since every request may fail. Thread-safe."""

    def __init__(self, every_s: float = _TOLD_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._untold = 0
        self._next_s = 0.0

    def report(self, error: BaseException) -> None:
        """Say that words must do."""
        with self._lock:
            self._untold += 1
            if self._clock() < self._next_s:
                return
            self._next_s = self._clock() + self._every_s
            failures, self._untold = self._untold, 0
        _log.warning("the encoder failed; words find the tools", reason=str(error)[:200], failures=failures)


report_failure = Failures().report


@dataclass(frozen=True, slots=True)
class Reader:
    """An encoder and what is known of it; UNKNOWN where it did not answer."""

    encoder: Encoder
    profile: Profile = UNKNOWN

    def embedder(self, on_learned: OnLearned | None = None, shares: Shares | None = None) -> Embedder:
        """Make it ready to serve requests."""
        return Embedder(self.encoder, self.profile, shares=shares, on_learned=on_learned, on_failed=report_failure)


def load(settings: Settings, specs: tuple[EncoderSpec, ...] | None = None) -> list[Reader]:
    """Load and examine encoders, those of the settings if no others are named. Takes seconds, on no event loop.

    Raises:
        EncoderError: One cannot be loaded.
        ConfigurationError: Both are the same.
    """
    chosen = settings if specs is None else settings.model_copy(update={"encoder": specs})
    return [Reader(encoder, _measured(encoder)) for encoder in make_encoders(chosen)]


async def examine_later(embedder: Embedder, renew: Callable[[], Awaitable[None]], every_s: float = _RETRY_S) -> None:
    """Examine an encoder that did not answer until it does; then `renew`, so that what was settled is settled anew."""
    while embedder.profile is UNKNOWN:
        await asyncio.sleep(every_s)
        embedder.profile = await asyncio.to_thread(_measured, embedder.encoder)
    _log.info("the encoder answers; what it reads is known now", encoder=embedder.name)
    while True:
        try:
            return await renew()
        except RegistryError as error:
            _log.warning("the catalogue could not be renewed yet", reason=str(error))
            await asyncio.sleep(every_s)


def _measured(encoder: Encoder) -> Profile:
    """Measure an encoder; one that does not answer is believed to read everything."""
    try:
        return measure(encoder)
    except EncoderError as error:
        report_failure(error)
        return UNKNOWN
