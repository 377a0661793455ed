"""What is measured, as processes on ports of their own: the upstream, the gateway, and what it is compared with."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

_READY_S = 120.0
_STOP_S = 10.0
_STEP_S = 0.01
MEASURED, ALL_ELSE = 0, 1
_SOURCES = Path(__file__).parent

_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  keepalive_requests 100000000;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""

_LITELLM = """\
model_list:
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_base: "http://127.0.0.1:{upstream}/v1", api_key: "sk-bench"}}
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}
"""


class CannotMeasure(Exception):
    """Something that is needed is not there; the text says what."""


@dataclass
class Server:
    """A running server. `stop()` it. `ready_s`: from its start until it answered."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    ready_s: float = 0.0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Give the processor time that it and its children took."""
        return sum(sum(one.cpu_times()[:2]) for one in self._processes())

    def rss_mib(self) -> float:
        """Give the memory of it and its children."""
        return float(sum(one.memory_info().rss for one in self._processes())) / 2**20

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


def compiled(name: str, folder: Path) -> Path:
    """Compile one of the programs in C into a folder.

    Raises:
        CannotMeasure: There is no compiler.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise CannotMeasure("A C compiler is needed for upstream and load generator. On Debian: apt install gcc")
    made = folder / name
    subprocess.run([compiler, "-O2", "-w", "-o", str(made), str(_SOURCES / f"{name}.c")], check=True)
    return made


def cores() -> tuple[int, int] | None:
    """Give the core of what is measured and that of all else; None where they cannot be kept apart."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return None
    there = sorted(os.sched_getaffinity(0))
    return (there[0], there[1]) if len(there) > 1 else None


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """Give a command that keeps to a core: the MEASURED one or that of ALL_ELSE; None: where it likes."""
    pair = cores()
    return list(command) if pair is None or core is None else ["taskset", "-c", str(pair[core]), *command]


def upstream(folder: Path) -> Server:
    """Start the upstream."""
    port = free_port()
    return started("upstream", [str(folder / "upstream"), str(port)], port, folder, core=ALL_ELSE)


def gateway(folder: Path, provider: str, name: str = "gateway", registry: Path | None = None) -> Server:
    """Start the gateway as it comes, but for the provider; its log goes to a file."""
    port = free_port()
    settings = {
        "TOOLFUNNEL_SERVER__PORT": str(port),
        "TOOLFUNNEL_UPSTREAM__BASE_URL": f"{provider}/v1",
        "TOOLFUNNEL_REGISTRY__URL": f"sqlite:///{registry or folder / f'{name}.db'}",
    }
    command = [sys.executable, "-m", "app", "serve"]
    return started(name, command, port, folder, env=settings, path="/readyz")


def nginx(folder: Path, provider: Server) -> Server:
    """Start nginx with one worker.

    Raises:
        CannotMeasure: It is not installed.
    """
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise CannotMeasure("nginx is not installed")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, upstream=provider.port, port=port))
    return started("nginx", [program, "-p", str(folder), "-c", str(config)], port, folder)


def stock(folder: Path, provider: Server) -> Server:
    """Start the plain proxy."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.gateway.stock:app", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning"]
    return started("stock", command, port, folder, env={"UPSTREAM": provider.url})


def litellm(folder: Path, provider: Server) -> Server:
    """Install LiteLLM into an environment of its own and start its proxy with one worker."""
    home = folder / "litellm"
    if not home.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "litellm[proxy]"], check=True)
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM.format(upstream=provider.port))
    port = free_port()
    command = [str(home / "bin" / "litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    command += ["--num_workers", "1"]
    env = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return started("litellm", command, port, folder, env=env, path="/health/liveliness")


def free_port() -> int:
    """Give a port of the loopback address that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def started(  # noqa: PLR0913 - what a process is made of
    name: str,
    command: Sequence[str],
    port: int,
    folder: Path,
    *,
    core: int | None = MEASURED,
    env: Mapping[str, str] | None = None,
    path: str = "/",
) -> Server:
    """Start a process and wait until it answers.

    Raises:
        CannotMeasure: It ended, or took too long; the text holds its log.
    """
    begun = time.perf_counter()
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            pinned(command, core), env={**_inherited(), **(env or {})}, stdout=log, stderr=log, cwd=folder
        )
    server = Server(name, port, process)
    while not _answers(server, path):
        if process.poll() is not None or time.perf_counter() - begun > _READY_S:
            server.stop()
            raise CannotMeasure(f"{name} did not start:\n{(folder / f'{name}.log').read_text()[-2000:]}")
        time.sleep(_STEP_S)
    server.ready_s = time.perf_counter() - begun
    return server


def _inherited() -> dict[str, str]:
    """Give this process's environment without settings of the gateway; what is imported here is imported there."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("TOOLFUNNEL_")}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _answers(server: Server, path: str) -> bool:
    try:
        return httpx.get(server.url + path, timeout=2, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False
