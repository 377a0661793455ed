"""A circuit breaker: what keeps failing is left alone for a while.

Closed: calls go through. After `failures` in a row it opens: calls are refused at once. After `cool_down_s` one call is
let through as a trial while the others are still refused; its outcome closes or opens it again.

Calls run beside each other, which the known libraries do not allow: they hold their lock while a call runs, and a
question would wait for a batch of tools.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Thread-safe. Ask `allows()`, then report `succeeded()` or `failed()`."""

    def __init__(self, failures: int, cool_down_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_trial_s = 0.0

    def allows(self) -> bool:
        """Whether a call may be made now. The first one after the cool-down is the trial."""
        with self._lock:
            if self._failures < self._most:
                return True
            now = self._clock()
            if now < self._next_trial_s:
                return False
            self._next_trial_s = now + self._cool_down_s
            return True

    def succeeded(self) -> None:
        """Report a call that went well."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Report a call that did not."""
        with self._lock:
            self._failures += 1
            self._next_trial_s = self._clock() + self._cool_down_s
