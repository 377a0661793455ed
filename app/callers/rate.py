"""How often a key may be used: counted in this process, or in Redis for all of them.

A window begins with its first request and ends for all of its requests at once: a limit is never exceeded within one,
and over the edge of two at most twice. Law: when Redis does not answer, this process counts for itself.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from app.errors import RateLimited

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

_log = structlog.get_logger()

_PATIENCE_S = 1.0
_CONNECTIONS = 16
_AGAIN_S = 5.0


@lru_cache(maxsize=1_000)
def parsed(limit: str) -> RateLimitItem:
    """Read a limit such as `60/minute` or `1000 per 2 hours`.

    Raises:
        ValueError: It is none.
    """
    items = parse_many(limit)
    if len(items) != 1 or not (items[0].amount > 0 and items[0].multiples > 0):
        raise ValueError(f"couldn't parse rate limit string {limit!r}")
    return items[0]


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
        """
        for item in map(parsed, limits):
            now = time.monotonic()
            if self._shared is None or now < self._again_at:
                await _count(self._own, item, key_id)
                continue
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await _count(self._shared, item, key_id)
            except (StorageError, OSError) as error:  # a timeout is an OSError
                self._again_at = now + _AGAIN_S
                _log.warning("Redis does not answer; this process counts for itself", kind=type(error).__name__)
                await _count(self._own, item, key_id)


async def _count(limiter: FixedWindowRateLimiter, item: RateLimitItem, key_id: str) -> None:
    if await limiter.hit(item, key_id):
        return
    reset_s = max(1, math.ceil((await limiter.get_window_stats(item, key_id)).reset_time - time.time()))
    raise RateLimited(
        f"Rate limit reached for requests: {item}. Try again in {reset_s} s.",
        [
            (b"retry-after", str(reset_s).encode()),
            (b"x-ratelimit-limit-requests", str(item.amount).encode()),
            (b"x-ratelimit-remaining-requests", b"0"),
            (b"x-ratelimit-reset-requests", duration(reset_s).encode()),
        ],
    )


def duration(seconds: int) -> str:
    """Write a time as OpenAI does: `6m0s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _pool_of(url: str) -> BlockingConnectionPool:
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - loaded where it is used

    return BlockingConnectionPool.from_url(url, max_connections=_CONNECTIONS, timeout=_PATIENCE_S)
