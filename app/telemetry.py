"""Logs and figures. Owns what is counted and how a line looks; never sees a body, a header or a key.

Figures live twice: as Prometheus series with bounded labels, and as one `Stats` value for people.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app.settings import LogFormat, LogSettings

_ROUTE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_KEPT_TIMINGS = 10_000
_NOT_ROUTED = ("off", "refused")  # they took no time and had no tools: counting them would flatter the figures


class BrokenOff(Exception):
    """An answer could not be finished: the connection is closed without its end, so that it never looks whole."""


class _WithoutBrokenOff(logging.Filter):
    """Keeps the server from printing a traceback for an answer that was broken off on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, BrokenOff)


def configure_logging(settings: LogSettings) -> None:
    """Send structured lines to standard error."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    server = logging.getLogger("uvicorn.error")
    if not any(isinstance(known, _WithoutBrokenOff) for known in server.filters):
        server.addFilter(_WithoutBrokenOff())


@dataclass(slots=True)
class Usage:
    """What one chat request came to. Counted once, when its answer has ended, however it ended.

    `outcome`: routed, untouched, off, unreadable, timeout or failed; refused when it did not get as far as routing.
    `failure`: '' or the code of an own error.
    """

    outcome: str = "refused"
    mode: str = ""
    sent: int = 0
    available: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    route_ms: float = 0.0
    status: int = 0
    failure: str = ""


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
        self._requests = Counter(
            "toolfunnel_requests", "Chat requests by outcome of routing", ["outcome"], registry=self._registry
        )
        self._failures = Counter(
            "toolfunnel_failures", "Errors raised by the gateway itself", ["code"], registry=self._registry
        )
        self._sent = Counter("toolfunnel_tools_sent", "Tools sent to the provider", registry=self._registry)
        self._available = Counter(
            "toolfunnel_tools_available", "Tools that could have been sent", registry=self._registry
        )
        self._saved = Counter("toolfunnel_tokens_saved", "Estimated tool tokens not sent", registry=self._registry)
        self._route = Histogram(
            "toolfunnel_route_seconds",
            "Time spent on routing",
            buckets=_ROUTE_BUCKETS,
            registry=self._registry,
        )
        self._tools = Gauge("toolfunnel_catalog_tools", "Tools in the catalogue", registry=self._registry)
        self._pending = Gauge(
            "toolfunnel_catalog_pending_tools", "Tools still without a vector", registry=self._registry
        )

    def count(self, usage: Usage) -> None:
        """Add one request."""
        stats = self.stats
        stats.requests += 1
        stats.outcomes[usage.outcome] = stats.outcomes.get(usage.outcome, 0) + 1
        self._requests.labels(usage.outcome).inc()
        if usage.mode:
            stats.modes[usage.mode] = stats.modes.get(usage.mode, 0) + 1
        if usage.failure:
            stats.failures[usage.failure] = stats.failures.get(usage.failure, 0) + 1
            self._failures.labels(usage.failure).inc()
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

    def count_failure(self, code: str) -> None:
        """Add an error of a request that was not one to route."""
        self.stats.failures[code] = self.stats.failures.get(code, 0) + 1
        self._failures.labels(code).inc()

    def catalog(self, tools: int, pending: int) -> None:
        """Set the size of the catalogue."""
        self._tools.set(tools)
        self._pending.set(pending)

    def route_percentiles(self) -> dict[str, float]:
        """Give p50, p90, p99 and the maximum of the latest routing times, in milliseconds."""
        ordered = sorted(self._timings)
        if not ordered:
            return {"p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0}
        at = {name: ordered[min(int(len(ordered) * q), len(ordered) - 1)] for name, q in _QUANTILES}
        return {**at, "max": ordered[-1]}

    def exposition(self) -> bytes:
        """Give the Prometheus text."""
        return generate_latest(self._registry)


_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
