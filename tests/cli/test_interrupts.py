"""The signals that end a command, at the moments at which few would think of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil
import pytest

from tests.cli.command import TRACEBACK, Done, Place
from tests.support.gateway import environment

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMES = "import os, signal, time; os.kill(os.getpid(), signal.{}); time.sleep(60)"


def run(place: Place, *arguments: str, **modules: str) -> Done:
    """Run a command with these modules in the place of others."""
    for name, text in modules.items():
        place.write(f"{name}.py", text)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app", *arguments],
        cwd=place.path,
        env=environment(place.settings) | {"PYTHONPATH": os.pathsep.join((str(place.path), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_gateway_is_imported_ends_it_quietly(place: Place, number: signal.Signals) -> None:
    """The first second of a command, in which it is only read, is as any other."""
    assert run(place, "tools", "list", typer=COMES.format(number.name)) == Done(130, "", "")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_python_writes_a_class_ends_it_quietly(place: Place, number: signal.Signals) -> None:
    """An interrupt in exec(), where Python marks it as one that nobody takes, has the exit code of any other."""
    assert run(place, "tools", "list", typer=f"exec({COMES.format(number.name)!r})") == Done(130, "", "")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_python_clears_up_changes_nothing(place: Place, number: signal.Signals) -> None:
    """What was done stays done: its output, its exit code, and no word of an interrupt."""
    late = f"import atexit\n@atexit.register\ndef end():\n    {COMES.format(number.name)}"
    done = run(place, "--version", sitecustomize=late)
    assert (done.code, done.out.split()[0], done.err) == (0, "toolfunnel", "")


def test_a_signal_while_python_clears_up_after_a_failure_leaves_it_one(place: Place) -> None:
    """The exit code is the command's, not the signal's."""
    late = f"import atexit\n@atexit.register\ndef end():\n    {COMES.format('SIGINT')}"
    done = run(place, "tools", "rm", "x", sitecustomize=late)
    assert (done.code, done.err) == (1, "There is no tool 'x'.\n")


def test_a_signal_that_is_to_be_ignored_is(place: Place) -> None:
    """Under nohup a command outlives its terminal, from its beginning to its end."""
    gone = """
import atexit, os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
atexit.register(os.kill, os.getpid(), signal.SIGHUP)
sys.addaudithook(lambda event, args: event == "import" and args[0] == "typer" and os.kill(os.getpid(), signal.SIGHUP))
"""
    done = run(place, "tools", "list", "--json", sitecustomize=gone)
    assert (done.code, done.out) == (0, "[]\n")


def test_demo_leaves_no_process_that_was_just_being_started(place: Place) -> None:
    """A signal that comes between the start of a server and its name in our hands ends the server, too."""
    place.write("tools.json", '[{"type": "function", "function": {"name": "a", "description": "b"}}]')
    begun = place.path / "begun"
    starts = f"""
import os, pathlib, signal, subprocess
begin = subprocess.Popen.__init__
def started(self, command, *rest, **options):
    begin(self, command, *rest, **options)
    if "demo-upstream" in command:
        pathlib.Path({str(begun)!r}).write_text(str(self.pid))
        os.kill(os.getpid(), signal.SIGTERM)
subprocess.Popen.__init__ = started
"""
    done = run(place, "demo", "--catalog", "tools.json", "--port", "0", sitecustomize=starts)
    assert done.code == 130
    assert TRACEBACK not in done.err
    assert not psutil.pid_exists(int(begun.read_text()))


def test_the_command_is_that_process() -> None:
    """What people type begins where these tests begin."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"toolfunnel": "app.__main__:main"}
