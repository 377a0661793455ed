"""One process with a catalogue of some size, measured: `import` fills a registry, `serve` opens it and works with it.

Prints one JSON object. A process of its own for each run: memory is that of this catalogue alone, and "ready" counts
from a process that knows nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import structlog
from threadpoolctl import threadpool_limits

from app.admin import records
from app.registry.snapshot import Snapshots
from app.registry.store import Registry
from app.telemetry import Telemetry
from bench.catalog import grow
from router import text
from router.catalog import EMPTY, Catalog
from router.embed.embedder import Embedder
from router.embed.use import EmbeddedEncoder
from router.index.faiss import FaissIndex
from router.index.flat import FlatIndex
from router.pipeline import Router
from router.types import Conversation, Grants, RouteRequest, Tool, Turn

_QUESTIONS = 150
_UPDATES = 5
_POLL_S = 60.0
_PAUSE_S = 0.02  # between the questions that are asked amid changes

_ANYONE = Grants()

Figures = dict[str, float]


async def fill(path: Path, n: int) -> Figures:
    """Import n tools whose vectors are stored already, as a batch that comes over the admin API."""
    encoder = EmbeddedEncoder()
    grown = await asyncio.to_thread(grow, n, encoder)
    registry = await Registry.open(f"sqlite:///{path}")
    await registry.add_vectors(
        encoder.key, {text.digest(tool): vector for tool, vector in zip(grown.tools, grown.vectors, strict=True)}
    )
    body = msgspec.json.encode([_record(tool) for tool in grown.tools])
    snapshots = Snapshots(registry, [encoder], Telemetry(), _POLL_S)
    await snapshots.refresh()
    started, used = time.perf_counter(), time.process_time()
    await registry.put(await asyncio.to_thread(lambda: records.read_all(records.split(body))))
    await snapshots.refresh()
    took, used = time.perf_counter() - started, time.process_time() - used
    assert snapshots.ready, "something had to be embedded"
    await registry.close()
    _questions(path).write_text(json.dumps(grown.questions))
    return {"import_s": took, "import_cpu_s": used, "database_mib": _size_mib(path)}


async def serve(path: Path) -> Figures:
    """Open a registry, ask, change single tools, ask meanwhile."""
    process = psutil.Process()
    encoder = EmbeddedEncoder()
    encoder.encode_query(["warm up"])
    before = process.memory_info().rss
    started, used = time.perf_counter(), time.process_time()
    registry = await Registry.open(f"sqlite:///{path}")
    snapshots = Snapshots(registry, [encoder], Telemetry(), _POLL_S)
    await snapshots.start()
    assert snapshots.ready, "something had to be embedded"
    figures = {
        "ready_s": time.perf_counter() - started,
        "ready_cpu_s": time.process_time() - used,
        "memory_mib": (process.memory_info().rss - before) / 2**20,
        "process_mib": process.memory_info().rss / 2**20,
    }
    router = Router(Embedder(encoder))
    questions = itertools.count()
    known = json.loads(_questions(path).read_text())

    def ask(grants: Grants = _ANYONE) -> float:
        """Route a question that nobody asked before; give the milliseconds."""
        number = next(questions)
        asked = f"{known[number % len(known)]} {number}"
        request = RouteRequest(Conversation((Turn(asked),)), grants=grants)
        begun = time.perf_counter()
        selection = router.route(snapshots.catalog, EMPTY, request, begun + 5)
        took_ms = (time.perf_counter() - begun) * 1e3
        assert selection.tools or grants.tags, "nothing was found"
        return took_ms

    def once_more() -> float:
        request = RouteRequest(Conversation((Turn("the very same question"),)))
        begun = time.perf_counter()
        router.route(snapshots.catalog, EMPTY, request, begun + 5)
        return (time.perf_counter() - begun) * 1e3

    some = [Grants(tags=frozenset({f"team-{number}"})) for number in range(_QUESTIONS)]
    tenth = Grants(tags=frozenset({"tenth-3"}))
    ask()
    all_ms, tag_ms, tenth_ms, again_ms = zip(*((ask(), ask(one), ask(tenth), once_more()) for one in some), strict=True)
    used = time.process_time()
    for _ in range(_QUESTIONS):
        ask()
    figures |= {
        "query_cpu_ms": (time.process_time() - used) * 1e3 / _QUESTIONS,
        "query_p50_ms": statistics.median(all_ms),
        "query_p99_ms": float(np.quantile(all_ms, 0.99)),
        "new_tag_p50_ms": statistics.median(tag_ms),
        "tenth_p50_ms": statistics.median(tenth_ms),
        "remembered_p50_ms": statistics.median(again_ms),
    }
    figures |= _searched(snapshots.catalog, encoder, known)
    figures |= await _changed(registry, snapshots, ask)
    figures["peak_mib"] = _peak_mib()
    await snapshots.stop()
    await registry.close()
    router.close()
    return figures


def _searched(catalog: Catalog, encoder: EmbeddedEncoder, questions: list[str]) -> Figures:
    """Compare the indexes on this catalogue's vectors: milliseconds, and what FAISS finds of the exact best twenty."""
    vectors = catalog.spaces[0].index.take(np.arange(len(catalog)))
    asked = encoder.encode_query(questions[:_QUESTIONS])
    started = time.perf_counter()
    likely = FaissIndex(vectors)
    built_s = time.perf_counter() - started
    exact, everything = FlatIndex(vectors), np.ones(len(vectors), dtype=np.bool_)
    times: dict[str, list[float]] = {"exact": [], "faiss": []}
    found = wanted = 0
    for query in asked:  # one after the other: what slows one slows both
        best = {}
        for name, index in (("exact", exact), ("faiss", likely)):
            started = time.perf_counter()
            best[name], _ = index.search(query, everything, 20)
            times[name].append((time.perf_counter() - started) * 1e3)
        found, wanted = found + len(np.intersect1d(best["exact"], best["faiss"])), wanted + len(best["exact"])
    return {
        "exact_ms": statistics.median(times["exact"]),
        "faiss_ms": statistics.median(times["faiss"]),
        "faiss_recall": found / wanted,
        "faiss_build_s": built_s,
    }


async def _changed(registry: Registry, snapshots: Snapshots, ask: Callable[[], float]) -> Figures:
    """Change single tools while questions go on; give seconds until a change is in use, and the questions' times."""
    over = threading.Event()
    meanwhile: list[float] = []

    def keep_asking() -> None:
        while not over.wait(_PAUSE_S):
            meanwhile.append(ask())

    asking = threading.Thread(target=keep_asking)
    asking.start()
    took: dict[str, list[float]] = {"switch": [], "rewrite": [], "create": [], "remove": []}
    for number in range(_UPDATES):
        tool = snapshots.catalog.tools[number * len(snapshots.catalog) // _UPDATES]
        name = f"brand_new_{number}"
        new = replace(tool, name=name, description=f"Something new: {number}")
        steps: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "switch": lambda tool=tool: registry.put([replace(tool, enabled=False)]),  # type: ignore[misc]
            "rewrite": lambda tool=tool: registry.put([replace(tool, description=f"Told anew {time.time()}")]),  # type: ignore[misc]
            "create": lambda new=new: registry.put([new]),  # type: ignore[misc]
            "remove": lambda name=name: registry.delete(name),  # type: ignore[misc]
        }
        for kind, step in steps.items():
            started = time.perf_counter()
            await step()
            await snapshots.refresh()
            took[kind].append(time.perf_counter() - started)
    over.set()
    await asyncio.to_thread(asking.join)
    return {f"{kind}_s": statistics.median(times) for kind, times in took.items()} | {
        "query_in_change_p50_ms": statistics.median(meanwhile),
        "query_in_change_p99_ms": float(np.quantile(meanwhile, 0.99)),
    }


def _questions(path: Path) -> Path:
    return path.with_suffix(".questions")


def _size_mib(path: Path) -> float:
    return path.stat().st_size / 2**20


def _peak_mib() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 2**10


def _record(tool: Tool) -> dict[str, Any]:
    return {
        "tool": msgspec.Raw(tool.definition),
        "tags": tool.tags,
        "keywords": tool.keywords,
        "examples": tool.examples,
        "pinned": tool.pinned,
        "enabled": tool.enabled,
        "risk": tool.risk,
        "source": tool.source,
    }


if __name__ == "__main__":
    threadpool_limits(limits=1, user_api="blas")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    what, where, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asyncio.run(fill(where, size) if what == "import" else serve(where))))
