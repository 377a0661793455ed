"""A question asked of the registry without a server: what `toolfunnel route` does."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from app.admin.service import decision
from app.admin.withheld import keeping
from app.encoders import close_all
from app.encoders.readers import load as load_readers
from app.errors import BadRequest, NotFound
from app.registry.keys import KeyStore, named
from app.registry.snapshot import Snapshots
from app.registry.sources import Sources
from app.registry.store import Registry
from app.routing import Options, Routing
from app.settings import Settings
from app.telemetry import Telemetry
from router.pipeline import Router


async def asked_as(registry: Registry, k: int | None, key_id: str | None) -> Options:
    """Give what a request asks for: its budget, and the grants of a caller's key.

    Raises:
        NotFound: There is no such key.
    """
    if key_id is None:
        return Options(k=k)
    _, keys = await KeyStore(registry).load()
    key = named(keys, key_id)
    if key is None:
        raise NotFound(f"There is no key {key_id!r}. 'toolfunnel keys list' shows them.")
    return Options(k=k, grants=key.grants, of_key=key.source)


def question(text: str) -> bytes:
    """Return the request that asks just this."""
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def request_body(path: Path, most: int) -> bytes:
    """Read the body of a request from a file; - is standard input.

    Raises:
        BadRequest: It cannot be read, or has more than `most` bytes.
    """
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            body = file.read(most + 1)
    except OSError as error:
        raise BadRequest(f"{path}: {error.strerror}") from error
    if len(body) > most:
        raise BadRequest(f"{path}: it has more than {most:,} bytes, as many as a request may have")
    return body


async def explain(loaded: Settings, registry: Registry, body: bytes, options: Options) -> dict[str, Any]:
    """Explain what a chat request would be sent with.

    Raises:
        BadRequest: The body is not a chat request.
    """
    readers = await asyncio.to_thread(load_readers, loaded)
    routing = Routing(Router(*(reader.embedder() for reader in readers)), loaded)
    snapshots = Snapshots(registry, [reader.encoder for reader in readers], Telemetry(), loaded.registry.poll_s)
    try:
        await snapshots.refresh()
        kept = await keeping(Sources(registry), loaded.safety.allow)
        return decision(await routing.explain(body, snapshots.catalog, options), kept)
    finally:
        routing.close()
        close_all(reader.encoder for reader in readers)
