"""Encoders, embedders and routers for the tests of the core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from router.embed.embedder import Embedder
from router.embed.use import EmbeddedEncoder
from router.pipeline import Router
from tests.unit.router.fakes import HashingEncoder


@pytest.fixture(scope="session")
def encoder() -> HashingEncoder:
    return HashingEncoder()


@pytest.fixture(scope="session")
def embedder(encoder: HashingEncoder) -> Iterator[Embedder]:
    made = Embedder(encoder)
    yield made
    made.close()


@pytest.fixture
def router(embedder: Embedder) -> Router:
    return Router(embedder)


@pytest.fixture(scope="session")
def embedded() -> EmbeddedEncoder:
    return EmbeddedEncoder()
