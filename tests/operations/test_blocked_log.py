"""A log that nobody reads, traces that nobody takes: D10 of docs/reliability.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import wait_until
from tests.conftest import StartGateway
from tests.support import processes, tools
from tests.support.gateway import GatewayProcess, environment, free_port
from tests.support.upstream import Upstream

LOST = "toolfunnel_log_lines_lost_total "


class Piped(GatewayProcess):
    """A server whose standard error is the pipe `errors`."""

    errors: int


@pytest.fixture
def piped(tmp_path: Path, running_upstream: Upstream) -> Iterator[Piped]:
    """A server whose standard error is a pipe."""
    env = environment({"UPSTREAM__BASE_URL": running_upstream.base_url, "LOG__FORMAT": "json"})
    port = free_port()
    errors, writing = os.pipe()
    arguments = ["serve", "--port", str(port)]
    process = processes.start(arguments, cwd=tmp_path, env=env, stdout=writing, stderr=writing)
    os.close(writing)
    (tmp_path / "log").touch()
    gateway = Piped(process, port, tmp_path)
    gateway.errors = errors
    gateway.wait_ready(60)
    yield gateway
    gateway.stop()
    os.close(errors)


def test_d10_a_log_that_nobody_reads_holds_up_nobody(piped: Piped) -> None:
    """When the pipe is full, requests are answered as ever, lost lines are counted, and what is read later is whole."""
    assert {piped.post(tools.chat("list exams")).status_code for _ in range(300)} == {200}
    wait_until(lambda: lost(piped) > 0, 5)
    read = taken(piped)
    piped.post(tools.chat("list exams"), x_request_id="after-it-was-read")
    assert all(line.startswith(b"{") and line.endswith(b"}") for line in read.splitlines())
    wait_until(lambda: b"after-it-was-read" in taken(piped), 5)


def lost(gateway: GatewayProcess) -> float:
    """Give how many lines were lost."""
    figures = gateway.admin("GET", "/metrics").text.splitlines()
    return float(next(line.removeprefix(LOST) for line in figures if line.startswith(LOST)))


def taken(gateway: Piped) -> bytes:
    """Read what is in the pipe."""
    os.set_blocking(gateway.errors, False)
    pieces = []
    try:
        while piece := os.read(gateway.errors, 65_536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


@pytest.mark.expects_fault("Failed to export spans", certain=False)  # when it ends
def test_d10_a_collector_that_never_answers_holds_up_nobody(start_gateway: StartGateway, upstream: Upstream) -> None:
    """Traces that nobody takes cost no request its answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        gateway = start_gateway(TRACE__ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces")
        assert {gateway.post(tools.chat("list exams")).status_code for _ in range(100)} == {200}
