"""A provider whose name cannot be looked up, or only slowly, or that moves: A16 of docs/reliability.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.asking import question
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import Chaos
from tests.support import sockets
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient

NAME = "provider.test"
FOLDER = Path(__file__).parent / "names"
OK = question("ok")
Point = Callable[..., None]


@pytest.fixture
def point(tmp_path: Path) -> Point:
    """Say what the provider's name resolves to."""

    def say(**known: object) -> None:
        (tmp_path / "names.json").write_text(json.dumps({NAME: known}), encoding="utf-8")

    say()
    return say


@pytest.fixture
def provider() -> Iterator[Chaos]:
    """A provider that a test may end."""
    chaos = Chaos(SCENARIOS).start()
    yield chaos
    chaos.stop()


@pytest.fixture
def gateway(point: Point, provider: Chaos, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A server whose provider has a name."""
    settings = {"UPSTREAM__BASE_URL": f"http://{NAME}:{provider.port}/v1", "UPSTREAM__CONNECT_TIMEOUT_S": "2"}
    path = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])
    names = str(tmp_path / "names.json")
    running = GatewayProcess.start(tmp_path / "gateway", settings, PYTHONPATH=path, NAMES=names)
    yield running
    running.stop()


def test_a16_a_name_that_is_not_found_in_time_is_an_error_and_holds_up_nobody(
    gateway: GatewayProcess, point: Point
) -> None:
    """Unknown: 502. Slow: 504 at the limit for connections, and meanwhile others are served. Back again: 200."""
    answer = gateway.post(OK)
    assert (answer.status_code, NAME in answer.text) == (502, False)
    point(address="127.0.0.1", delay_s=4)
    with RawClient(gateway.port) as other, ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(gateway.post, OK) for _ in range(8)]
        other.send(sockets.request(method="GET", target="/healthz"))
        assert other.answer()[0] == 200
        assert not any(asked.done() for asked in slow)
        assert {asked.result().status_code for asked in slow} == {504}
    point(address="127.0.0.1")
    assert until_answered(gateway) == 200


def test_a16_a_provider_that_moves_is_followed(gateway: GatewayProcess, provider: Chaos, point: Point) -> None:
    """When nobody answers at the old address any more, the name is looked up anew for the very next request."""
    point(address="127.0.0.1")
    assert gateway.post(OK).status_code == 200
    moved = Chaos(SCENARIOS, host="127.0.0.2", port=provider.port).start()
    provider.stop()
    point(address=moved.host)
    try:
        assert [gateway.post(OK).status_code for _ in range(3)] == [502, 200, 200]
        assert len(moved.records) == 2
    finally:
        moved.stop()


def until_answered(gateway: GatewayProcess) -> int:
    """Ask until the answer is another than 504; lookups under way are shared, the slow one ends first."""
    answers = (gateway.post(OK).status_code for _ in range(10))
    return next((status for status in answers if status != 504), 504)
