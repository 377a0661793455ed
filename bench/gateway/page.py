"""Goals, tables and the page of what `bench.gateway` measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.gateway.cases import CASES
from bench.gateway.measure import DIRECT, GATEWAY, Figures, Results

_WORDS = {case.name: case.words for case in CASES}
_NAMES = {DIRECT: "direct", GATEWAY: "toolfunnel", "nginx": "nginx", "stock": "FastAPI + httpx", "litellm": "LiteLLM"}
_PLAIN = ("p50 µs", "added p50 ms", "added p99 ms", "rps 16", "rps 64", "CPU ms", "RSS MiB")
_STREAMS = ("TTFT added ms", "at 64 ms", "lag µs", "lag at 64 µs", "p99", "streams/s 64", "CPU ms", "RSS MiB")


@dataclass(frozen=True)
class Goal:
    """A figure of the gateway in a case, and where it should be."""

    case: str
    words: str
    value: Callable[[Figures], float]
    limit: float
    unit: str
    at_least: bool = False

    def reached(self, figures: Figures) -> bool:
        """Tell whether it is reached."""
        value = self.value(figures)
        return value >= self.limit if self.at_least else value <= self.limit

    def told(self) -> str:
        """Give the limit in words."""
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}"


def _ms(key: str) -> Callable[[Figures], float]:
    return lambda figures: figures[key] / 1e3


def _of(key: str) -> Callable[[Figures], float]:
    return lambda figures: figures[key]


GOALS = (
    Goal("pass", "added p50", _ms("added_p50_us"), 0.5, "ms"),
    Goal("pass", "requests a second, 16 at once", _of("rps_16"), 2_000, "", at_least=True),
    Goal("loop", "added p50", _ms("added_p50_us"), 1.2, "ms"),
    Goal("loop", "requests a second, 16 at once", _of("rps_16"), 1_000, "", at_least=True),
    Goal("new", "added p50", _ms("added_p50_us"), 5, "ms"),
    Goal("new", "added p99", _ms("added_p99_us"), 12, "ms"),
    Goal("new", "requests a second, 16 at once", _of("rps_16"), 250, "", at_least=True),
    Goal("catalog", "added p50", _ms("added_p50_us"), 7, "ms"),
    Goal("large", "added p50", _ms("added_p50_us"), 15, "ms"),
    Goal("stream", "streams a second, 64 at once", _of("rps_64"), 235, "", at_least=True),
    Goal("stream", "first byte added, 64 at once", _ms("added_ttft_64_us"), 5, "ms"),
    Goal("start", "ready with 1,000 tools embedded", _of("ready_s"), 3, "s"),
    Goal("start", "memory with 1,000 tools", _of("rss_mib"), 300, "MiB"),
    Goal("start", "memory of a slow reader, of 100", _of("reader_mib"), 1, "MiB"),
    Goal("start", "memory left when they have gone", _of("left_mib"), 5, "MiB"),
)


def goals(results: Results) -> Iterator[tuple[str, str, str, str]]:
    """Give what was asked for, the goal, what came out, and whether that reaches it."""
    for goal in GOALS:
        figures = results.get(goal.case, {}).get(GATEWAY)
        if figures is not None:
            came = f"{number(goal.value(figures))} {goal.unit}".strip()
            asked = f"{_WORDS[goal.case]}: {goal.words}" if goal.case in _WORDS else goal.words
            yield asked, goal.told().strip(), came, "reached" if goal.reached(figures) else "**not reached**"
    yield from _against_litellm(results)


def _against_litellm(results: Results) -> Iterator[tuple[str, str, str, str]]:
    figures = results.get("pass", {})
    if "litellm" in figures:
        times = figures[GATEWAY]["rps_16"] / max(figures["litellm"]["rps_16"], 0.1)
        asked = f"{_WORDS['pass']}: requests a second against LiteLLM"
        yield asked, ">= 20 x", f"{times:.0f} x", "reached" if times >= 20 else "**not reached**"


def rows(results: Results, case: str) -> Iterator[list[str]]:
    """Give a case's table: a row a server."""
    for name, figures in results[case].items():
        yield [_NAMES.get(name, name), *(_stream_row if case == "stream" else _plain_row)(figures, name)]


def heads(case: str) -> tuple[str, ...]:
    """Give what a case's columns are."""
    return _STREAMS if case == "stream" else _PLAIN


def ratios(results: Results) -> Iterator[list[str]]:
    """Give by case how the gateway compares with each other server: requests a second, and time added."""
    for case, figures in results.items():
        others = [name for name in figures if name not in (DIRECT, GATEWAY)]
        for other in others:
            yield [
                _WORDS[case],
                _NAMES[other],
                *(_ratio(figures, other, key) for key in ("rps_16", "rps_64", "added_p50_us", "cpu_ms", "rss_mib")),
            ]


RATIO_HEADS = ("case", "against", "rps 16", "rps 64", "added p50", "CPU", "RSS")


def tables(results: Results) -> Iterator[Table]:
    """Lay all out for people."""
    for case in _measured(results):
        yield _table(_WORDS[case], ("", *heads(case)), rows(results, case))
    yield _table("The gateway's figures divided by the other's", RATIO_HEADS, ratios(_cases(results)))
    plain = ([cell.replace("*", "") for cell in row] for row in goals(results))
    yield _table("Goals", ("", "goal", "measured", ""), plain)


def page(results: Results, about: Mapping[str, str], model: Mapping[str, Any] | None, notes: str) -> str:
    """Lay all out as a page."""
    lines = [
        "# What the gateway costs",
        "",
        "Made by `make bench`. " + "; ".join(f"{name}: {value}" for name, value in about.items()) + ".",
        "",
        "![Requests a second and time added](gateway.svg)",
        "",
        "## Goals",
        "",
        *markdown(("", "goal", "measured", ""), goals(results)),
    ]
    for case in _measured(results):
        lines += ["", f"## {_WORDS[case][0].upper()}{_WORDS[case][1:]}", ""]
        lines += markdown(("", *heads(case)), rows(results, case))
        share = results[case][GATEWAY].get("routed_share", 0)
        if case not in ("pass", "off", "stream"):
            lines += ["", f"Routed in time: {share:.1%} of the gateway's requests of this case."]
    lines += ["", "## The gateway's figures divided by the other's", ""]
    lines += markdown(RATIO_HEADS, ratios(_cases(results)))
    if model:
        lines += ["", *model_section(model)]
    return "\n".join([*lines, "", notes])


def model_section(model: Mapping[str, Any]) -> list[str]:
    """Give the section about a real model."""
    table = [
        [way, *(number(one[key]) for key in ("tools", "prompt_tokens", "ttft_ms", "ttft_again_ms"))]
        for way, one in model["ways"].items()
    ]
    return [
        "## What a user gains: a real model",
        "",
        f"Made by `make bench-model`. {model['about']}",
        "",
        *markdown(("", "tools", "prompt tokens", "first token, ms", "first token of the next turn, ms"), table),
    ]


def panels(results: Results) -> list[tuple[str, dict[str, dict[str, float]]]]:
    """Give what the chart shows: by panel, case and server."""
    shown = (("Requests a second, 16 at once", "rps_16", 1.0), ("Added p50, ms", "added_p50_us", 1e3))
    return [
        (
            title,
            {
                _WORDS[case]: {
                    _NAMES[name]: one[key] / unit for name, one in figures.items() if name != DIRECT and one[key] > 0
                }
                for case, figures in _cases(results).items()
                if case != "stream"
            },
        )
        for title, key, unit in shown
    ]


def markdown(names: tuple[str, ...], body: Any) -> list[str]:
    """Lay rows out as a table of a page."""
    return [
        f"| {' | '.join(names)} |",
        "|---|" + "---:|" * (len(names) - 1),
        *(f"| {' | '.join(row)} |" for row in body),
    ]


def about(rounds: int, seconds: float, pinned: bool) -> dict[str, str]:
    """Tell where, when and with what this was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "aiohttp", "httpx", "fastapi", "msgspec"))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores"
        + (", the measured server alone on one, upstream and load on another" if pinned else ", not pinned"),
        "versions": f"Python {platform.python_version()}, {packages}{_nginx()}",
        "load average": f"{os.getloadavg()[0]:.1f} at the end (2 or so are the bench's own)",
        "rounds": f"medians of {rounds}, servers and cases in turn, {seconds:g} s each",
    }


def number(value: float) -> str:
    """Give a figure in three digits or so."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _plain_row(figures: Figures, name: str) -> list[str]:
    added = ["-", "-"] if name == DIRECT else [number(figures[f"added_{key}_us"] / 1e3) for key in ("p50", "p99")]
    kept = [number(figures[key]) for key in ("rps_16", "rps_64")]
    return [number(figures["p50_us"]), *added, *kept, f"{figures['cpu_ms']:.3f}", number(figures["rss_mib"])]


def _stream_row(figures: Figures, name: str) -> list[str]:
    added = ["-", "-"]
    if name != DIRECT:
        added = [number(figures[key] / 1e3) for key in ("added_ttft_us", "added_ttft_64_us")]
    kept = [number(figures[key]) for key in ("lag_us", "lag_64_us", "lag_64_p99_us", "rps_64")]
    return [*added, *kept, f"{figures['cpu_ms']:.2f}", number(figures["rss_mib"])]


def _ratio(figures: Mapping[str, Figures], other: str, key: str) -> str:
    theirs = figures[other][key]
    return f"{figures[GATEWAY][key] / theirs:.2f}" if theirs > 0 else "-"


def _measured(results: Results) -> list[str]:
    return [case for case in results if case in _WORDS]


def _cases(results: Results) -> Results:
    return {case: results[case] for case in _measured(results)}


def _table(title: str, names: tuple[str, ...], body: Any) -> Table:
    made = Table(title=title)
    for index, name in enumerate(names):
        made.add_column(name, justify="right" if index else "left")
    for row in body:
        made.add_row(*row)
    return made


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _nginx() -> str:
    try:
        told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", nginx {told.strip().rpartition('/')[2]}"
