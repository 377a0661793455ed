"""The server with an embeddings endpoint: up, down, and up again."""

from __future__ import annotations

import json

import numpy as np
import pytest

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
