"""The circuit breaker, with a clock of its own."""

from __future__ import annotations

import pytest

from app.encoders.breaker import Breaker


class Clock:
    """A clock that stands still until it is told to go on."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=2, cool_down_s=10, clock=clock)


def open_it(breaker: Breaker) -> None:
    """Let it fail twice."""
    breaker.failed()
    breaker.failed()
    assert not breaker.allows()


def test_breaker_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    """A success between two failures keeps it closed."""
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()


def test_breaker_lets_one_trial_through_after_the_cool_down(breaker: Breaker, clock: Clock) -> None:
    """Half-open, it allows one call; the others are still refused."""
    open_it(breaker)
    clock.now_s += 9.9
    assert not breaker.allows()
    clock.now_s += 0.1
    assert [breaker.allows(), breaker.allows()] == [True, False]


def test_breaker_closes_when_the_trial_succeeds(breaker: Breaker, clock: Clock) -> None:
    """Then it takes two failures again to open it."""
    open_it(breaker)
    clock.now_s += 10
    assert breaker.allows()
    breaker.succeeded()
    breaker.failed()
    assert [breaker.allows(), breaker.allows()] == [True, True]


def test_breaker_opens_again_when_the_trial_fails(breaker: Breaker, clock: Clock) -> None:
    """One failure is enough, and the cool-down begins anew."""
    open_it(breaker)
    clock.now_s += 15
    assert breaker.allows()
    clock.now_s += 5
    breaker.failed()
    clock.now_s += 9.9
    assert not breaker.allows()
    clock.now_s += 0.1
    assert breaker.allows()


def test_breaker_gives_another_trial_when_one_is_never_reported(breaker: Breaker, clock: Clock) -> None:
    """A trial that was lost does not keep it open for good."""
    open_it(breaker)
    clock.now_s += 10
    assert breaker.allows()
    clock.now_s += 10
    assert breaker.allows()
