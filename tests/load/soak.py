"""100,000 requests mixed from success, errors and disconnects: what is left in the gateway afterwards?

`python -m tests.load.soak --count 100000 --workers 1`. First come 25,000 questions that are all different, so that what
the gateway remembers of questions and conversations is as full as it gets, and 5,000 requests of the mix. The start is
what it holds at rest then; the end, what it holds at rest after the last request.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import Chaos
from tests.load import mix
from tests.load.figures import Held, Lag, at_rest
from tests.support import tools
from tests.support.gateway import GatewayProcess

CLIENTS = 8
FILL = 25_000
WARM_UP = 5_000
NOVEL = 0.5
_LOOK_EVERY = 10_000
_AT_A_TIME = 2_000
GROWTH = 0.05
SPARE = 2
LAG_S = 0.05
SETTINGS = {
    "UPSTREAM__MAX_CONNECTIONS": "100",
    "UPSTREAM__FIRST_BYTE_TIMEOUT_S": "2",
    "UPSTREAM__IDLE_TIMEOUT_S": "2",
    "LOG__FORMAT": "json",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a soak came to."""

    count: int
    seconds: float
    start: Held
    end: Held
    lag: Lag
    unexpected: list[str]

    @property
    def faults(self) -> list[str]:
        """Say what must not be."""
        found = {
            f"memory grew by {self.end.grown_by(self.start):.1%}": self.end.grown_by(self.start) > GROWTH,
            f"{self.end.files_more_than(self.start):+} files": abs(self.end.files_more_than(self.start)) > SPARE,
            f"{self.end.tasks - self.start.tasks:+} tasks": self.end.tasks - self.start.tasks > SPARE,
            f"{len(self.unexpected)} unexpected: {self.unexpected[:5]}": bool(self.unexpected),
        }
        return [text for text, wrong in found.items() if wrong]

    def __str__(self) -> str:
        return (
            f"{self.count} requests in {self.seconds:.0f} s ({self.count / self.seconds:.0f}/s), "
            f"{len(self.unexpected)} unexpected\n  start: {self.start}\n  end:   {self.end}\n"
            f"  memory {self.end.grown_by(self.start):+.1%}, files {self.end.files_more_than(self.start):+}, "
            f"tasks {self.end.tasks - self.start.tasks:+}\n  event loop late by {self.lag}\n"
        )


@contextmanager
def served(workers: int, **settings: str) -> Iterator[tuple[GatewayProcess, Chaos]]:
    """Start a provider and a gateway with 300 tools."""
    chaos = Chaos(SCENARIOS).start()
    with tempfile.TemporaryDirectory() as directory:
        values = {"UPSTREAM__BASE_URL": chaos.base_url, **SETTINGS, **settings}
        gateway = GatewayProcess.start(Path(directory), values, workers=workers)
        try:
            gateway.register([tools.record(tool) for tool in tools.distinct(300)])
            yield gateway, chaos
        finally:
            gateway.stop()
            chaos.stop()


def soak(
    gateway: GatewayProcess,
    chaos: Chaos,
    *,
    count: int,
    warm_up: int = WARM_UP,
    fill: int = 0,
    novel: float = NOVEL,
    groups: mix.Groups = mix.ALL,
    show: bool = False,
) -> Result:
    """Ask `fill` and `warm_up` requests, look, ask `count`, look again."""
    unexpected = _asked(gateway, chaos, [mix.Kind()] * fill, 1.0)
    wanted = mix.kinds(warm_up + count, groups)
    unexpected += _asked(gateway, chaos, islice(wanted, warm_up), novel)
    start, late, spent = at_rest(gateway, chaos), Lag.of(gateway), 0.0
    for asked in range(0, count, _LOOK_EVERY):
        began = time.monotonic()
        unexpected += _asked(gateway, chaos, islice(wanted, min(_LOOK_EVERY, count - asked)), novel)
        spent += time.monotonic() - began
        if show:
            sys.stdout.write(f"  {asked + _LOOK_EVERY}: {Held.by(gateway)}\n")
            sys.stdout.flush()
    lag = Lag.of(gateway).since(late)
    return Result(count, spent, start, at_rest(gateway, chaos), lag, unexpected)


def _asked(gateway: GatewayProcess, chaos: Chaos, wanted: Iterable[mix.Kind], novel: float) -> list[str]:
    unexpected: list[str] = []
    every = iter(wanted)
    while some := list(islice(every, _AT_A_TIME)):
        unexpected += asyncio.run(mix.run(gateway.port, CLIENTS, some, novel))
        chaos.reset()  # it keeps what came
    return unexpected


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.soak", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with served(arguments.workers) as (gateway, chaos):
        result = soak(gateway, chaos, count=arguments.count, fill=FILL, show=True)
    sys.stdout.write(f"{arguments.workers} worker(s): {result}")
    sys.stdout.writelines(f"  {fault}\n" for fault in result.faults)
    sys.exit(bool(result.faults) or result.lag.at_most(0.99) > LAG_S)


if __name__ == "__main__":
    main()
