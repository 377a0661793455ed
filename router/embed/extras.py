"""What an encoder needs beyond a plain installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from router.errors import EncoderError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import what `toolfunnel[extra]` brings.

    Raises:
        EncoderError: It is not installed; the message says how to.
    """
    try:
        yield
    except ImportError as error:
        raise EncoderError(f"packages are missing ({error}): pip install 'toolfunnel[{extra}]'") from error
