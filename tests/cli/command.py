"""The real command in a directory of its own, with nothing of ours in its environment but what a test says."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import sqlite3
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.support import processes
from tests.support.gateway import environment
from tests.support.log_check import LOGS
from tests.support.processes import COMMAND, Process

TRACEBACK = "Traceback (most recent call last)"
_LIMIT_S = 110.0
_STEP_S = 0.05
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Done:
    """What a command wrote and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Give its output as a JSON value."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Place:
    """A working directory and the settings for every command in it (`SERVER__PORT="9000"`)."""

    path: Path
    settings: dict[str, str]

    @property
    def database(self) -> Path:
        """Where its registry is unless told otherwise."""
        return self.path / "data" / "toolfunnel.db"

    def run(self, *arguments: str, variables: dict[str, str] | None = None, limit_s: float = _LIMIT_S) -> Done:
        """Run a command to its end."""
        env = environment(self.settings) | (variables or {})
        with TemporaryFile() as out, TemporaryFile() as err:
            process = processes.start(arguments, cwd=self.path, env=env, stdout=out.fileno(), stderr=err.fileno())
            try:
                code = process.wait(limit_s)
            finally:
                process.kill()
            result = Done(code, _content(out), _content(err))
        LOGS.add(result.err)
        return result

    def shell(self, script: str) -> Done:
        """Run a line of bash; `toolfunnel` is the command."""
        command, descriptors = processes.for_shell()
        text = f'toolfunnel() {{ {shlex.join(command)} "$@"; }}\n{script}'
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.path,
            env=environment(self.settings),
            pass_fds=descriptors,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        LOGS.add(done.stderr)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> Process:
        """Start a command; what it writes goes to the files `out` and `err`."""
        LOGS.begin(self.path / "err")
        env = environment(self.settings)
        with (self.path / "out").open("wb") as out, (self.path / "err").open("wb") as err:
            return processes.start(arguments, cwd=self.path, env=env, stdout=out.fileno(), stderr=err.fileno())

    def written(self, stream: str = "err") -> str:
        """Give what the command that was started has written so far."""
        return (self.path / stream).read_text(encoding="utf-8")

    def in_terminal(self, columns: int, *arguments: str) -> Done:
        """Run a command in a terminal of this width; what it shows, without colours, is in `out`."""
        control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.path,
            env=environment(self.settings) | {"TERM": "xterm"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = _STYLE.sub("", _read_all(control).decode()).replace("\r\n", "\n")
        LOGS.add(shown)
        return Done(process.wait(_LIMIT_S), shown, "")

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file into the directory; give its name."""
        (self.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def count(self, table: str) -> int:
        """Count the rows of a table of the registry; 0 where there is none yet."""
        if not self.database.exists():
            return 0
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            try:
                return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            except sqlite3.OperationalError:
                return 0


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> float:
    """Wait for something; give how long it took.

    Raises:
        AssertionError: It does not come.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds
        time.sleep(_STEP_S)
    return time.monotonic() - began


def catalogue(tools: Sequence[object]) -> str:
    """Write a catalogue file."""
    return json.dumps(tools, ensure_ascii=False)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _read_all(descriptor: int) -> bytes:
    pieces = []
    try:
        while piece := os.read(descriptor, 65_536):
            pieces.append(piece)
    except OSError:  # Linux says it so when the other end is closed
        pass
    os.close(descriptor)
    return b"".join(pieces)
