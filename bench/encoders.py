"""What encoders cost: one process each, one core; prints the table of docs/encoders.md.

    python -m bench.encoders MODEL_FOLDER EXPORTED_FOLDER

Questions are those of examples/questions, tools those of examples/catalog; memory is the process's, with nothing else
in it, after it has encoded them.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from router.types import Encoder

ROOT = Path(__file__).parents[1]
QUESTIONS = 200
TOOLS = 100


def make(kind: str, model: str, exported: str) -> Encoder:
    """Load one, importing only what it needs."""
    if kind == "embedded":
        from router.embed.use import EmbeddedEncoder

        return EmbeddedEncoder()
    if kind == "sentence-transformers":
        from router.embed.transformer import TransformerEncoder

        return TransformerEncoder(model)
    from router.embed.onnx import OnnxEncoder

    return OnnxEncoder(Path(exported), kind.removeprefix("onnx "))


def questions() -> list[str]:
    """Give the last thing that each user said."""
    lines = (ROOT / "examples" / "questions" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["messages"][-1]["content"] for line in lines][:QUESTIONS]


def documents() -> list[str]:
    """Give the texts of tools, as the gateway embeds them."""
    from app import importer
    from router import text

    found = importer.read_files(sorted((ROOT / "examples" / "catalog").glob("*.yaml"))[:12])
    return [text.detail(tool) for tool in found][:TOOLS]


def median_ms(encode: Callable[[list[str]], object], texts: list[str]) -> float:
    """Give the median time of one text."""
    encode(texts[:10])
    times = []
    for text in texts:
        began = time.perf_counter()
        encode([text])
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def measure(kind: str, model: str, exported: str) -> None:
    """Print one row."""
    asked, told = json.loads(sys.stdin.read())
    began = time.perf_counter()
    encoder = make(kind, model, exported)
    load_s = time.perf_counter() - began
    question_ms = median_ms(encoder.encode_query, asked)
    tool_ms = median_ms(encoder.encode_document, told)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {kind} | {encoder.dimension} | {question_ms:.1f} | {tool_ms:.1f} | {load_s:.1f} | {memory:,.0f} |")


def main(model: str, exported: str) -> None:
    """Print the table."""
    texts = json.dumps([questions(), documents()])
    print("| encoder | dimensions | a question, ms | a tool, ms | loading, s | memory at most, MiB |")
    print("|---|---|---|---|---|---|")
    for kind in ("embedded", "sentence-transformers", "onnx fp32", "onnx int8"):
        command = [sys.executable, "-m", "bench.encoders", kind, model, exported]
        subprocess.run(command, input=texts, text=True, check=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measure(*sys.argv[1:])
    else:
        main(*sys.argv[1:])
