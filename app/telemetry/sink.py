"""Standard error as a pipe that need not be read: what nobody takes is lost, so that no request waits for it.

By itself a process stands still as soon as a pipe is full, for as long as its reader does.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TextIO

_ATOMIC_BYTES = 4096  # of a pipe: so much is written whole or not at all


class Sink(io.TextIOBase):
    """Writes to a pipe what there is room for. `lost`: lines that were not written, or not to their end."""

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._line = ""
        self._torn = False
        self.lost = 0

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._descriptor

    def writable(self) -> bool:
        """Tell that it is."""
        return True

    def write(self, text: str) -> int:
        """Write what ends with a line's end, or lose it; keep a beginning until its end comes."""
        self._line += text
        if text.endswith("\n"):
            line, self._line = self._line, ""
            self._write(b"\n" * self._torn + line.encode("utf-8", "backslashreplace"))
        return len(text)

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), _ATOMIC_BYTES):
            if not self._written(data[start : start + _ATOMIC_BYTES]):
                self.lost += 1
                self._torn = self._torn or start > 0
                return
        self._torn = False

    def _written(self, piece: bytes) -> bool:
        try:
            return os.write(self._descriptor, piece) == len(piece)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EPIPE):
                return False
            raise


def unblocked(stream: TextIO) -> TextIO:
    """Give a stream that never waits where this one is a pipe; else the same.

    The pipe is opened anew: other processes that have it keep it as it is.
    """
    try:
        descriptor = stream.fileno()
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return stream
        return Sink(os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))  # type: ignore[return-value]
    except (OSError, ValueError):  # no /proc, or no descriptor
        return stream
