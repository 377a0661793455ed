"""The end of a process: what running answers get, and how it says goodbye."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cli.command import Place, wait_until
from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.lines import line_of, wait_for_text
from tests.support.sockets import RawClient, listens
from tests.support.upstream import DONE, Answer, Ending, Upstream, event, never, sse

QUESTION = tools.encoded(tools.chat("list exams", stream=True))
STREAMS = 100


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty directory."""
    return Place(tmp_path, {})


@contextmanager
def streaming(gateway: GatewayProcess, upstream: Upstream, count: int, answer: Answer) -> Iterator[list[RawClient]]:
    """Begin so many streams."""
    upstream.respond_by(lambda _: answer)
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(gateway.port)) for _ in range(count)]
        for client in clients:
            client.send(sockets.request(QUESTION))
        for client in clients:
            client.receive_until(b"data:")
        yield clients


def test_f10_a_hundred_streams_finish_after_sigterm(start_gateway: StartGateway, upstream: Upstream) -> None:
    """New connections are refused at once, all running streams arrive whole, and the exit code is 0."""
    gateway = start_gateway(SERVER__SHUTDOWN_GRACE_S="30")
    go = threading.Event()
    with streaming(gateway, upstream, STREAMS, sse(event({"content": "a"}), go, DONE)) as clients:
        gateway.process.terminate()
        wait_until(lambda: not listens(gateway.port), 5)
        assert gateway.process.poll() is None
        go.set()
        ends = [client.receive_all().endswith(DONE + b"\r\n0\r\n\r\n") for client in clients]
    assert ends == [True] * STREAMS
    assert gateway.process.wait(20) == 0


@pytest.mark.expects_fault("timeout graceful shutdown exceeded")
def test_f10_after_the_grace_period_streams_are_broken_off(start_gateway: StartGateway, upstream: Upstream) -> None:
    """What has not ended by then ends without a terminator; what has not begun is told 503; the exit code is 0."""
    gateway = start_gateway(SERVER__SHUTDOWN_GRACE_S="1", LOG__FORMAT="json")
    with streaming(gateway, upstream, 1, sse(event({"content": "a"}), ending=Ending.HANG)) as (begun,):
        upstream.respond_by(lambda _: never())
        with RawClient(gateway.port) as waiting:
            waiting.send(sockets.request(QUESTION, headers=[("x-request-id", "waiting")]))
            upstream.wait_for(2)
            gateway.process.terminate()
            status, headers, body = waiting.answer()
        broken = begun.receive_all()
    assert (status, headers["retry-after"], b"shutting_down" in body) == (503, "1", True)
    assert b"[DONE]" not in broken
    assert not broken.endswith(b"0\r\n\r\n")
    assert gateway.process.wait(20) == 0
    assert line_of(gateway, "waiting")["end"] == "cut_off"
    assert "exception" not in gateway.log


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_f10_a_second_signal_ends_at_once(start_gateway: StartGateway, upstream: Upstream, second: int) -> None:
    """The second SIGTERM, or Ctrl-C, waits for nobody: streams break without an end, and the exit code is 143."""
    gateway = start_gateway(SERVER__SHUTDOWN_GRACE_S="60")
    with streaming(gateway, upstream, 3, sse(event({"content": "a"}), ending=Ending.HANG)) as clients:
        gateway.process.terminate()
        wait_until(lambda: not listens(gateway.port), 5)
        gateway.process.send_signal(second)
        assert gateway.process.wait(20) == 143
        assert not any(client.receive_all().endswith(b"0\r\n\r\n") for client in clients)
    wait_for_text(gateway, "ended at once")


def test_f10_two_workers_end_as_one_does(place: Place, upstream: Upstream) -> None:
    """With workers a stream finishes, too, new connections are refused meanwhile, and a second signal ends all."""
    place.settings["UPSTREAM__BASE_URL"] = upstream.base_url
    place.settings["SERVER__SHUTDOWN_GRACE_S"] = "60"
    for patient, code in ((True, 0), (False, 143)):
        gateway, go = start_workers(place), threading.Event()
        with streaming(gateway, upstream, 4, sse(event({"content": "a"}), go, DONE)) as clients:
            gateway.process.terminate()
            wait_until(lambda port=gateway.port: not listens(port), 10)  # type: ignore[misc]
            if patient:
                go.set()
            else:
                gateway.process.terminate()
            assert [client.receive_all().endswith(b"0\r\n\r\n") for client in clients] == [patient] * 4
            go.set()
        assert gateway.process.wait(20) == code


def start_workers(place: Place) -> GatewayProcess:
    """Start a server with two workers."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process = place.start("serve", "--port", str(port), "--workers", "2")
    wait_until(lambda: place.written().count("ready to serve") == 2, 60)
    time.sleep(0.2)
    return GatewayProcess(process, port, place.path)
