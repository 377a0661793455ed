"""Servers on one registry, and what clients ask them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.postgres import Postgres


@pytest.fixture
def mortal() -> Iterator[Postgres]:
    """A PostgreSQL server that may be stopped and killed."""
    server = Postgres.started()
    yield server
    server.close()


def sent(gateway: GatewayProcess, question: str) -> list[str]:
    """Give the tools that a question would be sent with."""
    names: list[str] = gateway.admin("POST", "/admin/route", json=tools.chat(question)).json()["sent"]
    return names


def mode(gateway: GatewayProcess, question: str) -> str:
    """Tell by which channels a question is routed."""
    found: str = gateway.admin("POST", "/admin/route", json=tools.chat(question)).json()["mode"]
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> float:
    """Wait until something is so; give how long that took.

    Raises:
        AssertionError: The time is over.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds
        time.sleep(0.01)
    return time.monotonic() - began
