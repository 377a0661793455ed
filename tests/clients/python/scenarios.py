"""What every application here has in common: its own tools, its question, and how a scenario's outcome is told.

It runs in the environment of the clients and needs nothing but Python. Each scenario's name is the `model` that it
asks: the provider plays the plan of that name (tests/clients/provider.py).
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

BASE_URL = "http://127.0.0.1:8000/v1"  # the runner puts the gateway's address in its place
QUESTION = "What is the weather in Berlin tomorrow?"
SYSTEM = "You work in a warehouse. Call `ask_user` when something is missing, and end every task with `final_answer`."
MARK = "scenario: "
PINNED = "unlock_gate"
CALLED: list[str] = []  # tools that ran since the scenario began


class Own(NamedTuple):
    """A tool of the application itself."""

    name: str
    parameter: str
    description: str

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its parameters."""
        properties = {self.parameter: {"type": "string"}}
        return {"type": "object", "properties": properties, "required": [self.parameter]}

    @property
    def tool(self) -> dict[str, Any]:
        """The tool as Chat Completions has it."""
        body = {"name": self.name, "description": self.description, "parameters": self.schema}
        return {"type": "function", "function": body}

    def run(self, **arguments: object) -> str:
        """Run it."""
        CALLED.append(self.name)
        if self.parameter not in arguments:
            raise TypeError(f"{self.name} needs {self.parameter}")
        return f"{self.name} is done"

    @property
    def function(self) -> Callable[..., str]:
        """The tool as a Python function with annotations and a docstring, as frameworks want it."""
        source = (
            f"def {self.name}({self.parameter}: str) -> str:\n"
            f'    """{self.description}\n\n    Args:\n        {self.parameter}: Which one.\n    """\n'
            f"    return run({self.parameter}={self.parameter})\n"
        )
        namespace: dict[str, Any] = {"run": self.run}
        exec(source, namespace)
        made: Callable[..., str] = namespace[self.name]
        made.__module__ = __name__
        return made


_AGENT = [
    Own("local_weather", "city", "Weather in a city, today or tomorrow."),
    Own("ask_user", "question", "Ask the person for a detail that is missing."),
    Own("think", "thought", "Write down a thought before acting."),
    Own("write_todos", "items", "Keep the list of tasks."),
    Own("read_file", "path", "Read a file of the workspace."),
    Own("write_file", "path", "Write a file of the workspace."),
    Own("edit_file", "path", "Change a part of a file."),
    Own("list_files", "pattern", "Find files by their names."),
    Own("search_files", "pattern", "Find text in files."),
    Own("run_shell", "command", "Run a command in the shell."),
    Own("fetch_page", "url", "Fetch a page of the web."),
    Own("transfer_to_billing", "reason", "Hand over to the billing agent."),
    Own("final_answer", "answer", "Give the final answer and end the task."),
]
_THINGS = ["pallet", "shelf", "forklift", "gate", "label", "shift", "supplier", "crate", "customs_form", "driver"]
_DEEDS = {
    "count": "Count every {} of the warehouse.",
    "move": "Move a {} to another place.",
    "repair": "Order the repair of a {}.",
    "unlock": "Unlock a {} for the night shift.",
    "retire": "Take a {} out of service for good.",
}
OWN = [
    *_AGENT,
    *(Own(f"{deed}_{thing}", "number", text.format(thing)) for deed, text in _DEEDS.items() for thing in _THINGS),
]


def own(count: int, *, without: str = "") -> list[Own]:
    """Return so many tools of the application; `without` one that the framework brings itself."""
    return [tool for tool in OWN if tool.name != without][:count]


def find(name: str) -> Own:
    """Return a tool of the application by its name."""
    return next(tool for tool in OWN if tool.name == name)


def of_catalogue(name: str) -> dict[str, Any]:
    """Return a function of the gateway's catalogue, as an application has it that asks the same servers."""
    known = json.loads(Path(os.environ["SCENARIOS"]).read_text(encoding="utf-8"))["catalogue"]
    return next(function for function in known if function["name"] == name)


def shared() -> dict[str, Any]:
    """Return what the applications in other languages have in common with these."""
    return {"question": QUESTION, "system": SYSTEM, "own": [tool._asdict() for tool in OWN]}


def run(scenarios: dict[str, Callable[[str], Any]]) -> None:
    """Run each scenario with its name as the model, and print for each a line with what came of it."""
    runner = asyncio.Runner()  # one loop for all: asynchronous clients keep connections
    for name in sys.argv[1:] or scenarios:
        CALLED.clear()
        outcome: dict[str, Any] = {"scenario": name}
        try:
            result = scenarios[name](name)
            outcome["result"] = runner.run(result) if inspect.iscoroutine(result) else result
        except Exception as error:
            outcome["error"] = f"{type(error).__module__}.{type(error).__name__}: {error}"[:600]
        print("\n" + MARK + json.dumps(outcome | {"called": list(CALLED)}, ensure_ascii=False), flush=True)
    runner.close()
