"""Small counts of what `make soak` does besides: too much at once, and streams at which nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.chaos.server import Chaos
from tests.load import overload, streams
from tests.load.soak import SPARE, served
from tests.support.gateway import GatewayProcess

# Under load some requests go out as they came: that is what the budget is for.
pytestmark = pytest.mark.expects_fault("routing took too long", certain=False)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[GatewayProcess, Chaos]]:
    """A gateway that takes few requests at once."""
    with served(1, SERVER__MAX_REQUESTS=str(overload.PLACES), UPSTREAM__IDLE_TIMEOUT_S="60") as both:
        yield both


def test_d06_what_can_be_answered_is_answered_under_ten_times_as_much(running: tuple[GatewayProcess, Chaos]) -> None:
    """Everything is answered or refused with `retry-after`, places are used again, and afterwards all is well."""
    result = asyncio.run(overload.overload(running[0].port, seconds=4))
    assert result.others == []
    assert len(result.shed) > 0
    assert len(result.answered) > overload.PLACES  # how many more: make soak
    assert result.recovered_s < overload.RECOVERY_S


def test_d02_silent_streams_cost_little_and_arrive_whole(running: tuple[GatewayProcess, Chaos]) -> None:
    """Streams that fall silent stay open, cost a few kilobytes each, and leave nothing behind."""
    result = streams.idle(*running, overload.PLACES, quiet_s=1)
    assert result.whole == overload.PLACES
    assert max(abs(result.files), abs(result.tasks)) <= SPARE
