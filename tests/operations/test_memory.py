"""What requests make the gateway hold has bounds in bytes."""

from __future__ import annotations

from tests.cli.command import wait_until
from tests.conftest import StartGateway
from tests.operations.test_metrics import series
from tests.support import tools
from tests.support.gateway import GatewayProcess

CACHE_BYTES = 8 * 2**20


def cached(gateway: GatewayProcess) -> dict[str, float]:
    """Give what each cache holds, in bytes."""
    found = series(gateway).items()
    return {dict(labels)["cache"]: value for (name, labels), value in found if name == "toolfunnel_cache_bytes"}


def test_d12_what_is_remembered_stays_within_its_bytes(start_gateway: StartGateway) -> None:
    """New lists, conversations and tags push out those before them: what is held grows to its bound and not beyond."""
    gateway = start_gateway(SERVER__CACHE_BYTES=str(CACHE_BYTES))
    typed = [{"type": f"kind_{number}"} for number in range(60)]
    for number in range(120):
        own = [tools.function(f"tool_{number}_{i}", f"Does thing {number} {i}.") for i in range(20)]
        gateway.post(tools.chat(f"question {number}", tools=[*own, *typed]), x_toolfunnel_tags=f"a{number},b{number}")
    share = CACHE_BYTES * 5 // 24
    wait_until(lambda: cached(gateway).get("lists", 0.0) > share / 2, 5)
    held = cached(gateway)
    assert held["lists"] <= share
    assert held["conversations"] > 0
    assert sum(held.values()) <= CACHE_BYTES
