"""The real server as a process: on a real port, in a directory of its own, with a given environment."""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support import processes
from tests.support.log_check import LOGS
from tests.support.processes import PREFIX, Process
from tests.support.tools import encoded

# For httpx: no proxies, and one TLS context, empty and unused. Each call would make its own, of all the certificates
# that this machine trusts, which takes 20 ms.
PLAIN: dict[str, Any] = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
_PORTS = range(15_000, 32_000)
_START_S = 100.0
_STOP_S = 10.0
_STEP_S = 0.02


def free_port() -> int:
    """Return a port of the loopback address that nobody uses.

    Not one that the system would choose: before a server has begun to listen on such a one, any connection that is made
    meanwhile may have been given it.
    """
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give this process's environment with just these settings of the gateway (`UPSTREAM__BASE_URL=…`)."""
    foreign = (PREFIX, "COLUMNS")  # xdist sets it
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
    return inherited | {PREFIX + name: value for name, value in settings.items()}


@dataclass
class GatewayProcess:
    """A running server. `stop()` it. Faults in its log fail the test that does not announce them (`log_check`)."""

    process: Process
    port: int
    directory: Path
    admin_key: str = ""

    def __post_init__(self) -> None:
        LOGS.watch(self.directory / "log")

    @classmethod
    def start(
        cls,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        *,
        workers: int = 1,
        new_interpreter: bool = False,
        **variables: str,
    ) -> Self:
        """Start a server in an empty directory and wait until it is ready.

        Without other settings its registry is a new SQLite file in that directory, its port a free one. `variables`:
        further ones of its environment. `new_interpreter`: what is measured must not be shared with other processes.

        Raises:
            AssertionError: It ended, or was not ready in time; the text holds its log.
        """
        port = int((settings or {}).get("SERVER__PORT") or free_port())
        values = {
            "SERVER__PORT": str(port),
            "SERVER__SHUTDOWN_GRACE_S": "2",
            "REGISTRY__URL": f"sqlite:///{directory / 'registry.db'}",
            **(settings or {}),
        }
        directory.mkdir(parents=True, exist_ok=True)
        LOGS.begin(directory / "log")
        with (directory / "log").open("wb") as log:
            process = processes.start(
                ["serve", *(("--workers", str(workers)) if workers > 1 else ())],
                cwd=directory,
                env=environment(values) | variables,
                stdout=log.fileno(),
                stderr=log.fileno(),
                new_interpreter=new_interpreter,
            )
        running = cls(process, port, directory, values.get("ADMIN__KEY", ""))
        try:
            running.wait_ready(_START_S)
            running.wait_started(workers, _START_S)
        except BaseException:
            running.stop()
            raise
        return running

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    @property
    def pid(self) -> int:
        """Give the server's process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """Give what it has written so far."""
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to it, with the admin key if it has one."""
        headers = {"authorization": f"Bearer {self.admin_key}"} if self.admin_key else {}
        return httpx.request(method, self.url + path, headers=headers, timeout=60.0, **PLAIN, **options)

    def post(self, body: object, path: str = "/chat/completions", **headers: str) -> httpx.Response:
        """Send a body below `base_url`, bytes as they are; underscores in the headers' names become hyphens."""
        sent = {"content-type": "application/json", "authorization": "Bearer sk-of-the-caller"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else encoded(body)
        return httpx.post(self.base_url + path, content=content, headers=sent, timeout=60.0, **PLAIN)

    def register(self, records: Sequence[object], *, ready: bool = True) -> dict[str, Any]:
        """Put tools into the catalogue and, unless told otherwise, wait until they are embedded."""
        answer = self.admin("POST", "/admin/tools:batch", content=json.dumps(records).encode())
        assert answer.status_code == 200, answer.text
        if ready:
            self.wait_ready(_START_S)
        result: dict[str, Any] = answer.json()
        return result

    def wait_ready(self, seconds: float) -> None:
        """Wait until it says that it is ready.

        Raises:
            AssertionError: It ended, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, f"the server ended:\n{self.log}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.log}"
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5.0, **PLAIN).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(_STEP_S)

    def wait_started(self, workers: int, seconds: float) -> None:
        """Wait until so many processes have said that they serve.

        Raises:
            AssertionError: The time is over.
        """
        deadline = time.monotonic() + seconds
        while self.log.count("ready to serve") < workers:
            assert time.monotonic() < deadline, f"not all workers are ready:\n{self.log}"
            time.sleep(_STEP_S)

    def stop(self) -> None:
        """End it: kindly, and after a while by force."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(_STOP_S)
        LOGS.end(self.directory / "log")
