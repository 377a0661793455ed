"""What a request came to: counted, logged and traced once, when its answer has ended. No text, no names, no keys."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import structlog

from app.credentials import Headers
from app.gateway import unsupported
from app.gateway.exchange import Exchange
from app.gateway.paths import loggable
from app.recent import Recent, Told, choice_of
from app.routing import Routed
from app.telemetry import Telemetry, Usage

_log = structlog.get_logger()

_TOLD = (  # of a request's record, as its explanation has them
    "caller",
    "status",
    "upstream_status",
    "upstream_id",
    "end",
    "failure",
    "outcome",
    "untrimmed",
    "mode",
    "source",
    "set_aside",
    "available",
    "sent",
    "received_bytes",
)


def add_routing(exchange: Exchange, routed: Routed, received_bytes: int, *, explain: bool = True) -> None:
    """Note what routing decided; to `explain` it, which tools it chose."""
    usage, selection = exchange.usage, routed.selection
    usage.outcome, usage.route_ms, usage.received_bytes = routed.outcome, routed.route_ms, received_bytes
    usage.set_aside = routed.set_aside
    usage.untrimmed = _untrimmed(routed)
    if routed.decided is not None:
        usage.source = f"{routed.decided.source}; reason={routed.decided.why}"
    if routed.parsed is not None:
        exchange.marks["parse begin"], exchange.marks["parse"] = routed.parsed
    if selection is not None:
        usage.mode = selection.mode.value
        usage.sent, usage.available = len(selection.tools), selection.available
        usage.tokens_before, usage.tokens_after = selection.tokens_before, selection.tokens_after
        if routed.outcome != "routed":
            usage.tokens_before = usage.tokens_after
        if explain and routed.pool is not None:
            exchange.choice = choice_of(selection, routed.pool)
        usage.origins = tuple(place if place < routed.own else None for place in selection.positions)


def _untrimmed(routed: Routed) -> str:
    """Return why a request was not routed; '' where it was, also where that changed nothing."""
    if routed.selection is not None:
        return ""
    return routed.left or routed.outcome


def headers_of(usage: Usage) -> Headers:
    """Give the response headers that tell what routing did; never a tool's name."""
    if usage.untrimmed == unsupported.REASON:
        return [(b"x-toolfunnel-tools", b"untrimmed; reason=unsupported")]
    if usage.outcome == "refused":  # it is none that would be routed
        return []
    headers = [(b"x-toolfunnel-route-ms", f"{usage.route_ms:.2f}".encode())]
    if usage.untrimmed:
        headers.append((b"x-toolfunnel-tools", f"untrimmed; reason={usage.untrimmed}".encode()))
    elif usage.mode:
        headers.append((b"x-toolfunnel-tools", f"{usage.sent}/{usage.available}".encode()))
    if usage.source:
        headers.append((b"x-toolfunnel-source", usage.source.encode()))
    if usage.set_aside:
        headers.append((b"x-toolfunnel-set-aside", str(usage.set_aside).encode()))
    return headers


def account(exchange: Exchange, telemetry: Telemetry, recent: Recent | None = None) -> None:
    """Count a request, write its line and end its trace; keep a chat request's explanation where it is wanted."""
    usage = exchange.usage
    exchange.mark("end")
    duration_s, first_byte_s = exchange.since("end"), exchange.since("first byte")
    telemetry.finished(exchange.route, usage, duration_s or 0.0, first_byte_s)
    if usage.untrimmed:
        telemetry.count_untrimmed(usage.untrimmed)
    if exchange.route == "chat":
        telemetry.count(usage)
    elif usage.failure:
        telemetry.count_failure(usage.failure)
    if recent is not None and exchange.route == "chat":
        recent.note(_told(exchange, duration_s, first_byte_s), *filter(None, [usage.upstream_id]))
    if exchange.trace is not None:
        exchange.trace.end(exchange.marks, usage)
    _log.info(
        exchange.route,
        method=exchange.scope["method"],
        path=loggable(exchange.scope["path"]),
        status=usage.status,
        end=usage.end,
        **({"caller": usage.caller} if usage.caller else {}),
        **(_routing(usage) if exchange.route == "chat" else {}),
        duration_ms=_ms(duration_s),
        first_byte_ms=_ms(first_byte_s),
        upstream_status=usage.upstream_status,
        **({"upstream_id": usage.upstream_id} if usage.upstream_id else {}),
        sent_bytes=usage.sent_bytes,
        failure=usage.failure,
        **({"reason": usage.reason} if usage.reason else {}),
        **({"origins": usage.origins} if usage.upstream_status == 400 and usage.outcome == "routed" else {}),
    )


def _told(exchange: Exchange, duration_s: float | None, first_byte_s: float | None) -> Told:
    """Return what is kept of a request: figures, and names of tools."""
    usage = exchange.usage
    kept = {name: getattr(usage, name) for name in _TOLD}
    tokens = {"before": usage.tokens_before, "after": usage.tokens_after}
    timings = {"route": round(usage.route_ms, 2), "first_byte": _ms(first_byte_s), "answer": _ms(duration_s)}
    at = datetime.fromtimestamp(time.time() - (duration_s or 0.0), UTC)
    return Told(exchange.id, at, exchange.choice, kept | {"tokens": tokens, "timings_ms": timings})


def _routing(usage: Usage) -> dict[str, object]:
    return {
        "outcome": usage.outcome,
        "mode": usage.mode,
        "tools": f"{usage.sent}/{usage.available}",
        **({"set_aside": usage.set_aside} if usage.set_aside else {}),
        "tokens": f"{usage.tokens_before}->{usage.tokens_after}",
        "route_ms": round(usage.route_ms, 2),
        "received_bytes": usage.received_bytes,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 2)
