"""How often a key may be used: counted in this process, or in Redis for all of them.

A window begins with its first request and ends for all of its requests at once: a limit is never exceeded within one,
and over the edge of two at most twice. Law: when Redis does not answer, this process counts for itself, from what it
has counted so far: a limit does not begin anew because Redis falls silent.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from app.errors import RateLimited, Unauthorized
from app.settings.callers import is_limit

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

_log = structlog.get_logger()

_LOOKS, _LOOK_S = 20, 0.05  # a second
_CONNECTIONS = 16
_AGAIN_S = 5.0


@lru_cache(maxsize=1_000)
def parsed(limit: str) -> RateLimitItem:
    """Read a limit such as `60/minute` or `1000 per 2 hours`.

    Raises:
        ValueError: It is none.
    """
    if not is_limit(limit):
        raise ValueError("this is not a rate limit, such as 60/minute")
    (item,) = parse_many(limit)
    return item


class RateLimits:
    """Counts requests. `close()` it."""

    def __init__(self, redis_url: str | None = None) -> None:
        """Count here, or in the Redis of a URL."""
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._pool = _pool_of(redis_url) if redis_url else None
        self._shared: FixedWindowRateLimiter | None = None
        if self._pool is not None:
            options = {"connection_pool": self._pool, "implementation": "redispy", "wrap_exceptions": True}
            self._shared = FixedWindowRateLimiter(RedisStorage("async+redis://", **options))  # type: ignore[arg-type]
        self._again_at = 0.0

    async def close(self) -> None:
        """Let go of Redis."""
        if self._pool is not None:
            await self._pool.aclose()

    async def count(self, key_id: str, limits: Sequence[str]) -> None:
        """Count a request against each limit of a key.

        Raises:
            RateLimited: It is one too many for one of them.
            Unauthorized: One of them cannot be read: an earlier version took what nothing can count.
        """
        try:
            items = [parsed(limit) for limit in limits]
        except ValueError:
            raise Unauthorized("A limit of this API key cannot be read. Ask for a new key.") from None
        for item in items:
            passes_here = await self._own.hit(item, key_id)
            if self._shared is not None and time.monotonic() >= self._again_at:
                try:
                    await _in_time(_count(self._shared, item, key_id))
                    continue
                except (StorageError, OSError) as error:  # a timeout is an OSError
                    self._again_at = time.monotonic() + _AGAIN_S
                    _log.warning("Redis does not answer; this process counts for itself", kind=type(error).__name__)
            if not passes_here:
                raise await _refusal(self._own, item, key_id)


async def _count(limiter: FixedWindowRateLimiter, item: RateLimitItem, key_id: str) -> None:
    if not await limiter.hit(item, key_id):
        raise await _refusal(limiter, item, key_id)


async def _refusal(limiter: FixedWindowRateLimiter, item: RateLimitItem, key_id: str) -> RateLimited:
    reset_s = max(1, math.ceil((await limiter.get_window_stats(item, key_id)).reset_time - time.time()))
    return RateLimited(
        f"Rate limit reached for requests: {item}. Try again in {reset_s} s.",
        [
            (b"retry-after", str(reset_s).encode()),
            (b"x-ratelimit-limit-requests", str(item.amount).encode()),
            (b"x-ratelimit-remaining-requests", b"0"),
            (b"x-ratelimit-reset-requests", duration(reset_s).encode()),
        ],
    )


async def _in_time(asking: Coroutine[object, object, None]) -> None:
    """Wait for an answer of Redis, so many looks long.

    Looks and not seconds: when this process itself got no processor for a second, the answer may be there already, and
    a limit that was given up for that would let everybody through. A standstill is one look, however long it takes.

    Raises:
        TimeoutError: It does not come.
    """
    job = asyncio.ensure_future(asking)
    try:
        for _ in range(_LOOKS):
            if (await asyncio.wait({job}, timeout=_LOOK_S))[0]:
                return job.result()
        raise TimeoutError
    finally:
        job.cancel()


def duration(seconds: int) -> str:
    """Write a time as OpenAI does: `6m0s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _pool_of(url: str) -> BlockingConnectionPool:
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - loaded where it is used

    return BlockingConnectionPool.from_url(url, max_connections=_CONNECTIONS, timeout=None)  # `_in_time` is its bound
