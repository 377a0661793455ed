"""No test passes while something goes wrong in a server's log that it did not announce."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import structlog

from tests.support import log_check
from tests.support.log_check import LOGS, Announced, Logs, faults

AT = "2026-01-01T00:00:00.000000Z"
FAULTS = [
    '{"request_id":"x","event":"routing failed","level":"error","timestamp":"2026"}',
    '{"event":"Exception in ASGI application\\n","level":"error","exception":"builtins.KeyError"}',
    '{"event":"the end","level":"critical"}',
    f"{AT} error   routing failed request_id=x",
    f"{AT} error   Task exception was never retrieved",
    f"{AT} warning routing took too long; the request went out as it came route_ms=1.0",
    "2026-01-01 10:00:00 [error    ] keys could not be brought up to date",
    "Traceback (most recent call last):",
    "Exception ignored in: <coroutine object x>",
    "Fatal Python error: Segmentation fault",
    "/app/x.py:1: RuntimeWarning: coroutine 'x' was never awaited",
]
HARMLESS = [
    '{"event":"chat","level":"info","end":"whole"}',
    '{"event":"a key was shown","name":"\\"level\\":\\"error\\"","level":"warning"}',
    f"{AT} info    chat outcome=failed status=502",
    f"{AT} warning Redis does not answer kind=StorageError",
    "",
]


@pytest.mark.parametrize("line", FAULTS)
def test_log_check_knows_a_fault(line: str) -> None:
    """Errors in either form of the log, what an interpreter says on its own, and routing that was given up."""
    assert faults(f"{HARMLESS[0]}\n{line}\n  app/x.py:1 y\n{HARMLESS[2]}\n") == [f"{line}\n  app/x.py:1 y"]


def test_log_check_lets_other_lines_be() -> None:
    """Information and warnings are none, whatever text they hold."""
    assert faults("\n".join(HARMLESS)) == []


def test_log_check_reads_each_line_once_and_whole(tmp_path: Path) -> None:
    """A fault is told when its line is whole, once, and again only where the file begins anew."""
    logs, file = Logs(), tmp_path / "log"
    logs.begin(file)
    file.write_text(FAULTS[3])
    assert logs.take() == []
    file.write_text(f"{FAULTS[3]}\n")
    assert [logs.take(), logs.take()] == [[FAULTS[3]], []]
    file.write_text(f"{FAULTS[3]}\n{FAULTS[4]}\n")
    logs.begin(file)
    assert logs.take() == [FAULTS[4], FAULTS[3], FAULTS[4]]


@pytest.mark.expects_fault("was meant")
def test_log_check_fails_what_was_not_announced(request: pytest.FixtureRequest) -> None:
    """What a test announces may be in a log, and has to be; anything else fails it."""
    LOGS.take()
    LOGS.add(f"{AT} error   this was meant\n{AT} error   this was not")
    with pytest.raises(AssertionError, match="this was not"):
        Announced(request.node).check(wait=False)
    LOGS.add(f"{AT} error   this was meant")
    Announced(request.node).check(wait=True)
    LOGS.add(f"{AT} error   this was meant")


@pytest.mark.expects_fault("never comes", certain=False)
def test_log_check_misses_what_was_announced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that was announced and did not come fails the test, too."""
    monkeypatch.setattr(log_check, "_PATIENCE_S", 0.0)
    request.node.add_marker(pytest.mark.expects_fault("must come"))
    with pytest.raises(AssertionError, match="must come"):
        Announced(request.node).check(wait=True)
    LOGS.add(f"{AT} error   must come")


@pytest.mark.expects_fault("of ours", "of a library")
def test_log_check_hears_applications_in_this_process() -> None:
    """What is served in the test's own process writes no file, and is heard nevertheless."""
    with log_check.recording():
        structlog.get_logger().error("of ours")
        logging.getLogger("uvicorn.error").error("of a library")
    structlog.get_logger().info("of neither")
