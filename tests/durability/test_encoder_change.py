"""An encoder that is exchanged for another, and a server that is killed in the middle of it."""

from __future__ import annotations

import json

import numpy as np

from tests.conftest import UNHURRIED, StartGateway
from tests.durability.conftest import mode, wait_for
from tests.support import tools
from tests.support.upstream import Answer, Request, Upstream, completes, json_answer

WIDTH = 16


class Embeddings:
    """A provider of embeddings by several models, each with as many answers left as it is given."""

    def __init__(self) -> None:
        self.left = {"old": 10_000, "new": 0}
        self.asked = 0

    def __call__(self, request: Request) -> Answer:
        """Answer as a provider of chat and of embeddings."""
        if not request.target.endswith("/embeddings"):
            return completes(request)
        body = request.json()
        self.asked += body["model"] == "new"
        if self.left[body["model"]] <= 0:
            return Answer(503)
        self.left[body["model"]] -= 1
        rows = [
            np.random.default_rng([*text.encode(), len(body["model"])]).normal(size=WIDTH) for text in body["input"]
        ]
        return json_answer({"data": [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]})


def encoder(upstream: Upstream, model: str) -> str:
    """Write the setting."""
    return json.dumps({"kind": "endpoint", "base_url": upstream.base_url, "model": model, "dimension": WIDTH})


def test_durability_c11_a_change_of_encoder_outlives_a_kill(start_gateway: StartGateway, upstream: Upstream) -> None:
    """Until all tools have vectors of the new one, those of the old serve, whole; killed amid it, it goes on later."""
    embeddings = Embeddings()
    upstream.respond_by(embeddings)
    first = start_gateway(ENCODER=encoder(upstream, "old"), **UNHURRIED)
    first.register([tools.record(tool) for tool in tools.distinct(200)])
    first.stop()
    embeddings.left["new"] = 3  # some of two hundred tools
    settings = {
        "REGISTRY__URL": f"sqlite:///{first.directory / 'registry.db'}",
        "ENCODER": encoder(upstream, "new"),
        **UNHURRIED,
    }
    second = start_gateway(**settings)
    wait_for(lambda: embeddings.left["new"] == 0 and embeddings.asked > 4)
    assert 0 < second.admin("GET", "/readyz").json()["pending"] <= 200
    assert mode(second, "list the invoices") == "hybrid"
    second.process.kill()
    second.process.wait()
    third = start_gateway(**settings)
    assert mode(third, "list the invoices") == "hybrid"
    assert "the encoder was changed" not in third.log
    embeddings.left["new"] = 10_000
    wait_for(lambda: "the encoder was changed" in third.log, 60)
    assert third.admin("GET", "/readyz").json()["pending"] == 0
    assert mode(third, "list the invoices") == "hybrid"
