"""What requests make the gateway hold has bounds in bytes."""

from __future__ import annotations

import gzip

from tests.cli.command import wait_until
from tests.conftest import StartGateway
from tests.operations.test_metrics import figure, series
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient

CACHE_BYTES = 8 * 2**20
LARGE = 2**20


def cached(gateway: GatewayProcess) -> dict[str, float]:
    """Give what each cache holds, in bytes."""
    found = series(gateway).items()
    return {dict(labels)["cache"]: value for (name, labels), value in found if name == "toolfunnel_cache_bytes"}


def test_d12_what_is_remembered_stays_within_its_bytes(start_gateway: StartGateway) -> None:
    """New lists, conversations and tags push out those before them: what is held grows to its bound and not beyond."""
    gateway = start_gateway(SERVER__CACHE_BYTES=str(CACHE_BYTES), SELECT__BUDGET_MS="2000")
    for number in range(60):
        own = [{"type": f"kind_{number}_{i}"} for i in range(160)]
        gateway.post(tools.chat(f"question {number}", tools=own), x_toolfunnel_tags=f"a{number},b{number}")
    share = CACHE_BYTES * 5 // 25
    wait_until(lambda: cached(gateway).get("lists", 0.0) > share / 2, 5)
    held = cached(gateway)
    assert held["lists"] <= share
    assert held["conversations"] > 0
    assert sum(held.values()) <= CACHE_BYTES


def test_d13_large_bodies_have_room_together_and_small_ones_always(start_gateway: StartGateway) -> None:
    """While one is half sent there is no room for another, nor for what a packed one unpacks to; then there is."""
    gateway = start_gateway(SERVER__MAX_BODY_BYTES=str(LARGE), SERVER__MAX_BODIES_BYTES=str(LARGE))
    large = tools.chat("x" * (LARGE - 2_000))
    packed = gzip.compress(tools.encoded(large))
    with RawClient(gateway.port) as client:
        client.send(sockets.request(tools.encoded(large)[:-1], length=LARGE - 100))
        wait_until(lambda: figure(gateway, "body_bytes") > LARGE / 2, 10)
        refused = [gateway.post(large), gateway.post(packed, content_encoding="gzip")]
        assert [answer.status_code for answer in refused] == [503, 503]
        assert [answer.json()["error"]["code"] for answer in refused] == ["overloaded", "overloaded"]
        assert [answer.headers["retry-after"] for answer in refused] == ["1", "1"]
        assert gateway.post(tools.chat("x" * 200_000)).status_code == 200
    wait_until(lambda: figure(gateway, "body_bytes") == 0, 10)
    assert gateway.post(large).status_code == 200
