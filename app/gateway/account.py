"""What a request came to: counted and logged once, when its answer has ended. No text, no names, no keys."""

from __future__ import annotations

import structlog

from app.credentials import Headers
from app.routing import Routed
from app.telemetry import Telemetry, Usage

_log = structlog.get_logger()


def usage_of(routed: Routed) -> Usage:
    """Start a usage record from what routing decided."""
    usage = Usage(outcome=routed.outcome, route_ms=routed.route_ms)
    selection = routed.selection
    if selection is not None:
        usage.mode = selection.mode
        usage.sent, usage.available = len(selection.tools), selection.available
        usage.tokens_before, usage.tokens_after = selection.tokens_before, selection.tokens_after
        if routed.outcome != "routed":
            usage.tokens_before = usage.tokens_after
    return usage


def headers_of(usage: Usage) -> Headers:
    """Give the response headers that tell what routing did; never a tool's name."""
    headers = [(b"x-toolfunnel-route-ms", f"{usage.route_ms:.2f}".encode())]
    if usage.mode:
        headers.append((b"x-toolfunnel-tools", f"{usage.sent}/{usage.available}".encode()))
    return headers


def account(usage: Usage, telemetry: Telemetry) -> None:
    """Count a chat request and write its line."""
    telemetry.count(usage)
    _log.info(
        "chat",
        status=usage.status,
        outcome=usage.outcome,
        mode=usage.mode,
        tools=f"{usage.sent}/{usage.available}",
        tokens=f"{usage.tokens_before}->{usage.tokens_after}",
        route_ms=round(usage.route_ms, 2),
        failure=usage.failure,
    )
