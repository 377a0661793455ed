"""Fixtures: the gateway with the sample catalogue, and the applications that use it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.clients.applications import ROOT, Applications
from tests.conftest import StartGateway
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def catalogue() -> frozenset[str]:
    """The names of the sample catalogue's tools."""
    return frozenset(record["tool"]["function"]["name"] for record in _records())


@pytest.fixture(scope="session")
def sample_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with the sample catalogue, as it is out of the box."""
    gateway = shared_gateway(SAFETY__ALLOW='["read", "write"]')
    gateway.register(_records())
    return gateway


@pytest.fixture(scope="session")
def applications(
    sample_gateway: GatewayProcess, running_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Applications:
    """The scripts, each run once a session."""
    tools = [record["tool"]["function"] for record in _records()]
    return Applications(sample_gateway, running_upstream, tmp_path_factory.mktemp("applications"), catalogue=tools)


@pytest.fixture(scope="session")
def alone(
    bare_gateway: GatewayProcess, running_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Applications:
    """The stranger's agents in front of a gateway without a catalogue."""
    return Applications(bare_gateway, running_upstream, tmp_path_factory.mktemp("alone"), ["stranger"])


def _records() -> list[dict[str, Any]]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = sorted((ROOT / "examples/catalog").glob("*.yaml"))
    return [record for file in files for record in yaml.load(file.read_text(encoding="utf-8"), loader)]
