"""How many bytes of request bodies are held at once, of all requests together.

Laws. The first 256 KiB of a body always find room: large ones keep nobody else's request out. What a request took it
gives back when its body has been sent, or at its end, also where a thread still unpacks it: that takes nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Overloaded

FREE_BYTES = 256 * 2**10


class Bodies:
    """Counts the bytes beyond the first of each body. Thread-safe."""

    def __init__(self) -> None:
        self.held_bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def held(self, most_bytes: int) -> Iterator[HeldBody]:
        """Hold a body while `most_bytes` of all together are not exceeded."""
        body = HeldBody(self, self._lock, most_bytes)
        try:
            yield body
        finally:
            body.release()


class HeldBody:
    """What one request holds."""

    def __init__(self, bodies: Bodies, lock: threading.Lock, most_bytes: int) -> None:
        self._bodies = bodies
        self._lock = lock
        self._most_bytes = most_bytes
        self._size = self._taken = 0
        self._released = False

    def grow(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            Overloaded: There is no room for them, or nobody waits for the body any more.
        """
        self._size += size
        if self._size <= FREE_BYTES:
            return
        with self._lock:
            more = self._size - FREE_BYTES - self._taken
            if self._released or self._bodies.held_bytes + more > self._most_bytes:
                raise Overloaded(
                    f"The gateway holds {self._most_bytes} bytes of large requests, as many as it takes. "
                    "Try again in a moment."
                )
            self._taken += more
            self._bodies.held_bytes += more

    def release(self) -> None:
        """Give back what was taken."""
        with self._lock:
            self._bodies.held_bytes -= self._taken
            self._taken, self._released = 0, True
