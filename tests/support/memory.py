"""How much memory a piece of work takes, counted by Python itself: the same on every machine."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


class Traced:
    """Bytes on top of what there was: `most` at any time, `kept` at the end."""

    most = kept = 0


@contextmanager
def traced() -> Iterator[Traced]:
    """Count what is allocated within the block; the figures are there after it."""
    found = Traced()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield found
        after, most = tracemalloc.get_traced_memory()
        found.kept, found.most = after - before, most - before
    finally:
        tracemalloc.stop()
