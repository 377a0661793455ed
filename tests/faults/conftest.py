"""The provider that misbehaves, and gateways in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.churn import PLACES
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import Chaos
from tests.conftest import StartGateway
from tests.support.gateway import GatewayProcess


@pytest.fixture(scope="session")
def running_chaos() -> Iterator[Chaos]:
    """The provider, for the whole session."""
    chaos = Chaos(SCENARIOS).start()
    yield chaos
    chaos.stop()


@pytest.fixture
def chaos(running_chaos: Chaos) -> Chaos:
    """The provider as if it were new."""
    running_chaos.reset()
    return running_chaos


@pytest.fixture(scope="session")
def gateway(shared_gateway: StartGateway, running_chaos: Chaos) -> GatewayProcess:
    """A server with ten connections, for which requests wait a moment only."""
    return shared_gateway(
        UPSTREAM__BASE_URL=running_chaos.base_url,
        UPSTREAM__MAX_CONNECTIONS=str(PLACES),
        UPSTREAM__POOL_TIMEOUT_S="0.3",
        LOG__LEVEL="debug",
    )


@pytest.fixture(scope="session")
def impatient_gateway(shared_gateway: StartGateway, running_chaos: Chaos) -> GatewayProcess:
    """A server that waits two seconds for the provider, at most."""
    return shared_gateway(
        UPSTREAM__BASE_URL=running_chaos.base_url,
        UPSTREAM__FIRST_BYTE_TIMEOUT_S="2",
        UPSTREAM__IDLE_TIMEOUT_S="2",
    )
