"""`toolfunnel serve`: how it starts, how it does not, and how it ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.cli.command import TRACEBACK, Place, wait_until
from tests.support import tools
from tests.support.gateway import GatewayProcess, free_port


@contextmanager
def serving(place: Place, *arguments: str) -> Iterator[GatewayProcess]:
    """Run a server until the block ends, or it was ended in it."""
    port = free_port()
    process = place.start("serve", "--port", str(port), *arguments)
    (place.path / "log").symlink_to(place.path / "err")
    running = GatewayProcess(process, port, place.path)
    try:
        running.wait_ready(30)
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_server_ends_at_once_and_quietly_on_a_signal(place: Place, ending: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with 0; the log told the address and nothing went wrong in it."""
    with serving(place) as server:
        server.process.send_signal(ending)
        assert server.process.wait(5) == 0
    log = place.written()
    assert f"base_url=http://127.0.0.1:{server.port}/v1" in log
    assert TRACEBACK not in log
    odd = [line for line in log.splitlines() if line.split()[1] != "info"]
    assert ["No provider is set" in line for line in odd] == [True]


def test_server_takes_a_free_port_for_0_and_logs_it(place: Place) -> None:
    """`--port 0`: the log names the port that was taken."""
    process = place.start("serve", "--port", "0")
    wait_until(lambda: "ready to serve" in place.written())
    address = place.written().split("base_url=")[1].split()[0].removesuffix("/v1")
    assert httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
    process.terminate()
    assert process.wait(5) == 0


def test_server_on_a_busy_port_says_so(place: Place) -> None:
    """A port that is taken is exit code 1 and what to do, before anything else is done."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = place.run("serve", "--port", str(port))
    said = f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another port with --port.\n"
    assert (done.code, done.err) == (1, said)
    assert list(place.path.iterdir()) == []


def test_server_on_another_file_says_so(place: Place) -> None:
    """A registry that is no database is exit code 1 and what to do."""
    place.write("x.db", b"not a database " * 500)
    done = place.run("serve", "--port", "0", variables={"TOOLFUNNEL_REGISTRY__URL": "sqlite:///x.db"})
    assert done.code == 1
    assert "x.db is not a SQLite database. Move it away, or point registry.url to another file" in done.err


@pytest.mark.expects_fault("is damaged")
@pytest.mark.expects_fault("Application startup failed")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_durability_c07_a_server_on_a_damaged_registry_says_so(stocked: Place, workers: str) -> None:
    """Damage that shows only when the rows are read is exit code 1 and a sentence, not a traceback."""
    data = bytearray(stocked.database.read_bytes())
    data[len(data) // 4 :] = b"U" * len(data[len(data) // 4 :])
    stocked.database.write_bytes(data)
    done = stocked.run("serve", "--port", "0", "--workers", workers)
    assert done.code == 1
    assert "is damaged. Restore it from a backup, or move it away and import again" in done.err


def test_server_without_a_place_for_its_registry_says_so(place: Place) -> None:
    """A directory that cannot be made is exit code 1 and what to do."""
    done = place.run("serve", "--port", "0", variables={"TOOLFUNNEL_REGISTRY__URL": "sqlite:////proc/none/x.db"})
    assert done.code == 1
    assert "Give this user the right to write there, or set registry.url" in done.err


def test_workers_serve_one_port_see_each_others_writes_and_end_together(place: Place) -> None:
    """With two workers a write through one is routed by both, and SIGTERM ends all processes."""
    with serving(place, "--workers", "2") as server:
        family = psutil.Process(server.pid).children(recursive=True)
        wait_until(lambda: place.written().count("ready to serve") == 2)
        server.register([tools.function("weather_forecast", "Weather")], ready=False)
        wait_until(lambda: available_everywhere(server) == {1})
        server.process.terminate()
        assert server.process.wait(10) == 0
    assert len(family) >= 2
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert TRACEBACK not in place.written()


def available_everywhere(server: GatewayProcess) -> set[int]:
    """Ask over many connections, so that every worker answers some; give the sizes of their catalogues."""
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(server.admin, "POST", "/admin/route", json=tools.chat("Rain?")) for _ in range(32)]
        return {answer.result().json()["available"] for answer in answers}
