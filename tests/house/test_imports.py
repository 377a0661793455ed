"""Imports run one way."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_SETTINGS: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]


def test_imports_keep_every_contract() -> None:
    """The contracts of pyproject.toml are kept; one that is broken is named, and so is each import that breaks it."""
    program = "from importlinter.cli import lint_imports_command as c; c()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo"]
    run = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Contracts: {len(_SETTINGS['contracts'])} kept, 0 broken." in run.stdout
