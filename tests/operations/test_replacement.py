"""Workers are replaced one after another while requests come: F12 of docs/reliability.md."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.cli.command import wait_until
from tests.load.figures import workers
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import DONE, Upstream

CLIENTS = 3
PAUSE_S = 0.02  # the new workers need the processor, too
BODIES = [tools.encoded(tools.chat("list exams", stream=stream)) for stream in (True, False)]


@contextmanager
def under_load(port: int) -> Iterator[Counter[str]]:
    """Have clients ask until the block ends, each request over a connection of its own; give what became of them."""
    came, over = Counter[str](), threading.Event()

    def ask(number: int) -> None:
        while not over.wait(PAUSE_S):
            came[outcome(port, BODIES[number % 2])] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, number) for number in range(CLIENTS)]
        try:
            yield came
        finally:
            over.set()
        for one in asking:
            one.result()


def outcome(port: int, body: bytes) -> str:
    """Say what became of a request."""
    try:
        with RawClient(port) as client:
            client.send(sockets.request(body, headers=[("connection", "close")]))
            received = client.receive_all()
    except OSError as error:
        return repr(error)
    whole = received.endswith((DONE + b"\r\n0\r\n\r\n", b"}"))
    return "whole" if whole and received.startswith(b"HTTP/1.1 200") else repr(received[:100])


def test_f12_workers_are_replaced_without_a_failed_request(tmp_path: Path, upstream: Upstream) -> None:
    """SIGTERM to one worker, and when another is there in its place, to the next: every request is answered whole."""
    settings = {"UPSTREAM__BASE_URL": upstream.base_url}
    gateway = GatewayProcess.start(tmp_path, settings, workers=2)
    try:
        with under_load(gateway.port) as came:
            for count, old in enumerate(workers(gateway.pid), start=3):
                os.kill(old, signal.SIGTERM)
                gateway.wait_started(count, 60)
                wait_until(lambda old=old: old not in workers(gateway.pid), 30)  # type: ignore[misc]
        assert set(came) == {"whole"}
        assert came["whole"] > CLIENTS
    finally:
        gateway.stop()
