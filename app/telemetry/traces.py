"""Traces for OpenTelemetry, one span a step. Off, nothing of it is imported.

Spans hold figures and the names of steps: no path, no header, no text, not even the caller's `tracestate`. A
`traceparent` that is understood is continued, and replaced by ours on the way to the provider; any other passes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from starlette.types import Scope

from app.credentials import Headers
from app.errors import ConfigurationError
from app.settings import TraceSettings
from app.telemetry.metrics import Usage
from app.telemetry.redact import Redaction

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_PARENT = b"traceparent"
# Source: W3C Trace Context, 3.2; of later versions the first four fields are read, too.
_FORM = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_EXPORT_S = 5.0
# Span, the mark where it begins, the mark where it ends; where a step did not happen there is no span.
_STEPS = (
    ("identify", "begin", "identify"),
    ("receive", "identify", "receive"),
    ("route", "receive", "route"),
    ("parse", "parse begin", "parse"),
    ("first byte", "forward", "first byte"),
    ("relay", "first byte", "end"),
)


class Tracing:
    """Makes traces. `close()` it: what was not sent yet is sent then."""

    def __init__(self, provider: TracerProvider, redaction: Redaction) -> None:
        self._provider = provider
        self._redaction = redaction
        self._tracer = provider.get_tracer("toolfunnel")

    def begin(self, route: str, scope: Scope, request_id: str) -> Trace:
        """Begin the trace of a request, or continue its caller's."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra

        shown = [value for name, value in scope["headers"] if name == _PARENT]
        context = _context(shown[0]) if len(shown) == 1 else None
        span = self._tracer.start_span(
            f"{scope['method']} {route}",
            context,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": scope["method"],
                "toolfunnel.request_id": self._redaction.text(request_id),
            },
        )
        return Trace(self, span, understood=context is not None or not shown)

    def step(self, parent: Span, name: str, begin_ns: int | None = None) -> Span:
        """Begin the span of a step."""
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415 - an extra

        kind = SpanKind.CLIENT if name == "forward" else SpanKind.INTERNAL
        return self._tracer.start_span(name, set_span_in_context(parent), kind=kind, start_time=begin_ns)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class Trace:
    """The trace of one request."""

    def __init__(self, tracing: Tracing, span: Span, *, understood: bool) -> None:
        self._tracing = tracing
        self._span = span
        self._understood = understood
        self._forward: Span | None = None

    def passed_on(self, headers: Headers) -> Headers:
        """Begin the call to the provider: give its headers, with our `traceparent` unless theirs is not understood."""
        self._forward = self._tracing.step(self._span, "forward")
        if not self._understood:
            return headers
        at = self._forward.get_span_context()
        parent = f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}".encode()
        return [*((name, value) for name, value in headers if name != _PARENT), (_PARENT, parent)]

    def end(self, marks: Mapping[str, float], usage: Usage) -> None:
        """Write the spans of the steps that were reached and end the trace. `marks`: `time.perf_counter()`."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

        epoch_s = time.time() - time.perf_counter()
        at = {step: int((epoch_s + mark) * 1e9) for step, mark in marks.items()}
        if self._span.is_recording():
            for name, begin, end in _STEPS:
                if begin in at and end in at:
                    self._tracing.step(self._span, name, at[begin]).end(at[end])
            self._span.set_attributes(_attributes(usage))
        for span in (self._forward, self._span):
            if span is not None:
                if usage.failure or usage.end != "whole":
                    span.set_status(StatusCode.ERROR)
                span.end(at.get("forward", at["end"]) if span is self._forward else at["end"])


def tracing_to(settings: TraceSettings, secrets: Iterable[str] = ()) -> Tracing | None:
    """Make what `trace` says, in which none of `secrets` is written; None where it is off.

    Raises:
        ConfigurationError: The extra `otel` is not installed.
    """
    if not settings.endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("trace.endpoint needs the extra otel: pip install 'toolfunnel[otel]'") from error
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.sample),
        resource=Resource.create({"service.name": settings.service}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=settings.endpoint, timeout=_EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider, Redaction(secrets))


def _context(parent: bytes) -> Context | None:
    """Read a `traceparent`; None if it is none."""
    from opentelemetry.trace import (  # noqa: PLC0415 - an extra
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    found = _FORM.fullmatch(parent)
    if found is None or (found[1] == b"00" and found[5]):
        return None
    flags = TraceFlags(int(found[4], 16))
    return set_span_in_context(
        NonRecordingSpan(SpanContext(int(found[2], 16), int(found[3], 16), is_remote=True, trace_flags=flags))
    )


def _attributes(usage: Usage) -> dict[str, str | int]:
    return {
        "http.response.status_code": usage.status,
        "toolfunnel.outcome": usage.outcome,
        "toolfunnel.mode": usage.mode,
        "toolfunnel.tools.sent": usage.sent,
        "toolfunnel.tools.available": usage.available,
        "toolfunnel.tokens.before": usage.tokens_before,
        "toolfunnel.tokens.after": usage.tokens_after,
        "toolfunnel.end": usage.end,
        "toolfunnel.failure": usage.failure,
        "toolfunnel.upstream.status_code": usage.upstream_status,
    }
