"""app/telemetry.py: what is counted, and how a line looks."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from app.settings import LogFormat, LogSettings
from app.telemetry import BrokenOff, Telemetry, Usage, configure_logging

ROUTED = Usage("routed", "hybrid", sent=12, available=300, tokens_before=9_000, tokens_after=800, route_ms=4.0)


@pytest.fixture
def telemetry() -> Telemetry:
    """Fresh figures."""
    return Telemetry()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Put the logs back as they were."""
    server = logging.getLogger("uvicorn.error")
    filters = list(server.filters)
    yield
    server.filters[:] = filters
    structlog.reset_defaults()


def figure(telemetry: Telemetry, series: str) -> float:
    """Give the value of a series of the Prometheus text."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", telemetry.exposition().decode(), re.MULTILINE)
    assert found, series
    return float(found[1])


def test_count_adds_up(telemetry: Telemetry) -> None:
    """Requests, tools and tokens are sums."""
    telemetry.count(ROUTED)
    telemetry.count(ROUTED)
    stats = telemetry.stats
    assert (stats.requests, stats.tools_sent, stats.tools_available) == (2, 24, 600)
    assert (stats.tokens_before, stats.tokens_saved) == (18_000, 16_400)
    assert stats.outcomes == {"routed": 2}


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ('toolfunnel_requests_total{outcome="routed"}', 1),
        ("toolfunnel_tools_sent_total", 12),
        ("toolfunnel_tools_available_total", 300),
        ("toolfunnel_tokens_saved_total", 8_200),
        ("toolfunnel_route_seconds_count", 1),
        ("toolfunnel_route_seconds_sum", 0.004),
        ('toolfunnel_route_seconds_bucket{le="0.005"}', 1),
        ('toolfunnel_route_seconds_bucket{le="0.002"}', 0),
    ],
)
def test_exposition_says_the_same(telemetry: Telemetry, series: str, value: float) -> None:
    """Each figure is a Prometheus series."""
    telemetry.count(ROUTED)
    assert figure(telemetry, series) == pytest.approx(value)


@pytest.mark.parametrize("outcome", ["off", "refused"])
def test_what_was_not_routed_counts_as_a_request_alone(telemetry: Telemetry, outcome: str) -> None:
    """No time and no tools are counted for what did not get as far as routing."""
    telemetry.count(Usage(outcome))
    assert telemetry.stats.outcomes == {outcome: 1}
    assert figure(telemetry, "toolfunnel_route_seconds_count") == 0
    assert telemetry.route_percentiles()["max"] == 0.0


def test_usage_begins_as_refused() -> None:
    """Until routing has said otherwise, a request did not get as far."""
    assert Usage().outcome == "refused"


def test_tokens_are_never_saved_below_zero(telemetry: Telemetry) -> None:
    """A request that was given more than it came with saves nothing, and takes nothing from the sum."""
    telemetry.count(Usage("routed", tokens_before=10, tokens_after=500))
    assert telemetry.stats.tokens_saved == 0


def test_failures_are_counted_by_code(telemetry: Telemetry) -> None:
    """Those of chat requests and the others are one sum."""
    telemetry.count(Usage(failure="upstream_timeout"))
    telemetry.count_failure("upstream_timeout")
    assert telemetry.stats.failures == {"upstream_timeout": 2}
    assert figure(telemetry, 'toolfunnel_failures_total{code="upstream_timeout"}') == 2


def test_catalog_sets_its_gauges(telemetry: Telemetry) -> None:
    """The size of the catalogue is what it was last told to be."""
    telemetry.catalog(10, 4)
    telemetry.catalog(11, 0)
    assert figure(telemetry, "toolfunnel_catalog_tools") == 11
    assert figure(telemetry, "toolfunnel_catalog_pending_tools") == 0


def test_percentiles_of_nothing_are_zero(telemetry: Telemetry) -> None:
    """Before the first request there is a number all the same."""
    assert telemetry.route_percentiles() == {"p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0}


def test_percentiles_are_of_the_sorted_times(telemetry: Telemetry) -> None:
    """Of 1 to 100 ms, in whatever order, half are below 51 ms."""
    for ms in (*range(51, 101), *range(1, 51)):
        telemetry.count(Usage("routed", route_ms=float(ms)))
    assert telemetry.route_percentiles() == {"p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 100.0}


def test_percentiles_forget_the_oldest(telemetry: Telemetry) -> None:
    """Only the latest 10,000 times are kept."""
    telemetry.count(Usage("routed", route_ms=999.0))
    for _ in range(10_000):
        telemetry.count(Usage("routed", route_ms=1.0))
    assert telemetry.route_percentiles()["max"] == 1.0


def test_two_telemetries_share_nothing() -> None:
    """Two applications in one process count for themselves."""
    first, second = Telemetry(), Telemetry()
    first.count(ROUTED)
    assert second.stats.requests == 0
    assert figure(second, "toolfunnel_tools_sent_total") == 0


@pytest.mark.usefixtures("logging_restored")
def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """In json format each line is an object with level, time, event and what was said, in any script."""
    configure_logging(LogSettings(format=LogFormat.JSON))
    structlog.get_logger().info("chat", tools="天気", status=200)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["event"], line["tools"], line["status"]) == ("info", "chat", "天気", 200)
    assert line["timestamp"].endswith("Z")


@pytest.mark.usefixtures("logging_restored")
def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A level leaves out what is less important, and standard output stays clean."""
    configure_logging(LogSettings(level="warning"))
    structlog.get_logger().info("chat")
    structlog.get_logger().warning("trouble")
    captured = capsys.readouterr()
    assert "chat" not in captured.err
    assert "trouble" in captured.err
    assert captured.out == ""


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize(("error", "shown"), [(BrokenOff("half"), False), (ValueError("a bug"), True)])
def test_an_answer_broken_off_on_purpose_is_no_traceback(
    caplog: pytest.LogCaptureFixture, error: Exception, shown: bool
) -> None:
    """The server's log shows the traceback of a fault, but none of an answer that was broken off on purpose."""
    configure_logging(LogSettings())
    configure_logging(LogSettings())
    try:
        raise error
    except (BrokenOff, ValueError):
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert ("Exception in ASGI application" in caplog.text) is shown
    assert len(logging.getLogger("uvicorn.error").filters) == 1
