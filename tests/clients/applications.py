"""Applications as they are run against a gateway: one script a client, in the environment where its package is.

A script begins with what docs/clients.md shows and goes on with scenarios. It is run once, from a copy in which the
gateway's address stands in place of the one that readers type, and every test looks at what it told.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.provider import Plan, Provider
from tests.clients.python import scenarios
from tests.support.gateway import GatewayProcess, environment
from tests.support.upstream import Request, Upstream

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
SHOWN_URL = "http://127.0.0.1:8000"
SHOWN_MODEL = "your-model"  # of what the document shows
ANSWER = "Bring an umbrella: 12 degrees and rain."
CATALOGUE_TOOL = "openweather_current"
OTHER_TOOL = "openweather_geocode"
_SECONDS = 240
_MARK = scenarios.MARK
_SHOWN = re.compile(r"^(?:#|//) docs: (?P<part>\w+)\n(?P<text>.*?)\n(?:#|//) docs: end$", re.DOTALL | re.MULTILINE)

_AGENT = Plan(("local_weather", "ask_user"), ANSWER)
_ALONE = Plan((), ANSWER)
_CALLED = Plan((CATALOGUE_TOOL,), ANSWER)
_LOOP = Plan(("local_weather",), ANSWER)
PLANS = {
    SHOWN_MODEL: Plan(("order_status",), "It arrives on Friday."),
    "loop": _LOOP,
    "stream": _LOOP,
    "structured": _ALONE,
    "forced": _ALONE,
    "agent13": _AGENT,
    "agent60": _AGENT,
    "agent60_unpinned": _AGENT,
    "stranger": _AGENT,
    "plain": _ALONE,
    "plain_called": _CALLED,
    "plain_alone": _CALLED,
    "dispatching": _CALLED,
    "declared": Plan((OTHER_TOOL,), ANSWER),
    "declared_alone": Plan((OTHER_TOOL,), ANSWER),
    "handoff": Plan(("transfer_to_billing",), ANSWER),
    "graph": _AGENT,
    "one_call": _LOOP,
    "in_text": Plan((), f'Thought: I know it.\nAnswer: {ANSWER}\n<code>\nfinal_answer("{ANSWER}")\n</code>'),
    "json": _ALONE,
    "responses_loop": _LOOP,
    "responses_stream": _LOOP,
    "responses_structured": _ALONE,
    "messages_loop": _LOOP,
    "messages_stream": _LOOP,
    "azure": _ALONE,
}
PLANS |= {f"openai_{name}": plan for name, plan in PLANS.items() if name != SHOWN_MODEL}  # of vercel_ai.mjs


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario: the client's side and the provider's."""

    result: Any = None
    error: str = ""
    called: Sequence[str] = ()  # the application's own tools that ran
    requests: Sequence[Request] = ()

    @property
    def offered(self) -> list[list[str]]:
        """The tools of each request, as the provider saw them."""
        return [request.tool_names for request in self.requests]


@dataclass
class Applications:
    """Runs scripts against a gateway, each once: all of their scenarios, or `only` these."""

    gateway: GatewayProcess
    upstream: Upstream
    directory: Path
    only: Sequence[str] = ()
    catalogue: Sequence[Any] = ()  # the tools that the gateway has
    folder: Path = FOLDER
    _told: dict[str, Mapping[str, Outcome]] = field(default_factory=dict)

    def outcome(self, script: str, scenario: str) -> Outcome:
        """Return what came of a scenario of a script."""
        if why := left_out(script):
            assert not everything(), why
            pytest.skip(why)
        if script not in self._told:
            self._told[script] = self._run(script)
        return self._told[script][scenario]

    def _run(self, script: str) -> Mapping[str, Outcome]:
        self.upstream.reset()
        self.upstream.respond_by(Provider(PLANS))
        shared = self.directory / "scenarios.json"
        shared.write_text(json.dumps(scenarios.shared() | {"catalogue": list(self.catalogue)}), encoding="utf-8")
        variables = {"PYTHONPATH": str(FOLDER / "python"), "SCENARIOS": str(shared)}
        done = subprocess.run(
            self._command(script),
            cwd=FOLDER / "node" if script.endswith(".mjs") else self.directory,
            env=environment({}) | variables | _QUIET,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-1000:]
        lines = done.stdout.splitlines()
        requests = tuple(self.upstream.requests)
        outcomes = {SHOWN_MODEL: Outcome(done.stdout, requests=_of(SHOWN_MODEL, requests))}
        for told in (json.loads(line.removeprefix(_MARK)) for line in lines if line.startswith(_MARK)):
            name = told.pop("scenario")
            outcomes[name] = Outcome(**told, requests=_of(name, requests))
        return outcomes

    def _command(self, script: str) -> list[str]:
        """Write the copy and return what runs it. Node finds packages by its working directory and needs no copy."""
        kind = "node" if script.endswith(".mjs") else "python"
        text = (FOLDER / kind / script).read_text(encoding="utf-8").replace(SHOWN_URL, self.gateway.url)
        if kind == "node":
            return ["node", "--input-type=module", "--eval", text]
        copy = self.directory / script
        copy.write_text(text, encoding="utf-8")
        return [str(interpreter()), str(copy), *self.only]


# Frameworks warn of their own parts, report their use, ask for newer versions of themselves, and fetch lists of prices.
_QUIET = {
    "ANONYMIZED_TELEMETRY": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "PYTHONWARNINGS": "ignore",
    "OPENAI_API_KEY": "the key of your provider",
    "ANTHROPIC_API_KEY": "the key of your provider",
}
SMALL = ("openai_chat.py", "openai_node.mjs")  # what the suite runs wherever it can


def everything() -> bool:
    """Return whether all clients have to be there: `make test-clients`."""
    return os.environ.get("ALL_CLIENTS") == "1"


def interpreter() -> Path:
    """Return the Python that has the packages. The gateway's own environment has openai, at another release."""
    return ROOT / ".venv-clients/bin/python" if everything() else Path(sys.executable)


def shown(script: Path) -> dict[str, str]:
    """Return the parts of a script that the document shows, by their name."""
    return {match["part"]: match["text"].strip("\n") for match in _SHOWN.finditer(script.read_text(encoding="utf-8"))}


def left_out(script: str) -> str:
    """Return why a script does not run here, or nothing."""
    if script.endswith(".mjs"):
        if shutil.which("node") is None:
            return "Node is not installed"
        if not (FOLDER / "node/node_modules/openai").exists():
            return "its packages are not installed: make test-clients"
    elif not interpreter().exists():
        return "its environment is not there: make test-clients"
    return "" if everything() or script in SMALL else "make test-clients runs it"


def _of(scenario: str, requests: Sequence[Request]) -> tuple[Request, ...]:
    return tuple(request for request in requests if request.json().get("model") == scenario)
