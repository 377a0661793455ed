"""Figures. They live twice: as Prometheus series with bounded labels, and as one `Stats` value for people."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.settings import figures_are_shared

_ROUTE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_LOOK_S = 0.1
_LOOKS_A_SECOND = 10
_Among = Literal["livesum", "livemax", "livemin"]
_KEPT_TIMINGS = 10_000
_NOT_ROUTED = ("off", "refused")  # they took no time and had no tools: counting them would flatter the figures


class Pool(NamedTuple):
    """Connections to the provider: in use, kept for later; and requests that wait for one."""

    busy: int = 0
    idle: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Usage:
    """What one request came to. Counted once, when its answer has ended, however it ended.

    `outcome`: routed, untouched, off, unreadable, timeout or failed; refused when it did not get as far as routing;
    what is not a chat request stays at refused. `failure`: '' or the code of an own error.
    `reason`: why the provider did not answer.
    `end`: whole, refused (by the gateway), client_gone, broken_off (the provider's answer), cut_off (at shutdown) or
    failed (a fault of ours in mid-answer).
    `origins`: for each tool sent its place in the client's list, None for one of the catalogue.
    `untrimmed`: why it was not routed, '' where it was; `source`: whose tools it got, and why.
    `set_aside`: how many tools of the client's were taken out. `caller`: the id of the key that was shown.
    """

    outcome: str = "refused"
    mode: str = ""
    untrimmed: str = ""
    source: str = ""
    sent: int = 0
    available: int = 0
    set_aside: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    route_ms: float = 0.0
    status: int = 0
    failure: str = ""
    reason: str = ""
    end: str = "whole"
    upstream_status: int = 0
    upstream_id: str = ""
    received_bytes: int = 0
    sent_bytes: int = 0
    origins: tuple[int | None, ...] = ()
    caller: str = ""


@dataclass(slots=True)
class Stats:
    """Sums since the process started."""

    requests: int = 0
    tools_available: int = 0
    tools_sent: int = 0
    tokens_before: int = 0
    tokens_saved: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)


class Telemetry:
    """Counts. One per process."""

    def __init__(self) -> None:
        self.stats = Stats()
        self._timings: deque[float] = deque(maxlen=_KEPT_TIMINGS)
        self._registry = CollectorRegistry()
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        # Where there are labels, it is their series that are kept: finding one anew takes longer than counting.
        self._requests = cache(counter("requests", "Chat requests by outcome of routing", "outcome").labels)
        untrimmed = "Requests that went out as they came, not routed, by reason"
        self._untrimmed = cache(counter("untrimmed", untrimmed, "reason").labels)
        self._failures = cache(counter("failures", "Errors raised by the gateway itself", "code").labels)
        self._sent = counter("tools_sent", "Tools sent to the provider")
        self._available = counter("tools_available", "Tools that could have been sent")
        self._saved = counter("tokens_saved", "Estimated tool tokens not sent")
        self._route = histogram("route_seconds", "Time spent on routing", _ROUTE_BUCKETS)
        answers = "Requests below /v1 by route, status class and how the answer ended"
        self._answers = cache(counter("answers", answers, "route", "status", "end").labels)
        self._duration = cache(histogram("request_seconds", "Until an answer's end", _ANSWER_BUCKETS, "route").labels)
        self._first_byte = cache(
            histogram("first_byte_seconds", "Until a body's first byte", _ANSWER_BUCKETS, "route").labels
        )
        self._upstream = cache(counter("upstream_failures", "Calls that the provider failed, by class", "kind").labels)
        self._reloads = cache(counter("config_reloads", "Configurations read again, by result", "result").labels)
        self._refused = gauge("config_refused", "Whether the last configuration was refused", among="livemax")
        self._in_flight = gauge("in_flight", "Requests below /v1 now")
        self._connections = cache(gauge("upstream_connections", "Connections to the provider now", "state").labels)
        self._waiting = gauge("upstream_waiting", "Requests that wait for a connection now")
        self._tasks = gauge("tasks", "Tasks of the event loop, once a second")
        self._lost = counter("log_lines_lost", "Lines of the log that nobody took")
        self._bodies = gauge("body_bytes", "Bytes of large requests that are held now")
        self._caches = cache(
            gauge("cache_bytes", "What is remembered of requests, by cache, once a second", "cache").labels
        )
        self._lag = histogram("event_loop_lag_seconds", "How late the event loop is, ten looks a second", _LAG_BUCKETS)
        self._tools = gauge("catalog_tools", "Tools in the catalogue", among="livemax")
        self._registry_up = gauge("registry_up", "Whether the registry could be read last", among="livemin")
        self._registry_up.set(1)
        self._pending = gauge("catalog_pending_tools", "Tools still without a vector", among="livemax")

    def count(self, usage: Usage) -> None:
        """Add one request."""
        stats = self.stats
        stats.requests += 1
        stats.outcomes[usage.outcome] = stats.outcomes.get(usage.outcome, 0) + 1
        self._requests(usage.outcome).inc()
        if usage.mode:
            stats.modes[usage.mode] = stats.modes.get(usage.mode, 0) + 1
        if usage.failure:
            stats.failures[usage.failure] = stats.failures.get(usage.failure, 0) + 1
            self._failures(usage.failure).inc()
        if usage.outcome in _NOT_ROUTED:
            return
        saved = max(0, usage.tokens_before - usage.tokens_after)
        stats.tools_available += usage.available
        stats.tools_sent += usage.sent
        stats.tokens_before += usage.tokens_before
        stats.tokens_saved += saved
        self._available.inc(usage.available)
        self._sent.inc(usage.sent)
        self._saved.inc(saved)
        self._route.observe(usage.route_ms / 1e3)
        self._timings.append(usage.route_ms)

    def finished(self, route: str, usage: Usage, duration_s: float, first_byte_s: float | None) -> None:
        """Add the answer of one request. `route`: chat or other."""
        self._answers(route, f"{usage.status // 100}xx" if usage.status else "none", usage.end).inc()
        self._duration(route).observe(duration_s)
        if first_byte_s is not None:
            self._first_byte(route).observe(first_byte_s)
        kind = _FAILURES.get(usage.failure) or _failed_with(usage.upstream_status)
        if kind:
            self._upstream(kind).inc()

    def entered(self, inside: int) -> None:
        """Set how many requests there are."""
        self._in_flight.set(inside)

    def reloaded(self, result: str) -> None:
        """Add a reading of the configuration: applied or refused."""
        self._reloads(result).inc()
        self._refused.set(result == "refused")

    async def watch(
        self, pool: Callable[[], Pool], caches: Callable[[], Mapping[str, int]], bodies: Callable[[], int]
    ) -> None:
        """Look at the event loop, at the connections and at what is held in memory, for good."""
        lost = 0
        for look in count():
            began = time.monotonic()
            await asyncio.sleep(_LOOK_S)
            self._lag.observe(max(0.0, time.monotonic() - began - _LOOK_S))
            busy, idle, waiting = pool()
            self._connections("busy").set(busy)
            self._connections("idle").set(idle)
            self._waiting.set(waiting)
            self._bodies.set(bodies())
            if look % _LOOKS_A_SECOND == 0:
                self._tasks.set(len(asyncio.all_tasks()))
                for cache, used_bytes in caches().items():
                    self._caches(cache).set(used_bytes)
                self._lost.inc((now := getattr(sys.stderr, "lost", lost)) - lost)
                lost = now

    def count_failure(self, code: str) -> None:
        """Add an error of a request that was not one to route."""
        self.stats.failures[code] = self.stats.failures.get(code, 0) + 1
        self._failures(code).inc()

    def count_untrimmed(self, reason: str) -> None:
        """Add a request to a model that was not routed, by one of a few reasons."""
        self._untrimmed(reason).inc()

    def catalog(self, tools: int, pending: int) -> None:
        """Set the size of the catalogue."""
        self._tools.set(tools)
        self._pending.set(pending)

    def registry(self, *, up: bool) -> None:
        """Set whether the registry can be read."""
        self._registry_up.set(up)

    def route_percentiles(self) -> dict[str, float]:
        """Give p50, p90, p99 and the maximum of the latest routing times, in milliseconds."""
        ordered = sorted(self._timings)
        if not ordered:
            return {"p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0}
        at = {name: ordered[min(int(len(ordered) * q), len(ordered) - 1)] for name, q in _QUANTILES}
        return {**at, "max": ordered[-1]}

    def exposition(self) -> bytes:
        """Give the Prometheus text; of several processes that share their figures, what they come to together."""
        if not figures_are_shared():
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"toolfunnel_{name}", meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str, among: _Among = "livesum") -> Gauge:
        """Make a gauge; `among`: what several processes come to together."""
        return Gauge(f"toolfunnel_{name}", meaning, labels, registry=self._registry, multiprocess_mode=among)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"toolfunnel_{name}", meaning, labels, buckets=buckets, registry=self._registry)


def _failed_with(status: int) -> str:
    """Give the class of a provider's status: '' where it is the request's own fault, or no failure."""
    return "status_429" if status == 429 else "status_5xx" if status >= 500 else ""


_FAILURES = {
    "upstream_unreachable": "unreachable",
    "upstream_timeout": "timeout",
    "upstream_broke_off": "broke_off",
    "upstream_error": "other",
}
_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
