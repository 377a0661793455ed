"""The data plane served by a real server in this process, with a core that a test makes: for faults no setting has."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import xxhash
from starlette.applications import Starlette
from starlette.routing import Mount

from app.gateway import endpoints
from app.gateway.flow import Gateway
from app.gateway.forward import Upstream
from app.registry.snapshot import Snapshots
from app.registry.store import Registry
from app.routing import Routing
from app.settings import SelectSettings, Settings, UpstreamSettings
from app.telemetry import Telemetry
from router.pipeline import Router
from router.types import Vectors
from tests.support import log_check, served

_PATIENCE_S = 20.0


class WordEncoder:
    """Vectors that count words by their digest. Lists of tools wait for `gate`."""

    name = "words"
    key = "words"
    dimension = 64

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, texts: list[str]) -> Vectors:
        """Give unit vectors."""
        if threading.current_thread().name.startswith("encode-tools"):
            self.gate.wait(_PATIENCE_S)
        vectors: Vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                row[xxhash.xxh3_64_intdigest(word.encode()) % self.dimension] += 1
            np.divide(row, max(1.0, float(np.linalg.norm(row))), out=row)
        return vectors

    def encode_query(self, texts: list[str]) -> Vectors:
        """Encode questions."""
        return self.encode(texts)

    def encode_document(self, texts: list[str]) -> Vectors:
        """Encode tools."""
        return self.encode(texts)


@contextmanager
def serve(router: Router, provider: str, directory: Path, budget_ms: float = 400.0) -> Iterator[str]:
    """Serve the data plane with this core and an empty catalogue; give its base URL."""
    settings = Settings(upstream=UpstreamSettings(base_url=provider), select=SelectSettings(budget_ms=budget_ms))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Gateway]]:
        registry = await Registry.open(f"sqlite:///{directory / 'inside.db'}")
        telemetry = Telemetry()
        encoders = [embedder.encoder for embedder in router.embedders.values()]
        snapshots = Snapshots(registry, encoders, telemetry, 60.0)
        routing, upstream = Routing(router, settings), Upstream(settings.upstream)
        yield {"gateway": Gateway(settings, snapshots, routing, upstream, telemetry)}
        await upstream.aclose()
        routing.close()
        await registry.close()

    app = Starlette(routes=[Mount("", endpoints.answer)], lifespan=lifespan)
    with log_check.recording(), served.serve(app) as port:
        yield f"http://127.0.0.1:{port}/v1"
