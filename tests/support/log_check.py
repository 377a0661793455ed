"""Faults in the logs of servers: nothing may go wrong in one that the test which used it did not announce.

tests/conftest.py asks after each test, so that no test can forget to. A fault is a line at level error or critical, in
either form of the log; what an interpreter says on its own (a traceback, an exception that nobody took); and routing
that took too long, since the request went out as it came, and whatever a test says about it holds for a wrong reason.

A test that means a fault to happen announces it, and the fault has to come:
`@pytest.mark.expects_fault("routing failed")`, or with `certain=False` where it may.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from structlog.typing import EventDict, WrappedLogger

from app.telemetry.redact import explain_error

_PATIENCE_S = 10.0
_STEP_S = 0.02
_SHOWN = 5
_LATE = "routing took too long"
_BEGINS = re.compile(r"\{|\d{4}-\d\d-\d\dT\S+ [a-z]+ ")
_FAULT = re.compile(
    r"""\{.*"level":"(?:error|critical)"
    | \d{4}-\d\d-\d\dT\S+\ (?:error|critical)\s
    | \d{4}-\d\d-\d\d\ \S+\ \[(?:error|critical)\s*\]
    | Traceback\ \(most\ recent\ call\ last\)
    | (?:Exception\ ignored|Fatal\ Python\ error|Unhandled\ exception|Task\ exception\ was\ never)
    | .*(?:Runtime|Resource)Warning:
    """,
    re.VERBOSE,
)


def faults(text: str) -> list[str]:
    """Return the faults in a log, each with the lines that belong to it."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        if _FAULT.match(line) or _LATE in line:
            found.append(line)
            inside = True
        elif _BEGINS.match(line):
            inside = False
        elif inside:
            found[-1] += f"\n{line}"
    return found


class Logs:
    """The logs of all servers that run or have run, and how far each has been read."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}
        self._told: list[str] = []

    def begin(self, path: Path) -> None:
        """Watch a file that is about to be written from its beginning."""
        path = path.resolve()
        self._told += self._faults_of(path)
        self._read[path] = 0

    def watch(self, path: Path) -> None:
        """Watch a file, from its beginning unless it is watched already."""
        self._read.setdefault(path.resolve(), 0)

    def end(self, path: Path) -> None:
        """Read a file to its end, and watch it no longer."""
        path = path.resolve()
        self._told += self._faults_of(path)
        self._read.pop(path, None)

    def add(self, text: str) -> None:
        """Take what a command wrote, or an application in this process."""
        self._told += faults(text)

    def take(self) -> list[str]:
        """Return the faults since this was last called."""
        told, self._told = self._told, []
        return told + [fault for path in list(self._read) for fault in self._faults_of(path)]

    def _faults_of(self, path: Path) -> list[str]:
        if not path.exists():
            self._read.pop(path, None)
            return []
        begin = self._read.get(path)
        if begin is None or path.stat().st_size <= begin:
            return []
        with path.open("rb") as file:
            file.seek(begin)
            whole = file.read().rpartition(b"\n")[0]
        self._read[path] = begin + len(whole)
        return faults(whole.decode("utf-8", "replace"))


LOGS = Logs()


class Announced:
    """What a test has announced, and what of it has come."""

    def __init__(self, item: pytest.Item) -> None:
        marks = list(item.iter_markers("expects_fault"))
        self._texts = {text for mark in marks for text in mark.args}
        self._missing = {text for mark in marks for text in mark.args if mark.kwargs.get("certain", True)}

    def check(self, *, wait: bool) -> None:
        """Compare with the logs; `wait` until all that was announced has come.

        Raises:
            AssertionError: Something else went wrong, or what was announced did not.
        """
        deadline = time.monotonic() + _PATIENCE_S
        other = self._take()
        while wait and self._missing and not other and time.monotonic() < deadline:
            time.sleep(_STEP_S)
            other = self._take()
        shown = "\n".join(other[:_SHOWN])
        assert not other, f"{len(other)} faults in the log that the test did not announce (expects_fault):\n{shown}"
        assert not (wait and self._missing), f"announced, but not in any log: {sorted(self._missing)}"

    def _take(self) -> list[str]:
        found = LOGS.take()
        self._missing = {text for text in self._missing if not any(text in fault for fault in found)}
        return [fault for fault in found if not any(text in fault for text in self._texts)]


class _Recorded(logging.Handler):
    """Takes errors of libraries from applications that run in this process."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take one."""
        LOGS.add(f"2000-01-01T00:00:00Z error {self.format(record)}")


def _recorded(_: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Take a line, as a processor of structlog."""
    level = "error" if method == "exception" else method
    LOGS.add(f"2000-01-01T00:00:00Z {level:<7} {line['event']} {explain_error(None, method, line)}")
    raise structlog.DropEvent


@contextmanager
def recording() -> Iterator[None]:
    """Take the lines of what runs in this process meanwhile, which is configured to write no log."""
    before = structlog.get_config()["processors"]
    handler = _Recorded(logging.ERROR)
    structlog.configure(processors=[_recorded])
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.configure(processors=before)
