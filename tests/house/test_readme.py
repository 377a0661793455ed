"""README.md: what it tells a stranger to type works, in its order."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import StartGateway
from tests.support.documents import ROOT, Example, examples
from tests.support.gateway import GatewayProcess, environment
from tests.support.upstream import Upstream

_COMMANDS = Path(sys.executable).parent
_DEFAULT = "http://127.0.0.1:8000"


def _run(example: Example, gateway: GatewayProcess, settings: dict[str, str]) -> str:
    text = example.text.replace(_DEFAULT, gateway.url)
    text = text.replace(".venv/bin/", f"{_COMMANDS}/")
    command = [sys.executable, "-c", text] if example.language == "python" else ["bash", "-euc", text]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _wait_for(gateway: GatewayProcess, tools: int) -> None:
    """The running server takes up what another process registered."""
    deadline = time.monotonic() + 20
    ready = {"ready": True, "tools": tools, "pending": 0}
    while not gateway.admin("GET", "/readyz").json().items() >= ready.items():
        assert time.monotonic() < deadline, gateway.log
        time.sleep(0.05)


def test_readme_examples_work(start_gateway: StartGateway, upstream: Upstream, tmp_path: Path) -> None:
    """A tool is registered, a catalogue imported, a question asked in Chinese and a decision explained."""
    registry = {"REGISTRY__URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    gateway = start_gateway(**registry, REGISTRY__POLL_S="0.1", SELECT__BUDGET_MS="3000")
    registered, imported, asked, explained = examples("README.md")
    assert '"get_exchange_rate"' in _run(registered, gateway, registry)
    assert "458 created" in _run(imported, gateway, registry)
    _wait_for(gateway, tools=459)
    _run(asked, gateway, registry)
    assert "get_exchange_rate" in upstream.requests[-1].tool_names
    assert "get_exchange_rate" in _run(explained, gateway, registry)
