"""A server whose deadlines are short, so that tests need not wait for them."""

from __future__ import annotations

import pytest

from tests.conftest import StartGateway
from tests.support.gateway import GatewayProcess

SHORT = {
    "SERVER__HEADER_TIMEOUT_S": "0.5",
    "SERVER__BODY_IDLE_S": "0.5",
    "SERVER__MIN_BODY_BYTES_PER_S": "1000",
    "SERVER__WRITE_IDLE_S": "1",
    "SERVER__KEEP_ALIVE_S": "1",
}


@pytest.fixture(scope="session")
def hasty_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with short deadlines and no tools."""
    return shared_gateway(**SHORT)
