"""`python -m bench.gateway` (`make bench`): prints tables, or JSON; `--write` keeps docs/benchmarks/gateway.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.chart import bars
from bench.gateway import measure, page, servers
from bench.gateway.cases import CASES
from bench.gateway.measure import GATEWAY

_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "gateway.md"
_MARK = "<!-- notes: what is below is written by hand and kept -->"
_DEFAULT = [case.name for case in CASES if case.name != "large"]


def main() -> None:
    """Measure and tell."""
    options = _options()
    chosen = [case for case in CASES if case.name in options.cases]
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        try:
            results, absent = measure.measure(Path(folder), chosen, options.servers, options.rounds, options.seconds)
            if options.start:
                results["start"] = {GATEWAY: measure.start(Path(folder)) | measure.slow_readers(Path(folder))}
        except servers.CannotMeasure as error:
            sys.exit(str(error))
    about = page.about(options.rounds, options.seconds, servers.cores() is not None)
    result = {"about": about, "absent": absent, "cases": results}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        console = Console()
        for table in page.tables(results):
            console.print(table)
    if options.write:
        write(result)


def write(result: dict[str, Any]) -> None:
    """Keep a result, with what was written by hand below the mark and what the model's measurement left."""
    kept = _kept()
    result = {**result, "model": result.get("model") or kept.get("model")}
    old = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""
    notes = _MARK + (old.partition(_MARK)[2] or "\n")
    _PAGE.write_text(page.page(result["cases"], result["about"], result["model"], notes), encoding="utf-8")
    _PAGE.with_suffix(".svg").write_text(bars(page.panels(result["cases"])), encoding="utf-8")
    _PAGE.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def write_model(model: dict[str, Any]) -> None:
    """Put the model's measurement into the page of the last result."""
    write({**_kept(), "model": model})


def _kept() -> dict[str, Any]:
    path = _PAGE.with_suffix(".json")
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"about": {}, "cases": {}}
    return kept


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES], default=_DEFAULT)
    parser.add_argument("--servers", nargs="*", choices=["nginx", "stock"], default=["nginx", "stock"])
    parser.add_argument("--with", dest="more", choices=["litellm"], action="append", default=[], metavar="litellm")
    parser.add_argument("--large", action="store_true", help="with a catalogue of 100,000 tools (two minutes more)")
    parser.add_argument("--no-start", dest="start", action="store_false", help="leave out start and slow readers")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", action="store_true", help=f"keep the result as {_PAGE.name}, with a chart and JSON")
    options = parser.parse_args()
    options.servers = [*options.servers, *options.more]
    options.cases = [*options.cases, "large"] if options.large else options.cases
    return options


if __name__ == "__main__":
    main()
