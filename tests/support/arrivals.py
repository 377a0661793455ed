"""Requests as they came over the wire, and the wait for them: what every provider of the tests records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_PATIENCE_S = 20.0
_STEP_S = 0.002


@dataclass
class Arrival:
    """One request. `closed_at`: when the peer closed the connection it came on; times are monotonic."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    arrived_at: float
    closed_at: float | None = None

    def values(self, name: str) -> list[str]:
        """Give every value of a header, in order."""
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def wait_closed(self, seconds: float = _PATIENCE_S) -> float:
        """Wait for the peer to close the connection; give the time of that.

        Raises:
            AssertionError: It stays open.
        """
        deadline = time.monotonic() + seconds
        while self.closed_at is None:
            assert time.monotonic() < deadline, "the connection is still open"
            time.sleep(_STEP_S)
        return self.closed_at


Came = TypeVar("Came", bound=Arrival)


def wait_for(came: Sequence[Came], count: int, seconds: float = _PATIENCE_S) -> Sequence[Came]:
    """Wait until so many requests have come, in another thread.

    Raises:
        AssertionError: They do not come.
    """
    deadline = time.monotonic() + seconds
    while len(came) < count:
        assert time.monotonic() < deadline, f"{len(came)} of {count} requests came"
        time.sleep(_STEP_S)
    return came
