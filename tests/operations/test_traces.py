"""Traces, as a collector gets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import UNHURRIED
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.otlp import Collector
from tests.support.upstream import Upstream, json_answer

QUESTION = tools.chat("list exams", stream=True)
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A running collector."""
    running = Collector().start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(
    running_upstream: Upstream, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A server that sends its spans there, ten times a second instead of every five."""
    settings = {
        "UPSTREAM__BASE_URL": running_upstream.base_url,
        "TRACE__ENDPOINT": collector.endpoint,
        "LOG__FORMAT": "json",
        **UNHURRIED,
    }
    running = GatewayProcess.start(tmp_path_factory.mktemp("traces"), settings, OTEL_BSP_SCHEDULE_DELAY="100")
    yield running
    running.stop()


def test_a_request_has_a_span_for_every_step(gateway: GatewayProcess, collector: Collector) -> None:
    """Identify, parse, route, forward, first byte and relay lie within the request's span, in order."""
    answer = gateway.post(QUESTION)
    root, *steps = collector.trace_of(answer.headers["x-request-id"])
    assert root.name == "POST chat"
    assert [step.name for step in steps] == [
        "identify", "receive", "route", "parse", "forward", "first byte", "relay",
    ]  # fmt: skip
    assert {step.parent for step in steps} == {root.id}
    assert all(root.begin_ns - 1_000_000 <= step.begin_ns <= step.end_ns <= root.end_ns + 1_000_000 for step in steps)
    assert (root.attributes["http.response.status_code"], root.failed) == (200, False)


def test_a_callers_trace_is_continued_and_passed_on(
    gateway: GatewayProcess, upstream: Upstream, collector: Collector
) -> None:
    """The provider sees the caller's trace with our call as parent, and `tracestate` as it was."""
    answer = gateway.post(QUESTION, traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="vendor=opaque")
    root, *steps = collector.trace_of(answer.headers["x-request-id"])
    forward = next(step for step in steps if step.name == "forward")
    assert (root.trace, root.parent) == (TRACE, PARENT)
    assert upstream.last.values("traceparent") == [f"00-{TRACE}-{forward.id}-01"]
    assert upstream.last.values("tracestate") == ["vendor=opaque"]


def test_a_trace_is_begun_where_there_is_none(
    gateway: GatewayProcess, upstream: Upstream, collector: Collector
) -> None:
    """Without a caller's trace the provider sees ours."""
    answer = gateway.post(QUESTION)
    root, *_ = collector.trace_of(answer.headers["x-request-id"])
    assert upstream.last.values("traceparent")[0].split("-")[1] == root.trace
    assert root.parent == ""


@pytest.mark.parametrize(
    "shown", ["garbage", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more"]
)
def test_a_traceparent_that_is_not_understood_passes(
    gateway: GatewayProcess, upstream: Upstream, collector: Collector, shown: str
) -> None:
    """It reaches the provider as it is, and a trace of our own is written."""
    answer = gateway.post(QUESTION, traceparent=shown)
    assert upstream.last.values("traceparent") == [shown]
    assert collector.trace_of(answer.headers["x-request-id"])[0].trace != TRACE


def test_a_caller_that_does_not_sample_is_followed(
    gateway: GatewayProcess, upstream: Upstream, collector: Collector
) -> None:
    """An unsampled trace is passed on as unsampled, and none of its spans is sent."""
    gateway.post(QUESTION, traceparent=f"00-{'1' * 32}-{PARENT}-00")
    seen = upstream.last.values("traceparent")[0]
    later = gateway.post(QUESTION)
    collector.trace_of(later.headers["x-request-id"])
    assert (seen.split("-")[1], seen.split("-")[3]) == ("1" * 32, "00")
    assert not any(span.trace == "1" * 32 for span in collector.spans)


def test_a_failure_is_marked(gateway: GatewayProcess, upstream: Upstream, collector: Collector) -> None:
    """A request that the gateway refused has a failed span; a provider's own error is an answer like others."""
    refused = gateway.post(QUESTION, x_toolfunnel_k="0").headers["x-request-id"]
    upstream.respond_with(json_answer({}, 500))
    answered = gateway.post({}, "/embeddings").headers["x-request-id"]
    assert [collector.trace_of(one)[0].failed for one in (refused, answered)] == [True, False]


def test_without_tracing_a_traceparent_passes_and_nothing_is_added(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """By default the gateway takes no part in traces."""
    bare_gateway.post(QUESTION, traceparent="anything")
    bare_gateway.post(QUESTION)
    assert [request.values("traceparent") for request in upstream.requests] == [["anything"], []]


def test_without_tracing_nothing_of_it_is_imported() -> None:
    """The application is made without OpenTelemetry's SDK and exporter (other libraries may import its API)."""
    code = (
        "import sys; from app.main import create_app; from app.settings import Settings; create_app(Settings());"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
