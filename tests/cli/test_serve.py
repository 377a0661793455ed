"""`toolfunnel serve`: how it starts, refuses to, and ends."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import psutil
import pytest

from tests.cli.command import Place, wait_until
from tests.support import tools
from tests.support.gateway import free_port


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_serve_on_a_port_in_use_says_so(place: Place) -> None:
    """A busy port is one message with what to do."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        done = place.run("serve", "--port", str(busy.getsockname()[1]))
    assert done.code == 1
    assert "Choose another port with --port" in done.err


def test_serve_beyond_this_machine_needs_an_admin_key(place: Place) -> None:
    """Without a key the server starts on a loopback address only."""
    done = place.run("serve", "--host", "0.0.0.0")
    assert done.code == 2
    assert "admin.key must be set" in done.err


@pytest.mark.parametrize(
    "make", [lambda path: path.write_bytes(b"no database" * 999), Path.mkdir], ids=["damaged", "dir"]
)
def test_serve_with_an_unusable_registry_says_so(place: Place, make: object) -> None:
    """A file that is no registry is named, left alone, and the server does not start."""
    place.database.parent.mkdir()
    make(place.database)  # type: ignore[operator]
    done = place.run("serve", "--port", "0")
    assert done.code == 1
    assert str(place.database) in done.err


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_quietly_on_signals(place: Place, ending: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with exit code 0 and without a traceback."""
    port = free_port()
    process = place.start("serve", "--port", str(port))
    wait_until(lambda: _answers(port))
    process.send_signal(ending)
    assert process.wait(30) == 0
    assert "Traceback" not in place.written()


def test_serve_with_workers_shares_port_and_catalogue(place: Place) -> None:
    """Two processes serve one port; what one registers, both offer soon; SIGTERM ends all of them."""
    port = free_port()
    process = place.start("serve", "--port", str(port), "--workers", "2")
    wait_until(lambda: _answers(port))
    children = psutil.Process(process.pid).children(recursive=True)
    url = f"http://127.0.0.1:{port}"
    record = tools.record(tools.function("brand_new", "A new tool."))
    assert httpx.put(f"{url}/admin/tools/brand_new", json=record, trust_env=False).status_code == 201
    answers = [0] * 20

    def all_know() -> bool:
        answers.append(httpx.get(f"{url}/readyz", trust_env=False).json()["tools"])
        return answers[-20:] == [1] * 20

    wait_until(all_know)
    process.terminate()
    assert process.wait(30) == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []
