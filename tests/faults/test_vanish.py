"""A provider whose machine, or the network to it, vanishes without a word: A17 of docs/reliability.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ALONE = ["unshare", "--user", "--map-root-user", "--net"]


def may_be_alone() -> bool:
    """Tell whether this process may make a network of its own."""
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_be_alone(), reason="needs a network of its own (Linux, user namespaces)")
def test_a17_connections_to_a_machine_that_has_vanished_are_given_up() -> None:
    """Idle ones, one that waits for an answer and one in mid-stream: closed, told to the clients, nothing stuck."""
    command = [*ALONE, sys.executable, "-m", "tests.faults.vanish"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"before": 3, "left": 0, "told": [502, False], "again": 200}
