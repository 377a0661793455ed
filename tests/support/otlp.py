"""A collector of traces: takes OTLP over HTTP on a real port, in a thread."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_PATIENCE_S = 20.0
_STEP_S = 0.05


@dataclass
class Span:
    """What a span came as."""

    name: str
    trace: str
    id: str
    parent: str
    begin_ns: int
    end_ns: int
    attributes: dict[str, Any]
    failed: bool


@dataclass
class Collector:
    """Keeps what comes. `raw` is every body, unpacked."""

    raw: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def start(self) -> Collector:
        """Listen."""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_request(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True, name="collector").start()
        return self

    @property
    def endpoint(self) -> str:
        """Where to send spans."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"

    def take(self, body: bytes) -> None:
        """Read an export."""
        raw = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.raw.append(raw)
        for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(map(_read, scope.spans))

    def trace_of(self, request_id: str) -> list[Span]:
        """Wait for the trace of a request; give its spans, the outermost first, then by their beginnings.

        Raises:
            AssertionError: It does not come.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            spans = list(self.spans)
            found = [span for span in spans if span.attributes.get("toolfunnel.request_id") == request_id]
            if found:
                mine = [span for span in spans if span.trace == found[0].trace and span is not found[0]]
                return [found[0], *sorted(mine, key=lambda span: span.begin_ns)]
            assert time.monotonic() < deadline, "no such trace"
            time.sleep(_STEP_S)

    def stop(self) -> None:
        """Close everything."""
        self._server.shutdown()
        self._server.server_close()


def _read(span: Any) -> Span:
    values = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    return Span(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        values,
        failed=span.status.code == 2,
    )
