"""Servers and commands of the suite are forked: a new interpreter for each would take a third of its time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import processes


def _is_forked(directory: Path, environment: dict[str, str]) -> bool:
    """Return whether a command that ends at once was forked."""
    with (directory / "out").open("wb") as out:
        started = processes.start(["--help"], cwd=directory, env=environment, stdout=out.fileno(), stderr=out.fileno())
    assert started.wait(60) == 0
    return not isinstance(started, subprocess.Popen)


def test_a_command_is_forked_whatever_was_imported_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch and its libraries set variables in the environment of the process that imports them."""
    for name in ("KMP_INIT_AT_FORK", "KMP_DUPLICATE_LIB_OK", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(name, "FALSE")
    assert _is_forked(tmp_path, dict(os.environ))


def test_a_command_with_another_environment_has_an_interpreter_of_its_own(tmp_path: Path) -> None:
    """What Python reads when it starts is what the test asks for."""
    assert not _is_forked(tmp_path, {**os.environ, "PYTHONUTF8": "1"})
