"""The process of the `toolfunnel` command, from its first moment to its last. Owns what the signals that end it do.

Laws: Ctrl-C, SIGTERM and SIGHUP unwind what runs, at any moment, so that it takes with it what it started; the exit
code is 130 unless the command says another; nobody sees a traceback for it. What is imported here is imported before
that holds: the rest of the gateway, which takes a second, is not.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: It has ended, with this exit code.
    """
    try:
        _unwind_on_signals()
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    _end_on_signals(code)
    # An interrupt that comes inside of exec(), as in the making of a data class, is marked as nobody's, and Python then
    # ends a process that began with -m by the signal, whatever became of the interrupt. Another exec() takes it back.
    exec("")  # noqa: S102 - nothing is executed
    sys.exit(code)


def _run() -> int:
    from app import cli  # noqa: PLC0415 - only now is an interrupt in it taken

    try:
        cli.main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    return 0


def _unwind_on_signals() -> None:
    """Let each raise KeyboardInterrupt, but those that whoever started this wants ignored, as nohup does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _as_ctrl_c)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does at the moment: an event loop ends its tasks first."""
    now = signal.getsignal(signal.SIGINT)
    (now if callable(now) else signal.default_int_handler)(number, frame)


def _end_on_signals(code: int) -> None:
    """Let them end it at once: all is done and written, Python is only clearing up."""

    def end(_: int, __: FrameType | None) -> None:
        os._exit(code)

    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


if __name__ == "__main__":
    main()
