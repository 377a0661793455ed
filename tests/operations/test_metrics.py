"""The figures of /metrics, as Prometheus reads them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.command import Place, wait_until
from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess, free_port
from tests.support.sockets import RawClient
from tests.support.upstream import Ending, Upstream, event, json_answer, never, sse

QUESTION = tools.chat("list exams", stream=True)
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that waits a second for its provider."""
    return shared_gateway(UPSTREAM__FIRST_BYTE_TIMEOUT_S="1", UPSTREAM__IDLE_TIMEOUT_S="1")


def series(gateway: GatewayProcess) -> Series:
    """Give every sample by name and labels."""
    families = text_string_to_metric_families(gateway.admin("GET", "/metrics").text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def figure(gateway: GatewayProcess, name: str, **labels: str) -> float:
    """Give one sample, 0 where there is none yet."""
    return series(gateway).get((f"toolfunnel_{name}", frozenset(labels.items())), 0.0)


@pytest.mark.parametrize(
    ("answer", "labels", "kind"),
    [
        (sse(event({"content": "a"})), {"status": "2xx", "end": "whole"}, None),
        (json_answer({}, 429), {"status": "4xx", "end": "whole"}, "status_429"),
        (json_answer({}, 503), {"status": "5xx", "end": "whole"}, "status_5xx"),
        (sse(event({"content": "a"}), ending=Ending.RESET), {"status": "2xx", "end": "broken_off"}, "broke_off"),
        (never(), {"status": "5xx", "end": "refused"}, "timeout"),
    ],
)
def test_answers_are_counted_by_how_they_ended(
    gateway: GatewayProcess, upstream: Upstream, answer: object, labels: dict[str, str], kind: str | None
) -> None:
    """Each ending raises one series by one, and the provider's failures are counted by class."""
    before = figure(gateway, "answers_total", route="chat", **labels)
    failed = figure(gateway, "upstream_failures_total", kind=kind or "")
    upstream.respond_with(answer)  # type: ignore[arg-type]
    with suppress(httpx.RemoteProtocolError):
        gateway.post(QUESTION)
    wait_until(lambda: figure(gateway, "answers_total", route="chat", **labels) == before + 1, 5)
    assert figure(gateway, "upstream_failures_total", kind=kind or "") == failed + bool(kind)


def test_an_unreachable_provider_is_counted(shared_gateway: StartGateway) -> None:
    """A connection that cannot be made is a failure of the provider."""
    gateway = shared_gateway(UPSTREAM__BASE_URL=f"http://127.0.0.1:{free_port()}/v1")
    gateway.post({}, "/embeddings")
    wait_until(lambda: figure(gateway, "upstream_failures_total", kind="unreachable") == 1, 5)
    assert figure(gateway, "failures_total", code="upstream_unreachable") == 1


def test_times_are_measured(gateway: GatewayProcess) -> None:
    """Duration and time to the first byte have histograms by route."""
    names = ("request_seconds_count", "first_byte_seconds_count")
    before = [figure(gateway, name, route="other") for name in names]
    gateway.post({}, "/embeddings")
    wait_until(lambda: [figure(gateway, name, route="other") for name in names] == [n + 1 for n in before], 5)


def test_a_request_under_way_is_seen(gateway: GatewayProcess, upstream: Upstream) -> None:
    """While an answer is awaited, it is in flight on a busy connection; afterwards neither."""
    upstream.respond_with(sse(event({"content": "a"}), 0.8, event({"content": "b"})))
    with RawClient(gateway.port) as client:
        client.send(sockets.request(tools.encoded(QUESTION)))
        client.receive_until(b"data:")
        assert figure(gateway, "in_flight") == 1
        wait_until(lambda: figure(gateway, "upstream_connections", state="busy") == 1, 5)
        client.receive_until(b"0\r\n\r\n")
    wait_until(lambda: figure(gateway, "upstream_connections", state="busy") == 0, 5)
    assert figure(gateway, "upstream_connections", state="idle") >= 1
    assert (figure(gateway, "in_flight"), figure(gateway, "upstream_waiting")) == (0, 0)


def test_waiting_for_a_connection_is_seen(shared_gateway: StartGateway, upstream: Upstream) -> None:
    """With one connection the second request waits, and that is told."""
    gateway = shared_gateway(UPSTREAM__MAX_CONNECTIONS="1")
    upstream.respond_with(never())
    with RawClient(gateway.port) as first, RawClient(gateway.port) as second:
        for client in (first, second):
            client.send(sockets.request(tools.encoded(QUESTION)))
        wait_until(lambda: figure(gateway, "upstream_waiting") == 1, 5)
    wait_until(lambda: figure(gateway, "in_flight") == 0, 5)


def test_workers_add_up(tmp_path: Path, upstream: Upstream) -> None:
    """With two workers any scrape tells of all requests, and of the catalogue once."""
    place = Place(tmp_path, {"UPSTREAM__BASE_URL": upstream.base_url, "SERVER__SHUTDOWN_GRACE_S": "2"})
    port = free_port()
    process = place.start("serve", "--port", str(port), "--workers", "2")
    server = GatewayProcess(process, port, tmp_path)
    try:
        wait_until(lambda: place.written().count("ready to serve") == 2, 60)
        server.register([tools.function("weather_forecast", "Weather")], ready=False)
        for _ in range(12):
            server.post({}, "/embeddings")
        wait_until(lambda: figure(server, "in_flight") == 0, 5)
        seen = {figure(server, "answers_total", route="other", status="2xx", end="whole") for _ in range(8)}
        wait_until(lambda: figure(server, "catalog_tools") == 1, 5)
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert seen == {12}


def test_d07_the_event_loop_is_watched(gateway: GatewayProcess) -> None:
    """How late it is, is looked at all the time."""
    before = figure(gateway, "event_loop_lag_seconds_count")
    wait_until(lambda: figure(gateway, "event_loop_lag_seconds_count") >= before + 3, 5)


def test_d05_labels_are_bounded(gateway: GatewayProcess) -> None:
    """A hundred keys, models, paths, methods and ids make no series more than one of each."""

    def ask(n: int) -> None:
        body = QUESTION | {"model": f"model-{n}"}
        gateway.post(body, f"/path-{n}", authorization=f"Bearer key-{n}", x_request_id=f"id-{n}")
        gateway.post(body, authorization=f"Bearer key-{n}", x_toolfunnel_tags=f"tag-{n}")

    ask(0)
    wait_until(lambda: figure(gateway, "in_flight") == 0, 5)
    before = set(series(gateway))
    for n in range(1, 100):
        ask(n)
    assert set(series(gateway)) == before
    assert len(before) < 300
