"""One server with an admin key for most of these tests; each test finds its catalogue empty."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.admin.asking import CALLER, KEY, clear, client_for
from tests.conftest import StartGateway
from tests.support.gateway import GatewayProcess


@pytest.fixture(scope="session")
def keyed_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with keys for operator and callers that offers read and write tools."""
    return shared_gateway(
        ADMIN__KEY=KEY,
        SAFETY__ALLOW='["read","write"]',
        UPSTREAM__CREDENTIALS="managed",
        UPSTREAM__API_KEY="sk-of-the-provider",
        CALLERS__KEYS=f'["{CALLER}"]',
        SELECT__BUDGET_MS="5000",  # what is tested here is the decision, not that it is made in time
    )


@pytest.fixture
def gateway(keyed_gateway: GatewayProcess) -> GatewayProcess:
    """That server with an empty catalogue."""
    clear(keyed_gateway)
    return keyed_gateway


@pytest.fixture(scope="session")
def open_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server without an admin key that takes admin bodies of 2,000 bytes."""
    return shared_gateway(ADMIN__MAX_BODY_BYTES="2000")


@pytest.fixture
def admin(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    """A client of the admin API that shows the key."""
    with client_for(gateway) as client:
        yield client
