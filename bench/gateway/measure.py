"""Rounds: every case, every server in turn, so that a slow minute of the machine falls on all of them."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.gateway import cases as kinds
from bench.gateway import readers, servers
from bench.gateway.cases import Case
from bench.gateway.servers import CannotMeasure, Server

DIRECT = "direct"
GATEWAY = "gateway"
_OTHERS: dict[str, Callable[[Path, Server], Server]] = {
    "nginx": servers.nginx,
    "stock": servers.stock,
    "litellm": servers.litellm,
}
_ALONE, _FEW, _MANY = 1, 16, 64
_WARM_S = 0.3
_SETTLE_S = 60.0
_SETTLED_MS = 20.0  # a request that waits for vectors takes the whole budget

Figures = dict[str, float]
Results = dict[str, dict[str, Figures]]  # by case and server


@dataclass
class Bench:
    """What runs: the load generator's folder, the upstream, the servers by name and catalogue size."""

    folder: Path
    provider: Server
    running: dict[tuple[str, int], Server] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    asked: int = 0  # the number of the next question that nobody asked

    def server(self, name: str, case: Case) -> Server:
        """Give the one that answers a case."""
        return self.provider if name == DIRECT else self.running[name, case.catalog if name == GATEWAY else 0]


def measure(
    folder: Path, chosen: Sequence[Case], others: Sequence[str], rounds: int, seconds: float
) -> tuple[Results, dict[str, str]]:
    """Give the medians of all rounds, and what could not be measured with the reason."""
    with ExitStack() as closing:
        bench = _start(folder, chosen, others, closing)
        names = [DIRECT, *dict.fromkeys(name for name, _ in bench.running)]
        runs: dict[tuple[str, str], list[Figures]] = defaultdict(list)
        for case in chosen:
            kinds.prepare(case, folder)
            _settle(bench.server(GATEWAY, case), case, folder / case.name)
        for number in range(rounds):
            for case in chosen:
                _progress(f"round {number + 1} of {rounds}: {case.words}")
                for name in names:
                    runs[case.name, name].append(_run(bench, case, name, seconds))
        results: Results = {}
        for case in chosen:
            results[case.name] = {name: _compared(runs, case.name, name) for name in names}
        return results, bench.absent


def start(folder: Path) -> Figures:
    """Start a gateway with 1,000 tools whose vectors are stored; give the seconds until it is ready, and its memory."""
    registry = fill(folder, 1_000)
    started = []
    for _ in range(3):
        server = servers.gateway(folder, "http://127.0.0.1:9", "started", registry)
        started.append((server.ready_s, server.rss_mib()))
        server.stop()
    return {"ready_s": statistics.median(s for s, _ in started), "rss_mib": statistics.median(m for _, m in started)}


def slow_readers(folder: Path) -> Figures:
    """Give what clients that do not read cost a gateway of their own."""
    provider = servers.upstream(folder)
    try:
        server = servers.gateway(folder, provider.url, "readers")
        try:
            return readers.measure(server)
        finally:
            server.stop()
    finally:
        provider.stop()


def fill(folder: Path, tools: int) -> Path:
    """Make a registry with that many tools and their vectors."""
    registry = folder / f"{tools}.db"
    if not registry.exists():
        _progress(f"a catalogue of {tools:,} tools")
        command = [sys.executable, "-m", "bench.serving", "import", str(registry), str(tools)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return registry


def load(bench: Bench, server: Server, case: Case, connections: int, seconds: float) -> Figures:
    """Run the load generator against a server."""
    first = bench.asked if case.fresh else -1
    words = [
        str(bench.folder / "load"),
        str(server.port),
        str(connections),
        str(seconds),
        str(bench.folder / case.name),
    ]
    words.append(str(first))
    done = subprocess.run(
        servers.pinned([*words, *case.headers], servers.ALL_ELSE), check=True, stdout=subprocess.PIPE, cwd=bench.folder
    )
    figures: Figures = json.loads(done.stdout)
    bench.asked += int(figures["done"]) + int(connections)
    if figures["failed"] or figures["refused"] or figures["unfinished"]:
        _progress(f"  {server.name}, {case.name}, {connections} at once: {figures}")
    return figures


def _start(folder: Path, chosen: Sequence[Case], others: Sequence[str], closing: ExitStack) -> Bench:
    for program in ("upstream", "load"):
        servers.compiled(program, folder)
    provider = servers.upstream(folder)
    closing.callback(provider.stop)
    bench = Bench(folder, provider)
    for tools in dict.fromkeys(case.catalog for case in chosen):
        registry = fill(folder, tools) if tools else None
        name = f"gateway-{tools}" if tools else GATEWAY
        bench.running[GATEWAY, tools] = servers.gateway(folder, provider.url, name, registry)
        closing.callback(bench.running[GATEWAY, tools].stop)
    for name in others:
        try:
            bench.running[name, 0] = _OTHERS[name](folder, provider)
        except (CannotMeasure, subprocess.CalledProcessError) as error:
            bench.absent[name] = str(error)
            _progress(f"{name} is left out: {error}")
        else:
            closing.callback(bench.running[name, 0].stop)
    return bench


def _settle(server: Server, case: Case, place: Path) -> None:
    """Ask until the client's list is embedded: that happens once in the background, beside the first requests."""
    end = time.monotonic() + _SETTLE_S
    number = 0
    while case.tools and time.monotonic() < end:
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{server.url}/v1/chat/completions", content=kinds.body(place, number), headers=headers)
        if float(answer.headers.get("x-toolfunnel-route-ms", "0")) < _SETTLED_MS:
            break
        number += 1


def _run(bench: Bench, case: Case, name: str, seconds: float) -> Figures:
    """Measure one case at one server, alone and with many at once."""
    server = bench.server(name, case)
    load(bench, server, case, _ALONE, _WARM_S)
    outcomes = _outcomes(server) if name == GATEWAY else {}
    alone = load(bench, server, case, _ALONE, seconds)
    used = server.cpu_s()
    few = load(bench, server, case, _FEW, seconds)
    used = server.cpu_s() - used
    many = load(bench, server, case, _MANY, seconds)
    figures = {
        "p50_us": alone["p50"],
        "p99_us": alone["p99"],
        "ttft_us": alone["ttft_p50"],
        "ttft_64_us": many["ttft_p50"],
        "lag_us": alone["lag_p50"],
        "lag_64_us": many["lag_p50"],
        "lag_64_p99_us": many["lag_p99"],
        "rps_16": few["rps"],
        "rps_64": many["rps"],
        "cpu_ms": used * 1e3 / max(few["done"], 1),
        "rss_mib": server.rss_mib(),
        "errors": sum(run[kind] for run in (alone, few, many) for kind in ("failed", "refused", "unfinished")),
    }
    if name == GATEWAY:
        after = _outcomes(server)
        came = {outcome: count - outcomes.get(outcome, 0) for outcome, count in after.items()}
        figures["routed_share"] = came.get("routed", 0) / max(sum(came.values()), 1)
    return figures


def _compared(runs: Mapping[tuple[str, str], list[Figures]], case: str, name: str) -> Figures:
    """Give the medians, and what is added to the direct way, round by round."""
    mine, direct = runs[case, name], runs[case, DIRECT]
    figures = {key: statistics.median(run[key] for run in mine) for key in mine[0]}
    for key in ("p50_us", "p99_us", "ttft_us", "ttft_64_us", "lag_us", "lag_64_us"):
        figures[f"added_{key}"] = statistics.median(a[key] - b[key] for a, b in zip(mine, direct, strict=True))
    return figures


def _outcomes(server: Server) -> dict[str, float]:
    """Give how many chat requests the gateway counted, by what routing made of them."""
    text = httpx.get(f"{server.url}/metrics", trust_env=False).text
    return {
        name: float(n) for name, n in re.findall(r'^toolfunnel_requests_total\{outcome="(\w+)"\} (\S+)', text, re.M)
    }


def _progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
