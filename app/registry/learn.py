"""Vectors of tools are made here, a few at a time, so that one text that cannot be encoded keeps back no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np

from app.registry.store import Registry
from router import text
from router.duplicates import Embedded
from router.embed.embedder import tool_vectors
from router.errors import EncoderError
from router.types import Encoder, Tool, Vectors

_CHUNK = 32

Progress = Callable[[int, int], None]
ByDigest = dict[str, Vectors]
Failed = dict[str, Tool]


async def embed_missing(
    registry: Registry, encoder: Encoder, tools: list[Tool], progress: Progress | None = None
) -> int:
    """Make and store the vectors that are not there yet; give how many. `progress` gets done and total.

    Raises:
        EncoderError: The encoder takes nothing. Single tools that it does not take are left out.
    """
    digests = await asyncio.to_thread(lambda: {text.digest(tool): tool for tool in tools})
    known = await registry.vectors(encoder.key, digests.keys())
    missing = {digest: tool for digest, tool in digests.items() if digest not in known}
    done = count = 0
    async for fresh, failed in made_or_failed(encoder, missing):
        await registry.add_vectors(encoder.key, fresh)
        count += len(fresh)
        done += len(fresh) + len(failed)
        if progress is not None:
            progress(done, len(missing))
    return count


async def learned(registry: Registry, encoder: Encoder) -> Embedded:
    """Give all tools with the vectors that are stored."""
    changes = await registry.changes()
    found = await registry.vectors(encoder.key, changes.digests)
    ready = np.asarray([digest in found for digest in changes.digests], dtype=np.bool_)
    vectors = np.zeros((len(ready), encoder.dimension), dtype=np.float32)
    for row in np.flatnonzero(ready).tolist():
        vectors[row] = found[changes.digests[row]]
    return Embedded(changes.tools, vectors, ready)


async def made(encoder: Encoder, tools: dict[str, Tool]) -> ByDigest:
    """Make the vectors of tools by digest.

    Raises:
        EncoderError: One of them could not be made.
    """
    vectors = await asyncio.to_thread(tool_vectors, encoder, list(tools.values()))
    return dict(zip(tools, vectors, strict=True))


async def made_or_failed(encoder: Encoder, tools: dict[str, Tool]) -> AsyncIterator[tuple[ByDigest, Failed]]:
    """Make the vectors of tools chunk by chunk; give with each chunk those that fail though others do not.

    Raises:
        EncoderError: The encoder takes nothing.
    """
    items = list(tools.items())
    for start in range(0, len(items), _CHUNK):
        chunk = dict(items[start : start + _CHUNK])
        try:
            yield await made(encoder, chunk), {}
        except EncoderError:
            yield await _one_by_one(encoder, chunk)


async def _one_by_one(encoder: Encoder, tools: dict[str, Tool]) -> tuple[ByDigest, Failed]:
    await asyncio.to_thread(encoder.encode_document, ["ready"])  # else the fault is the encoder's, not a tool's
    fresh: ByDigest = {}
    failed: Failed = {}
    for digest, tool in tools.items():
        try:
            fresh |= await made(encoder, {digest: tool})
        except EncoderError:
            failed[digest] = tool
    return fresh, failed
