"""A question asked of the registry without a server: what `toolfunnel route` does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from app.admin.service import decision
from app.encoders import close_all
from app.encoders.readers import load as load_readers
from app.errors import NotFound
from app.registry.keys import KeyStore, named
from app.registry.snapshot import Snapshots
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
    return Options(k=k, grants=key.grants)


async def explain(loaded: Settings, registry: Registry, question: str, options: Options) -> dict[str, Any]:
    """Explain what a question would be sent with."""
    readers = await asyncio.to_thread(load_readers, loaded)
    routing = Routing(Router(*(reader.embedder() for reader in readers)), loaded)
    snapshots = Snapshots(registry, [reader.encoder for reader in readers], Telemetry(), loaded.registry.poll_s)
    try:
        await snapshots.refresh()
        body = json.dumps({"messages": [{"role": "user", "content": question}]}).encode()
        return decision(await routing.explain(body, snapshots.catalog, options))
    finally:
        routing.close()
        close_all(reader.encoder for reader in readers)
