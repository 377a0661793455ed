"""The bench of the gateway: its programs, its servers and its page, with counts too small to say anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from bench.chart import bars
from bench.gateway import cases, measure, page, readers, servers
from bench.gateway.cases import CASES, Case
from bench.gateway.measure import DIRECT, GATEWAY, Bench
from bench.gateway.servers import CannotMeasure, Server

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

_CASES = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled programs and the bodies of a plain case, a new question each, and a short stream."""
    made = tmp_path_factory.mktemp("bench")
    for program in ("upstream", "load"):
        servers.compiled(program, made)
    for name in ("pass", "new", "stream"):
        cases.prepare(_CASES[name], made)
    return made


@pytest.fixture(scope="module")
def upstream(folder: Path) -> Iterator[Server]:
    """The upstream in C."""
    server = servers.upstream(folder)
    yield server
    server.stop()


def _load(folder: Path, upstream: Server, case: Case, connections: int = 2) -> tuple[Bench, measure.Figures]:
    bench = Bench(folder, upstream)
    return bench, measure.load(bench, upstream, case, connections, 0.1)


def test_load_counts_answers_and_takes_their_times(folder: Path, upstream: Server) -> None:
    """Every request is answered with 200, and half of them in the median time."""
    _, figures = _load(folder, upstream, _CASES["pass"])
    assert figures["done"] > 0
    assert figures["failed"] == figures["refused"] == figures["unfinished"] == 0
    assert 0 < figures["ttft_p50"] <= figures["p50"] <= figures["p99"]


def test_load_asks_a_new_question_each_time(folder: Path, upstream: Server) -> None:
    """The body that arrives is the case's own with a question and a number that were not there before."""
    bench, figures = _load(folder, upstream, _CASES["new"], 1)
    last = json.loads(httpx.get(upstream.url, trust_env=False).text)
    assert last["messages"][1]["content"].endswith(f" {int(figures['done']) - 1}")
    assert len(last["tools"]) == 300
    assert bench.asked > figures["done"], "the next measurement starts behind it"


def test_load_reads_when_events_were_sent(folder: Path, upstream: Server) -> None:
    """A stream's events carry their moment: there is a lag for each, and the first comes before the last."""
    _, figures = _load(folder, upstream, _CASES["stream"])
    assert figures["events"] == 50 * figures["done"]
    assert figures["lag_p50"] > 0
    assert figures["ttft_p50"] < figures["p50"]


def test_load_says_what_failed(folder: Path, upstream: Server) -> None:
    """Without a server there is no figure."""
    nobody = replace(upstream, port=servers.free_port())
    with pytest.raises(subprocess.CalledProcessError):
        _load(folder, nobody, _CASES["pass"])


def test_bench_compares_servers_in_a_run(tmp_path: Path) -> None:
    """The gateway trims, the plain proxy relays; the page tells goals, figures and ratios of both."""
    chosen = [_CASES["loop"], _CASES["stream"]]
    results, absent = measure.measure(tmp_path, chosen, ["stock"], 1, 0.05)
    assert absent == {}
    assert list(results["loop"]) == [DIRECT, GATEWAY, "stock"]
    assert all(one["errors"] == 0 for case in results.values() for one in case.values())
    assert results["loop"][GATEWAY]["routed_share"] > 0
    assert results["loop"][GATEWAY]["cpu_ms"] > 0
    text = page.page(results, {"date": "today"}, None, "")
    assert "| toolfunnel |" in text
    assert "| FastAPI + httpx |" in text
    assert bars(page.panels(results)).count("<rect") == 5


def test_goals_say_what_is_reached() -> None:
    """A figure at its limit reaches it, one beyond does not."""
    figures = {"added_p50_us": 500.0, "rps_16": 1999.0}
    told = list(page.goals({"pass": {GATEWAY: figures}}))
    assert [row[3] for row in told] == ["reached", "**not reached**"]


def test_bench_says_that_a_compiler_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler there is a clear message."""
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(CannotMeasure, match="apt install gcc"):
        servers.compiled("load", tmp_path)


def test_readers_that_do_not_read_are_measured(folder: Path, upstream: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their answers have begun, nobody reads them, and they can be left."""
    monkeypatch.setattr(readers, "_SETTLE_S", 0.1)
    assert set(readers.measure(upstream, 2)) == {"reader_mib", "left_mib"}


def test_model_case_tells_both_ways() -> None:
    """The section about a real model has a row with all tools and one with the chosen ones."""
    ways = {"off": {"tools": 100, "prompt_tokens": 7_000, "ttft_ms": 9_000.0, "ttft_again_ms": 80.0}}
    ways["on"] = {"tools": 12, "prompt_tokens": 900, "ttft_ms": 1_000.0, "ttft_again_ms": 80.0}
    text = page.model_section({"about": "", "ways": ways})
    assert "| off | 100 | 7,000 | 9,000 | 80.0 |" in text
    assert "| on | 12.0 | 900 | 1,000 | 80.0 |" in text
