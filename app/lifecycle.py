"""The life of a serving process: what its signals do.

SIGTERM and Ctrl-C: no new connection is taken, running answers get `server.shutdown_grace_s` to finish, then they are
broken off without an end; exit code 0. A second one ends at once, with 143. SIGHUP: the configuration is read again.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING

import structlog
from prometheus_client.multiprocess import mark_process_dead
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.errors import ConfigurationError, GatewayError
from app.settings import Configuration, read
from app.settings.change import follow

if TYPE_CHECKING:  # the web framework takes half a second
    from app.reload import Reload

ENDED_AT_ONCE = 128 + signal.SIGTERM
_ENDING = (signal.SIGTERM, signal.SIGINT)
_STEP_S = 0.05

_log = structlog.get_logger()


def ignore_hangup() -> None:
    """Let SIGHUP pass by until there is something that can be configured anew; by default it ends a process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def obey_signals(reload: Reload) -> None:
    """Set what signals do from when the server has started; it has set its own by then."""
    ending = _Ending()
    for number in _ENDING:
        signal.signal(number, ending)
    if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
        reload.spread = partial(os.kill, parent.pid, signal.SIGHUP)
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    def again() -> None:
        if _terminal_is_gone():
            signal.raise_signal(signal.SIGTERM)
            return
        task = loop.create_task(_reload(reload))
        running.add(task)
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, again)


async def _reload(reload: Reload) -> None:
    with suppress(GatewayError):  # it is in the log
        await reload()


class _Ending:
    """Hands the first signal to the server and ends the process at the second, whichever of the two it is."""

    def __init__(self) -> None:
        self._handlers = {number: signal.getsignal(number) for number in _ENDING}
        self._loop = asyncio.get_running_loop()
        self._told = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._told:
            _end_at_once()
        self._told = True
        handler = self._handlers[signal.Signals(number)]
        for listening in getattr(getattr(handler, "__self__", None), "servers", ()):
            self._loop.call_soon_threadsafe(listening.close)  # uvicorn itself looks ten times a second
        if callable(handler):
            handler(number, frame)


def _end_at_once() -> None:
    """End without finishing anything: the kernel breaks the connections off."""
    _log.warning("ended at once; answers under way were broken off")
    sys.stderr.flush()
    os._exit(ENDED_AT_ONCE)


def _terminal_is_gone() -> bool:
    """Tell whether this process was started from a terminal that has been closed: then it ends with it."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) < 0
    except OSError:
        return True


class Workers(Multiprocess):
    """Several processes on one port. Hands signals on; the processes do what they say."""

    ended_at_once = False

    def __init__(
        self,
        config: Config,
        sockets: list[socket],
        configuration: Configuration,
        make: Callable[[Configuration], ASGIApp],
    ) -> None:
        super().__init__(config, sockets)
        self._make = make
        self._put_in_force(configuration)

    def run(self) -> None:
        """Serve until a signal comes and all processes have ended."""
        self.init_processes()
        while not self.should_exit.wait(_STEP_S):
            self.handle_signals()
            self.keep_subprocess_alive()
        for sock in self.sockets:
            sock.close()  # while one is open, new connections are taken that nobody serves
        self.terminate_all()
        while any(process.process.is_alive() for process in self.processes):
            if self.signal_queue:
                self.signal_queue.clear()
                self.ended_at_once = True
                self._tell(signal.SIGTERM)
            for process in self.processes:
                process.process.join(_STEP_S / len(self.processes))

    def keep_subprocess_alive(self) -> None:
        """Replace processes that died. A new one begins with what is in force here, whatever is in the file by then."""
        timeout = self.config.timeout_worker_healthcheck
        for place, old in enumerate(self.processes):
            if old.is_alive(timeout):
                continue
            old.kill()
            old.join()
            if old.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            mark_process_dead(old.pid)  # type: ignore[no-untyped-call]  # what was under way in it is no more
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def handle_hup(self) -> None:
        """Let every process read the configuration again. They say what comes of it."""
        with suppress(ConfigurationError):
            self._put_in_force(follow(self._configuration, read())[0])
        self._tell(signal.SIGHUP)

    @property
    def failed(self) -> bool:
        """Whether one did not start, which ends all."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def _put_in_force(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.config.app = partial(self._make, configuration)

    def _tell(self, number: signal.Signals) -> None:
        for process in self.processes:
            if process.pid is not None and process.process.is_alive():
                os.kill(process.pid, number)
