"""Two gateways, one PostgreSQL and the nginx configuration that is shipped: the profile `scale` as processes."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import httpx
import openai
import pytest

from tests.cli.command import Place
from tests.conftest import UNHURRIED
from tests.support import nginx, sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.postgres import Postgres
from tests.support.sockets import RawClient
from tests.support.upstream import DONE, Ending, Upstream, event, sse

STREAMED = tools.encoded(tools.chat("list exams", stream=True))


@dataclass
class Scale:
    """What is running."""

    directory: Path
    settings: dict[str, str]
    gateways: list[GatewayProcess]
    port: int

    def restart(self, place: int) -> int:
        """End a gateway, start it again on its port, give its exit code."""
        old = self.gateways[place]
        old.process.terminate()
        code = old.process.wait(20)
        settings = self.settings | {"SERVER__PORT": str(old.port)}
        self.gateways[place] = GatewayProcess.start(self.directory / f"again-{place}", settings)
        return code


@pytest.fixture(scope="module")
def scale(postgres: Postgres, running_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scale]:
    """Migrate a new database, start two gateways on it and nginx in front of them."""
    directory = tmp_path_factory.mktemp("scale")
    with postgres.database() as url:
        settings = {"UPSTREAM__BASE_URL": running_upstream.base_url, "REGISTRY__URL": url, **UNHURRIED}
        done = Place(directory, {}).run("migrate", variables={"TOOLFUNNEL_REGISTRY__URL": url})
        assert (done.code, done.out.endswith("up to date, 0 tools\n")) == (0, True), done.err
        gateways = [GatewayProcess.start(directory / str(number), settings) for number in range(2)]
        with nginx.running(directory, [gateway.port for gateway in gateways]) as port:
            running = Scale(directory, settings, gateways, port)
            yield running
        for gateway in running.gateways:
            gateway.stop()


def test_nginx_takes_the_shipped_configuration(tmp_path: Path) -> None:
    """nginx reads the file, with other ports and folders in it, without a warning."""
    file = nginx.configured(tmp_path, 1, [2, 3])
    done = subprocess.run(nginx.command("-t", "-q", "-c", str(file)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_f12_gateways_restart_in_turn_and_no_client_fails(scale: Scale, upstream: Upstream) -> None:
    """While both gateways are restarted, one after the other, every call of the official client is answered."""
    stop = threading.Event()

    def ask() -> int:
        answered = 0
        with openai.OpenAI(base_url=f"http://127.0.0.1:{scale.port}/v1", api_key="sk-of-the-caller") as client:
            while not stop.wait(0.02):
                client.chat.completions.create(**tools.chat("list exams"))
                answered += 1
        return answered

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(ask) for _ in range(2)]
        codes = [scale.restart(place) for place in (0, 1)]
        stop.set()
    assert codes == [0, 0]
    assert min(client.result() for client in clients) > 1


def test_f12_events_pass_nginx_as_they_come(scale: Scale, upstream: Upstream) -> None:
    """The first event is there while the provider has not sent the second."""
    go = threading.Event()
    upstream.respond_by(lambda _: sse(event({"content": "a"}), go, DONE))
    with RawClient(scale.port) as client:
        client.send(sockets.request(STREAMED))
        assert DONE not in client.receive_until(b"data:")
        go.set()
        client.receive_until(DONE)


def test_f12_a_client_that_leaves_nginx_ends_the_call(scale: Scale, upstream: Upstream) -> None:
    """The provider's connection is closed when the client has gone in the middle of a stream."""
    upstream.respond_by(lambda _: sse(event({"content": "a"}), ending=Ending.HANG))
    with RawClient(scale.port) as client:
        client.send(sockets.request(STREAMED))
        client.receive_until(b"data:")
    upstream.requests[-1].wait_closed(5)


@pytest.mark.parametrize(
    ("method", "body", "times"),
    [("POST", b"", 1), ("POST", b"{}", 1), ("PATCH", b"{}", 1), ("GET", b"", 2), ("PUT", b"", 2), ("DELETE", b"", 2)],
)
def test_nginx_sends_again_what_may_be_sent_again(tmp_path: Path, method: str, body: bytes, times: int) -> None:
    """To gateways that take a request and break the connection: what HTTP lets be repeated twice, all else once."""
    came: list[str] = []
    with breaking(came) as first, breaking(came) as second, nginx.running(tmp_path, [first, second]) as port:
        answer = httpx.request(method, f"http://127.0.0.1:{port}/v1/x", content=body, trust_env=False)
    assert (answer.status_code, came) == (502, [method] * times)


@contextmanager
def breaking(came: list[str]) -> Iterator[int]:
    """Take requests on a port, note their methods, and close their connections; give the port."""

    class Break(StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            length = re.search(rb"(?i)content-length: *([0-9]+)", head)
            self.rfile.read(int(length[1]) if length else 0)
            came.append(head.split()[0].decode())

    with ThreadingTCPServer(("127.0.0.1", 0), Break) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_nginx_shows_nobody_the_figures(scale: Scale) -> None:
    """/metrics is a gateway's own; what is not, passes."""
    address = f"http://127.0.0.1:{scale.port}"
    statuses = [httpx.get(address + path, trust_env=False).status_code for path in ("/metrics", "/readyz")]
    assert statuses == [404, 200]
