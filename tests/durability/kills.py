"""Kill what writes, again and again, and see what is left: `python -m tests.durability.kills --runs 200`.

The tests do the same, fewer times. Each function gives how often what must not happen did.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from uuid import uuid4

from app.registry import backup
from app.registry.snapshot import Snapshots
from app.registry.sqlite import SqliteDatabase
from app.registry.store import Registry
from app.telemetry import Telemetry
from router.types import Tool
from tests.durability.faulty import faulty_disk
from tests.durability.machine import Machine, explore
from tests.durability.writers import BATCH, FAILPOINTS, Run, Writers, batch
from tests.support.inside import WordEncoder
from tests.support.postgres import Postgres


async def faults_of(url: str, run: Run | None = None, *, least: int = 0) -> list[str]:
    """Give what is wrong with a registry that a process was writing to: what was acknowledged is there, and whole.

    `least`: puts that are there besides.
    """
    registry = await Registry.open(url)
    found = []
    generation, tools = await registry.load()
    sizes = Counter(tool.name.partition("_")[0] for tool in tools)
    if set(sizes.values()) - {BATCH}:
        found.append(f"partial: {sizes}")
    if generation != len(sizes):
        found.append(f"generation {generation} of {len(sizes)} puts")
    if len(sizes) < least:
        found.append(f"{least} acknowledged, {len(sizes)} there")
    if run is not None:
        acked = {f"b{number}" for number in run.told("acked")}
        refused = {f"b{line.split()[0]}" for line in run.told("refused")}
        if not acked <= sizes.keys():
            found.append(f"lost: {acked - sizes.keys()}")
        if len(sizes.keys() - acked - refused) > 1:  # one was under way
            found.append(f"never acknowledged: {sizes.keys() - acked - refused}")
    found += await _inner_faults(registry, tools)
    await registry.close()
    return found


async def _inner_faults(registry: Registry, tools: list[Tool]) -> list[str]:
    found: list[str] = []
    if isinstance(registry.database, SqliteDatabase):
        async with registry.reading() as connection:
            found += (await connection.exec_driver_sql("PRAGMA integrity_check")).scalars().all()
        found.remove("ok")
    snapshots = Snapshots(registry, [WordEncoder()], Telemetry(), 60.0)
    await snapshots.refresh()
    if list(snapshots.catalog.tools) != tools:
        found.append("the catalogue is not what is registered")
    return found


def killed_at_random(writers: Writers, url: str, draw: random.Random, longest_s: float = 0.6) -> list[str]:
    """Kill a process somewhere in its puts (C01)."""
    run = writers.start("put", url)
    time.sleep(draw.uniform(0, longest_s))
    run.kill()
    writers.wait(run)
    return _settled(url, run)


def killed_at(writers: Writers, url: str, failpoint: str, countdown: int, directory: Path) -> list[str]:
    """Let a process die at a named place (C02)."""
    if "rename" in failpoint:
        return _killed_in_backup(writers, url, failpoint, directory)
    run = writers.start("put", url, failpoint=failpoint, countdown=countdown)
    if writers.wait(run) != -9:
        return ["it was not killed"]
    return _settled(url, run)


def _killed_in_backup(writers: Writers, url: str, failpoint: str, directory: Path) -> list[str]:
    file = directory / "b.zip"
    writers.wait(writers.start("put", url, puts=2))
    run = writers.start("backup", url, file=str(file), failpoint=failpoint, countdown=1)
    found = [] if writers.wait(run) == -9 else ["it was not killed"]
    if file.exists() != (failpoint == "after rename"):
        found.append(f"{failpoint}: {sorted(path.name for path in directory.iterdir())}")
    if file.exists():
        found += asyncio.run(_restored(url, file))
    return found + asyncio.run(faults_of(url, least=2))


def postmaster_killed(writers: Writers, server: Postgres, url: str, draw: random.Random) -> list[str]:
    """Kill the whole database server while a process puts, and start it again (C03)."""
    run = writers.start("put", url, puts=40)
    time.sleep(draw.uniform(0, 0.4))
    server.stop(signal.SIGKILL)
    server.start()
    writers.wait(run)
    return asyncio.run(faults_of(url, run))


def written_through_faults(writers: Writers, url: str, rate: float, puts: int) -> tuple[list[str], int, int]:
    """Put over a disk that fails so often; give what is wrong, how many were acknowledged, how many not (C05)."""
    asyncio.run(_made(url))
    run = writers.start("put", url, puts=puts, fault_rate=rate)
    code = writers.wait(run)
    found = asyncio.run(faults_of(url, run)) + ([f"exit code {code}"] if code else [])
    return found, len(run.told("acked")), len(run.told("refused"))


def contended(writers: Writers, url: str, processes: int, each: int) -> tuple[list[str], float]:
    """Let processes edit the same tools at once, and read between; give what is wrong, and the p99 in seconds (C09)."""
    asyncio.run(_made(url, batch(0)))
    runs = [writers.start("upsert", url, puts=each) for _ in range(processes)]
    found = [f"exit code {code}" for run in runs if (code := writers.wait(run))]
    found += [line for run in runs for line in run.told("refused")]
    acked = [line.split() for run in runs for line in run.told("acked")]
    generation, tools = asyncio.run(_loaded(url))
    if sorted(mark for tool in tools for mark in tool.tags) != sorted(mark for mark, _ in acked):
        found.append("an edit was lost")
    if generation != 1 + len(acked):
        found.append(f"generation {generation} after {1 + len(acked)} changes")
    return found, sorted(float(took) for _, took in acked)[int(0.99 * len(acked))]


async def _made(url: str, tools: Sequence[Tool] = ()) -> None:
    registry = await Registry.open(url)
    await registry.put(tools)
    await registry.close()


async def _loaded(url: str) -> tuple[int, list[Tool]]:
    registry = await Registry.open(url)
    loaded = await registry.load()
    await registry.close()
    return loaded


async def _restored(url: str, file: Path) -> list[str]:
    registry = await Registry.open(url)
    before = (await registry.load())[1]
    copy = await Registry.open(f"sqlite:///{file.with_suffix('.db')}")
    await backup.restore(copy, file)
    same = (await copy.load())[1] == before
    await copy.close()
    await registry.close()
    return [] if same else ["the backup is another state"]


def _settled(url: str, run: Run) -> list[str]:
    """Look when the database has noticed that its client is gone."""
    if url.startswith("postgresql"):
        time.sleep(0.05)
    return asyncio.run(faults_of(url, run))


def main() -> None:
    """Kill and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    runs, draw, postgres = parser.parse_args().runs, random.Random(), Postgres.started()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        writers = Writers(place)
        for store in ("sqlite", "postgresql"):
            _tell_of_kills(writers, store, postgres, place, runs)
            with _registry(store, postgres, place, "contended") as url:
                found, p99_s = contended(writers, url, 8, 5 * runs // 2)
            with ExitStack() as made:
                explore(partial(_machine, writers, made, store, postgres, place), runs // 2, 30)
            _say(f"C13 {store}: {runs // 2} sequences of 30 steps at most, 0 differ")
            _say(f"C09 {store}: 8 processes x {5 * runs // 2} edits, {len(found)} faults, p99 {p99_s:.3f} s")
        bad = 0
        for _ in range(runs // 4):
            with postgres.database() as url:
                bad += bool(postmaster_killed(writers, postgres, url, draw))
        _say(f"C03: {runs // 4} kills of the database server, {bad} with a fault")
        writers.close()
        _tell_of_faults(place, runs)
    postgres.close()


def _tell_of_kills(writers: Writers, store: str, postgres: Postgres, place: Path, runs: int) -> None:
    draw = random.Random()
    bad = 0
    for number in range(runs):
        with _registry(store, postgres, place, f"random-{number}") as url:
            bad += bool(killed_at_random(writers, url, draw))
    _say(f"C01 {store}: {runs} kills at random moments, {bad} with a fault")
    bad = 0
    for number in range(runs // 10 * len(FAILPOINTS)):
        directory = place / f"{store}-{number}"
        directory.mkdir()
        with _registry(store, postgres, directory, "named") as url:
            failpoint = FAILPOINTS[number % len(FAILPOINTS)]
            countdown = 1 if "rename" in failpoint else draw.randint(1, 5)
            bad += bool(killed_at(writers, url, failpoint, countdown, directory))
    _say(f"C02 {store}: {runs // 10 * len(FAILPOINTS)} kills at {len(FAILPOINTS)} named places, {bad} with a fault")


def _tell_of_faults(place: Path, runs: int) -> None:
    writers = Writers(place, faulty_disk(place))
    bad, acked, refused = 0, 0, 0
    for number in range(runs):
        rate = (0.01, 0.05, 0.2, 0.5)[number % 4]
        found, took, not_taken = written_through_faults(writers, f"sqlite:///{place}/faulty-{number}.db", rate, 10)
        bad, acked, refused = bad + bool(found), acked + took, refused + not_taken
    _say(f"C05: {acked + refused} puts over a failing disk, {refused} refused, {bad} registries with a fault")
    writers.close()


def _machine(writers: Writers, made: ExitStack, store: str, postgres: Postgres, place: Path) -> Machine:
    return Machine(made.enter_context(_registry(store, postgres, place, uuid4().hex)), place, writers)


def _registry(store: str, postgres: Postgres, place: Path, name: str) -> AbstractContextManager[str]:
    return postgres.database() if store == "postgresql" else nullcontext(f"sqlite:///{place}/{name}.db")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
