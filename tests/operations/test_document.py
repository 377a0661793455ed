"""docs/operations.md does what it says: its examples are run, and its tables compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.settings.change import CHANGEABLE, CHANGEABLE_KEYS
from tests.support.gateway import GatewayProcess
from tests.support.lines import line_of
from tests.support.upstream import Upstream

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"<!-- run -->\n```bash\n(.*?)\n```(?:\n\n<!-- (gives|prints|logs) -->\n```(?:json|text)\n(.*?)\n```)?", re.DOTALL
)
EXAMPLES = EXAMPLE.findall(TEXT)
KEY = "the-key-of-the-operator"


@pytest.mark.expects_fault("the old one stays")
@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_the_examples_give_what_the_document_says(upstream: Upstream, tmp_path: Path) -> None:
    """Every command runs in order; answers are those below them, and the line has the fields shown."""
    values = {"UPSTREAM__BASE_URL": upstream.base_url, "ADMIN__KEY": KEY, "LOG__FORMAT": "json"}
    gateway = GatewayProcess.start(tmp_path, values)
    known = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    known |= {"TOOLFUNNEL": gateway.url, "ADMIN_KEY": KEY, "PROVIDER_KEY": "sk-of-the-caller"}
    try:
        for command, how, said in EXAMPLES:
            shell = ["bash", "-euo", "pipefail", "-c", command]
            done = subprocess.run(
                shell, cwd=tmp_path, env=known, capture_output=True, text=True, timeout=30, check=True
            )
            if how == "gives":
                assert json.loads(done.stdout) == json.loads(said)
            elif how == "prints":
                assert done.stdout.strip() == said
            elif how == "logs":
                assert set(line_of(gateway, "order-4711")) == set(json.loads(said))
    finally:
        gateway.stop()


def test_the_document_has_no_example_that_is_not_run() -> None:
    """Apart from the variables, every shell block is run, and every answer is compared."""
    assert len(EXAMPLES) == TEXT.count("```bash") - 1
    assert sum(bool(how) for _, how, _ in EXAMPLES) == TEXT.count("```json") + TEXT.count("```text")


def test_the_document_explains_every_field_of_a_line() -> None:
    """Each field of the line that is shown stands in the table."""
    shown = next(json.loads(said) for _, how, said in EXAMPLES if how == "logs")
    table = TEXT.split("| field | meaning |")[1].split("\n\n")[0]
    told = set(re.findall(r"`([a-z_]+)`", " ".join(row.split("|")[1] for row in table.splitlines() if "|" in row)))
    assert set(shown) - {"level", "timestamp", "method", "status"} <= told


def test_the_document_lists_every_series(bare_gateway: GatewayProcess) -> None:
    """What /metrics has and what the table has are the same."""
    shown = re.findall(r"^# TYPE (toolfunnel_\w+) (\w+)$", bare_gateway.admin("GET", "/metrics").text, re.MULTILINE)
    told = re.findall(r"`(toolfunnel_\w+)`", TEXT.split("## Metrics")[1].split("\n## ")[0])
    assert set(told) == {name for name, _ in shown if not name.endswith("_created")}


def test_the_document_lists_what_can_change() -> None:
    """The keys that a new configuration puts in force are the program's."""
    told = re.search(r"In force at once: (.*?)\. Everything else", TEXT, re.DOTALL)
    assert told
    keys = {f"{section}.{key}" for section, known in CHANGEABLE_KEYS.items() for key in known}
    assert set(re.findall(r"`([a-z_.]+)`", told[1])) == CHANGEABLE | keys
