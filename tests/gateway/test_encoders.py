"""The server with an embeddings endpoint: up, down, and up again."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from app import main
from app.encoders.readers import examine_later
from app.settings import RegistrySettings, Settings
from app.settings.encoders import EndpointSpec
from router.embed.profile import UNKNOWN
from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import free_port
from tests.support.upstream import Answer, Request, Upstream, completes, json_answer

WIDTH = 16


def both(request: Request) -> Answer:
    """Answer as a provider of chat and of embeddings."""
    if not request.target.endswith("/embeddings"):
        return completes(request)
    rows = [np.random.default_rng(list(text.encode())).normal(size=WIDTH) for text in request.json()["input"]]
    return json_answer({"data": [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]})


def encoder(base_url: str) -> str:
    """Write the setting."""
    return json.dumps({"kind": "endpoint", "base_url": base_url, "model": "m", "dimension": WIDTH, "timeout_s": 2})


@pytest.mark.parametrize("up", [True, False])
def test_endpoint_encoder_is_used_and_can_be_down(start_gateway: StartGateway, upstream: Upstream, up: bool) -> None:
    """The server starts and trims a client's list in either case, by meaning or by words."""
    upstream.respond_by(both)
    base_url = upstream.base_url if up else f"http://127.0.0.1:{free_port()}/v1"
    gateway = start_gateway(ENCODER=encoder(base_url), SELECT__BUDGET_MS="3000")
    answer = gateway.post(tools.chat("list the invoices", tools.distinct(40)))
    sent = next(request for request in upstream.requests if request.target.endswith("/chat/completions"))
    assert answer.status_code == 200
    assert 0 < len(sent.tool_names) < 40
    assert any(request.target.endswith("/embeddings") for request in upstream.requests) is up


async def test_endpoint_encoder_is_examined_when_it_answers(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it reads is learned when it comes up, in another version of the catalogue; its connections end with us."""
    monkeypatch.setattr(main, "examine_later", partial(examine_later, every_s=0.05))
    upstream.respond_by(lambda _: Answer(400))
    spec = EndpointSpec(kind="endpoint", base_url=upstream.base_url, model="m", dimension=WIDTH)
    settings = Settings(encoder=(spec,), registry=RegistrySettings(url=f"sqlite:///{tmp_path}/a.db"))
    async with main._running(settings) as state:
        gateway = state["gateway"]
        (embedder,) = gateway.routing.router.embedders.values()
        before = gateway.snapshots.catalog.version
        assert embedder.profile is UNKNOWN
        upstream.respond_by(both)
        async with asyncio.timeout(20):
            while gateway.snapshots.catalog.version == before:  # noqa: ASYNC110 - told by no event
                await asyncio.sleep(0.01)
        assert embedder.profile is not UNKNOWN
    with pytest.raises(RuntimeError, match="closed"):
        embedder.encoder.encode_query(["text"])
