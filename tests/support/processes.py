"""Starts the command `toolfunnel` as a process of its own: forked from one that has imported it, or a new interpreter.

Both give a `Process` that can be waited for and ended as a `subprocess.Popen` can.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

PREFIX = "TOOLFUNNEL_"
COMMAND = str(Path(sys.executable).with_name("toolfunnel"))
_ROOT = Path(__file__).parents[2]
# Settings, the test that runs, and what torch and its libraries set in any process that imports them.
_INDIFFERENT = (PREFIX, "PYTEST_", "KMP_", "TORCHINDUCTOR_", "COLUMNS")
_CAN_FORK = sys.platform == "linux"


class Process(Protocol):
    """A process that was started."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Return how it ended, minus the signal that ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return how."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it by force."""


def start(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    new_interpreter: bool = False,
) -> Process:
    """Start `toolfunnel` with these arguments and descriptors; without `stdin` there is nothing to read.

    A new interpreter takes it where one is wanted, where several processes will serve, where a stream is a terminal,
    and where the environment differs in more than the gateway's settings.
    """
    with Path(os.devnull).open("rb") as nothing:
        streams = [nothing.fileno() if stdin is None else stdin, stdout, stderr]
        alike = _surroundings(env) == _OURS and not any(map(os.isatty, streams))
        if _CAN_FORK and alike and "--workers" not in arguments and not new_interpreter:
            return _fork_server().start([COMMAND, *arguments], cwd, env, streams)
        return subprocess.Popen([COMMAND, *arguments], cwd=cwd, env=env, stdin=streams[0], stdout=stdout, stderr=stderr)


def for_shell() -> tuple[list[str], list[int]]:
    """Return what a shell types in place of `toolfunnel`, and the descriptors that it has to inherit for that.

    What the shell sets before must not be what Python reads when it starts: the locale, or PYTHON….
    """
    if not _CAN_FORK:
        return [COMMAND], []
    control = _fork_server().control
    return [sys.executable, "-ISB", str(Path(__file__).with_name("fork_client.py")), str(control), COMMAND], [control]


def _surroundings(env: Mapping[str, str]) -> dict[str, str]:
    """Return what of an environment decides how Python starts."""
    return {name: value for name, value in env.items() if not name.upper().startswith(_INDIFFERENT)}


_OURS = _surroundings(os.environ)


class _Forked:
    """A process that the fork server started; the server writes to the pipe `told` how it ended."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._told, select.POLLIN)
            if not waiting.poll(None if timeout is None else 1000 * timeout):
                raise subprocess.TimeoutExpired(COMMAND, timeout or 0)
            self.returncode = _read_number(self._told)
            os.close(self._told)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _ForkServer:
    """`tests.support.fork_server` as a process; it ends with this one, which holds the other end of its socket."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
                cwd=_ROOT,
                env=_OURS,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.end)

    @property
    def control(self) -> int:
        """The descriptor of the socket that takes commands."""
        return self._control.fileno()

    def end(self) -> None:
        """Let it end; what it started runs on."""
        self._control.close()
        self._process.wait()

    def start(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]) -> Process:
        """Let it run a command."""
        told, telling = os.pipe()
        try:
            job = {"arguments": list(arguments), "directory": str(cwd.absolute()), "environment": dict(env)}
            socket.send_fds(self._control, [json.dumps(job).encode()], [*streams, telling])
        finally:
            os.close(telling)
        return _Forked(_read_number(told), told)


@functools.cache
def _fork_server() -> _ForkServer:
    return _ForkServer()


def _read_number(descriptor: int) -> int:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 1)
        assert piece, "the fork server ended"
        line += piece
    return int(line)
