"""Imports run one way."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_SETTINGS: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]


@pytest.mark.parametrize("contract", [contract["id"] for contract in _SETTINGS["contracts"]])
def test_imports_keep_the_contract(contract: str) -> None:
    """Each contract of pyproject.toml is kept."""
    command = ["-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache", "--no-logo"]
    run = subprocess.run(
        [sys.executable, *command, "--contract", contract],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
