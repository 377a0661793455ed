"""JSON that parsers refuse whole because of one text or number in it -> JSON that they read.

Half a surrogate pair becomes U+FFFD, as a browser shows it. A number of hundreds of digits becomes 1e999, which is
read, and which no tool may hold: it costs the tool that has it. Works line by line, so that events are not held up,
and in time that grows with the bytes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2

_MAY_BE_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_LONG = re.compile(rb"[0-9]{400}")
_ESCAPE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|\\."
)
_TEXT_OR_NUMBER = re.compile(rb'("(?:[^"\\]|\\.)*+")|(-?[0-9]{400,}+[0-9.eE+-]*+)')
_END = re.compile(rb"[\r\n]")


def mended(line: bytes) -> bytes:
    """Return a line of JSON, or of an event stream, that can be read."""
    if _MAY_BE_HALF.search(line):
        line = _ESCAPE.sub(lambda found: b"\\ufffd" if found[2] else found[0], line)
    if _LONG.search(line):
        line = _TEXT_OR_NUMBER.sub(lambda found: b"1e999" if found[2] else found[0], line)
    return line


class Mended(httpx2.AsyncByteStream):
    """The body of an answer, mended."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held: list[bytes] = []
        async for chunk in self._stream:
            ends = [found.end() for found in _END.finditer(chunk)]
            if not ends:
                held.append(chunk)
                continue
            yield mended(b"".join([*held, chunk[: ends[-1]]]))
            held = [chunk[ends[-1] :]]
        if any(held):
            yield mended(b"".join(held))

    async def aclose(self) -> None:
        """Close what is mended."""
        await self._stream.aclose()
