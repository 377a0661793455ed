"""A small soak in every run: `make soak` has the full counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.server import Chaos
from tests.load import mix
from tests.load.soak import served, soak
from tests.support.gateway import GatewayProcess

# Under load some requests go out as they came: that is what the budget is for.
pytestmark = pytest.mark.expects_fault("routing took too long", certain=False)

Served = tuple[GatewayProcess, Chaos]


@pytest.fixture(scope="module", params=[1, 2])
def running(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A gateway of one process, and of two."""
    with served(request.param) as both:
        yield both


@pytest.mark.parametrize("groups", [mix.ALL, ((mix.FAILED, 1.0),)], ids=["mixed", "errors"])
def test_d03_d04_d08_load_leaves_nothing_behind(running: Served, groups: mix.Groups) -> None:
    """Answers, errors and disconnects, or errors alone: as much memory, as many files and tasks as before."""
    gateway, chaos = running
    result = soak(gateway, chaos, count=300, warm_up=300, novel=0, groups=groups)
    assert result.faults == []
