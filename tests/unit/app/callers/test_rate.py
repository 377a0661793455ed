"""How often a key may be used, in one process."""

from __future__ import annotations

import asyncio
import time

import pytest
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from app.callers import rate
from app.callers.rate import RateLimits, duration, parsed
from app.errors import RateLimited, Unauthorized


async def passes(limits: RateLimits, key: str, *written: str) -> bool:
    """Count a request; tell whether it may pass."""
    try:
        await limits.count(key, written)
    except RateLimited:
        return False
    return True


async def test_a_limit_lets_through_so_many() -> None:
    """However many come at once, and of each key by itself."""
    limits = RateLimits()
    passed = await asyncio.gather(*(passes(limits, f"key{number % 2}", "100/hour") for number in range(1_000)))
    assert passed.count(True) == 200


async def test_every_limit_of_a_key_counts() -> None:
    """The tightest of them decides, whichever comes first."""
    limits = RateLimits()
    assert [await passes(limits, "a", "5/hour", "2/day") for _ in range(4)] == [True, True, False, False]


async def test_a_refusal_says_when_to_come_again() -> None:
    """In whole seconds, as a header of HTTP and as OpenAI writes it."""
    limits = RateLimits()
    await limits.count("a", ["1/minute"])
    with pytest.raises(RateLimited) as caught:
        await limits.count("a", ["1/minute"])
    headers = dict(caught.value.headers)
    assert 55 <= int(headers[b"retry-after"]) <= 60
    assert headers[b"x-ratelimit-limit-requests"] == b"1"
    assert "1 per 1 minute" in str(caught.value)


class Silent(FixedWindowRateLimiter):
    """A Redis that answers a few times, then no more."""

    def __init__(self, answers: int) -> None:
        super().__init__(MemoryStorage())
        self.answers = answers

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count, or fail."""
        self.answers -= 1
        if self.answers < 0:
            raise StorageError(ConnectionError())
        return await super().hit(item, *identifiers, cost=cost)


async def test_a_limit_does_not_begin_anew_when_redis_falls_silent() -> None:
    """Three of four have passed when Redis goes: one more does."""
    limits = RateLimits()
    limits._shared = Silent(answers=3)
    assert [await passes(limits, "a", "4/hour") for _ in range(6)] == [True] * 4 + [False] * 2


class Standstill(FixedWindowRateLimiter):
    """A Redis whose answer is there in time, while this process is not: it stands still for longer than it waits."""

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Refuse, after a standstill."""
        await asyncio.sleep(0)
        time.sleep(3 * rate._LOOKS * rate._LOOK_S)  # noqa: ASYNC251 - nothing else is to run
        for _ in range(5):  # it takes a few steps to read an answer
            await asyncio.sleep(0)
        return False


async def test_a_standstill_of_this_process_is_not_taken_for_silence_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Redis has said counts, however late this process comes to read it."""
    monkeypatch.setattr(rate, "_LOOKS", 2)
    limits = RateLimits()
    limits._shared = Standstill(MemoryStorage())
    assert not await passes(limits, "a", "4/hour")


@pytest.mark.parametrize(("seconds", "written"), [(1, "1s"), (60, "1m0s"), (3_599, "59m59s"), (90_061, "25h1m1s")])
def test_times_are_written_as_openai_does(seconds: int, written: str) -> None:
    """Hours, minutes and seconds, from the first that is there."""
    assert duration(seconds) == written


@pytest.mark.parametrize("limit", ["", "10", "0/minute", "-1/minute", "ten/minute", "10/fortnight", "1/minute; 2/hour"])
def test_what_is_no_limit_is_refused(limit: str) -> None:
    """Amount and time are needed."""
    with pytest.raises(ValueError, match=r"not a rate limit|granularity"):
        parsed(limit)


async def test_a_kept_limit_that_cannot_be_read_lets_nobody_through() -> None:
    """An earlier version took what nothing can count: refused, and no fault of ours."""
    with pytest.raises(Unauthorized):
        await RateLimits().count("a", ["60/minute", "1/" + "9" * 400 + " years"])
