"""The requests that are measured: one body each, cut where its question stands, and which gateway gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.importer import read_files
from bench.catalog import SAMPLE
from router.types import Tool

_CUT = "QUESTION"
_SYSTEM = "Answer in the language you are asked in, and use a tool where one fits. " * 8


@dataclass(frozen=True)
class Case:
    """One kind of request. `catalog`: tools registered at the gateway. `fresh`: nobody asked the question before."""

    name: str
    words: str
    tools: int = 0
    catalog: int = 0
    fresh: bool = False
    called: bool = False  # the question's tool was called already: the conversation is in an agent loop
    stream: bool = False
    headers: tuple[str, ...] = ()
    routed: bool = True  # the gateway changes the list

    @property
    def model(self) -> str:
        """What tells the upstream how to answer."""
        return "stream-50-5" if self.stream else "bench"


CASES = (
    Case("pass", "10 tools, nothing to trim", tools=10, routed=False),
    Case("off", "10 tools, routing off", tools=10, headers=("x-toolfunnel-tools: off",), routed=False),
    Case("loop", "300 tools, trimmed, in an agent loop", tools=300, called=True),
    Case("new", "300 tools, trimmed, a new question each", tools=300, fresh=True),
    Case("catalog", "10,000 in the catalogue, a new question each", catalog=10_000, fresh=True),
    Case("large", "100,000 in the catalogue, a new question each", catalog=100_000, fresh=True),
    Case("stream", "streams of 50 events, 5 ms apart", tools=10, stream=True, routed=False),
)


def prepare(case: Case, folder: Path) -> Path:
    """Write a case's body as the load generator takes it; give its folder."""
    tools = read_files([SAMPLE])
    messages: list[dict[str, object]] = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _CUT}]
    body: dict[str, object] = {
        "model": case.model,
        "messages": messages,
        "temperature": 0.2,
        "stream": case.stream,
    }
    if case.tools:
        body["tools"] = [msgspec.Raw(tool.definition) for tool in _shortest(tools, case.tools)]
    if case.called:
        body["messages"] = [*messages, *_called(tools[0].name)]
    head, tail = msgspec.json.encode(body).split(_CUT.encode())
    place = folder / case.name
    place.mkdir(parents=True, exist_ok=True)
    (place / "head").write_bytes(head)
    (place / "tail").write_bytes(tail)
    (place / "questions").write_bytes(b"\n".join(_questions(tools)))
    return place


def body(folder: Path, number: int = -1) -> bytes:
    """Give a prepared body with its first question, or with one that nobody asked."""
    questions = (folder / "questions").read_bytes().split(b"\n")
    asked = questions[0] if number < 0 else questions[number % len(questions)] + b" no. %d" % number
    return (folder / "head").read_bytes() + asked + (folder / "tail").read_bytes()


def _called(name: str) -> list[dict[str, object]]:
    """Give a call of a tool and its result."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"query": "that"}'}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"found": 3, "next": null}'},
    ]


def _shortest(tools: Sequence[Tool], n: int) -> list[Tool]:
    """Give n tools in the sample's order, without its longest definitions: 300 are 160 KB or so, as in the field."""
    kept = {id(tool) for tool in sorted(tools, key=lambda tool: len(tool.definition))[: max(n, 300)]}
    return [tool for tool in tools if id(tool) in kept][:n]


def _questions(tools: Sequence[Tool]) -> list[bytes]:
    """Give the questions of the sample's first tools, as they stand in JSON."""
    asked = [question for tool in tools[:300] for question in tool.examples]
    return [msgspec.json.encode(question)[1:-1] for question in asked]
