"""A question asked of the registry without a server: what `toolfunnel route` does."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
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
from router.catalog import EMPTY, Catalog
from router.pipeline import Router
from router.types import Conversation, Grants, RouteRequest, Source, Tool, Turn

_EVERY = 10_000_000  # tools: more than any catalogue has
_SEARCH_S = 5.0


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
    async with _routing(loaded, registry) as (routing, catalog):
        kept = await keeping(Sources(registry), loaded.safety.allow)
        return decision(await routing.explain(body, catalog, options), kept)


async def search(loaded: Settings, registry: Registry, text: str, limit: int, **conditions: Any) -> list[Tool]:
    """Find tools of the whole catalogue, offered or not, as requests find theirs: by meaning and words, best first.

    `conditions` are those of `Registry.find`. What has the text in its name, as far as letters and digits go, is always
    among what is found; what fits it no better than tools do as a rule is not.
    """
    found = {tool.name: tool for tool in await registry.find(**conditions, limit=_EVERY)}
    async with _routing(loaded, registry) as (routing, catalog):
        scores = await routing.aside(lambda: ranked(routing.router, catalog, text))
    written = _letters(text)
    named = {name for name in found if written and written in _letters(name)}
    names = [name for name in scores if name in found] + sorted(named - scores.keys())
    fitting = [name for name in names if name in named or scores[name] > 0]
    kept = {*sorted(fitting, key=lambda name: name not in named)[:limit]}
    return [found[name] for name in fitting if name in kept]


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def ranked(router: Router, catalog: Catalog, text: str) -> dict[str, float]:
    """Return the scores of a catalogue's tools for a text by name, best first, whoever may be offered them."""
    nobody = RouteRequest(
        Conversation((Turn(text),)), grants=Grants(frozenset()), floor=False, source=Source.REGISTRY, owner="\0search"
    )
    deadline = time.perf_counter() + _SEARCH_S
    unrestricted = router.route(catalog, EMPTY, nobody, deadline, explain=True).unrestricted
    if unrestricted is None:
        return {}
    fused = unrestricted.rankings.fused
    rows = zip(fused.ids.tolist(), fused.scores.tolist(), strict=True)
    return {catalog.tools[row].name: score for row, score in rows}


@asynccontextmanager
async def _routing(loaded: Settings, registry: Registry) -> AsyncIterator[tuple[Routing, Catalog]]:
    """Make what requests are routed by, with the catalogue of a registry."""
    readers = await asyncio.to_thread(load_readers, loaded)
    routing = Routing(Router(*(reader.embedder() for reader in readers)), loaded)
    snapshots = Snapshots(registry, [reader.encoder for reader in readers], Telemetry(), loaded.registry.poll_s)
    try:
        await snapshots.refresh()
        yield routing, snapshots.catalog
    finally:
        routing.close()
        close_all(reader.encoder for reader in readers)
