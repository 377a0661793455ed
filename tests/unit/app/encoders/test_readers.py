"""Encoders are examined, at the start or when they answer."""

from __future__ import annotations

from structlog.testing import capture_logs

from app.encoders.readers import Failures, Reader, examine_later
from app.errors import RegistryError
from router.embed.profile import UNKNOWN, measure
from router.errors import EncoderError
from router.types import Vectors
from tests.support.inside import WordEncoder


class Down(WordEncoder):
    """Does not answer so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def encode(self, texts: list[str]) -> Vectors:
        if self.times:
            self.times -= 1
            raise EncoderError("down")
        return super().encode(texts)


async def test_an_encoder_that_was_down_is_examined_when_it_answers() -> None:
    """It is tried again until it is known what it reads; then the catalogue is renewed, as soon as it can be."""
    embedder = Reader(encoder := Down(3)).embedder()
    profiles = []

    async def renew() -> None:
        profiles.append(embedder.profile)
        if len(profiles) < 2:
            raise RegistryError("busy")

    assert embedder.profile is UNKNOWN
    await examine_later(embedder, renew, 0.001)
    embedder.close()
    assert encoder.times == 0
    assert profiles == [embedder.profile] * 2
    assert embedder.reading == measure(WordEncoder()).reading


def test_failures_are_told_once_in_a_while() -> None:
    """The first is told at once; those of the next minute together, with the first one after it."""
    now = 0.0
    failures = Failures(60, lambda: now)
    with capture_logs() as lines:
        for now in (0.0, 1.0, 59.0, 60.0, 61.0, 120.0):
            failures.report(EncoderError(f"at {now}"))
    assert [(line["reason"], line["failures"]) for line in lines] == [("at 0.0", 1), ("at 60.0", 3), ("at 120.0", 2)]
