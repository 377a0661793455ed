"""What a running server holds: memory, files, tasks; and how late its event loop was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.server import Chaos
from tests.support.gateway import GatewayProcess

_MIB = 2**20
_SETTLED_S = 3.0  # memory is given back two seconds after a crowd has left
_PATIENCE_S = 20.0


def workers(pid: int) -> list[int]:
    """Give the processes that serve: the children of one that has some, else itself."""
    found = psutil.Process(pid).children(recursive=True)
    return [child.pid for child in found if "spawn_main" in " ".join(child.cmdline())] or [pid]


@dataclass(frozen=True, slots=True)
class Held:
    """What the processes of a server hold: resident memory and open files of each, tasks of all."""

    rss_bytes: tuple[int, ...]
    files: tuple[int, ...]
    tasks: int

    @classmethod
    def by(cls, gateway: GatewayProcess) -> Self:
        """Look."""
        processes = [psutil.Process(pid) for pid in workers(gateway.pid)]
        return cls(
            tuple(process.memory_info().rss for process in processes),
            tuple(process.num_fds() for process in processes),
            int(series(gateway)["toolfunnel_tasks"]),
        )

    def grown_by(self, before: Held) -> float:
        """Give the growth of the process that grew most, as a share of what it had."""
        return max(now / then for now, then in zip(self.rss_bytes, before.rss_bytes, strict=True)) - 1

    def files_more_than(self, before: Held) -> int:
        """Give the largest difference in open files."""
        return max((now - then for now, then in zip(self.files, before.files, strict=True)), key=abs)

    def __str__(self) -> str:
        memory = " + ".join(f"{size / _MIB:.1f}" for size in self.rss_bytes)
        return f"{memory} MiB, {' + '.join(map(str, self.files))} files, {self.tasks} tasks"


def at_rest(gateway: GatewayProcess, chaos: Chaos) -> Held:
    """Wait until nobody is served any more and the provider's idle connections are closed; then look."""
    deadline = time.monotonic() + _PATIENCE_S
    while series(gateway)["toolfunnel_in_flight"]:
        assert time.monotonic() < deadline, "requests are still in flight"
        time.sleep(0.1)
    chaos.hang_up()
    time.sleep(_SETTLED_S)
    return Held.by(gateway)


def series(gateway: GatewayProcess) -> Mapping[str, float]:
    """Give every sample that needs no label but the bound of its bucket."""
    families = text_string_to_metric_families(gateway.admin("GET", "/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return {sample.name + sample.labels.get("le", ""): sample.value for sample in samples}


@dataclass(frozen=True, slots=True)
class Lag:
    """How late the event loops were, by the bounds of the histogram's buckets."""

    counts: Mapping[float, float]

    @classmethod
    def of(cls, gateway: GatewayProcess) -> Self:
        """Look at what was counted since the start."""
        name = "toolfunnel_event_loop_lag_seconds_bucket"
        found = {key.removeprefix(name): value for key, value in series(gateway).items() if key.startswith(name)}
        return cls({float(bound): value for bound, value in found.items()})

    def since(self, before: Lag) -> Lag:
        """Give what was counted since another look."""
        return Lag({bound: count - before.counts[bound] for bound, count in self.counts.items()})

    def at_most(self, share: float) -> float:
        """Give the smallest bound in seconds that this share of all looks was within."""
        total = max(self.counts.values())
        return min(bound for bound, count in self.counts.items() if count >= share * total)

    def __str__(self) -> str:
        shown = ", ".join(f"{bound * 1e3:g}: {count:.0f}" for bound, count in sorted(self.counts.items()))
        return f"p50 {self.at_most(0.5) * 1e3:g} ms, p99 {self.at_most(0.99) * 1e3:g} ms at most ({shown})"
