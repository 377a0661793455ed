"""Keeps the provider's key on this server: an error of the provider that repeats it is relayed with stars instead.

As many stars as the key has bytes, so that lengths hold. Answers that succeed pass untouched, and so do compressed
bodies, in which nothing can be found.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.gateway.transport import Answer, Body

_ERROR = 400


def masked(answer: Answer, key: bytes) -> Answer:
    """Give the answer without the key: in its headers, and in the body of an error."""
    hidden = b"*" * len(key)
    headers = [(name, value.replace(key, hidden)) for name, value in answer.headers]
    return Answer(answer.status, headers, _Masked(answer.body, key) if answer.status >= _ERROR else answer.body)


class _Masked:
    """Holds back only what may be the beginning of a key."""

    def __init__(self, body: Body, key: bytes) -> None:
        self._body = body
        self._key = key

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = b""
        async for chunk in self._body:
            data = (held + chunk).replace(self._key, b"*" * len(self._key))
            begun = _begun(data, self._key)
            data, held = data[: len(data) - begun], data[len(data) - begun :]
            if data:
                yield data
        if held:
            yield held

    async def aclose(self) -> None:
        """Close the body."""
        await self._body.aclose()


def _begun(data: bytes, key: bytes) -> int:
    """Give the length of the longest end of `data` with which `key` begins."""
    longest = min(len(key) - 1, len(data))
    return next((n for n in range(longest, 0, -1) if data.endswith(key[:n])), 0)
