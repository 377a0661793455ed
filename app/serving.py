"""Run the servers of the command line. Owns the port and what is said when one cannot start.

A signal that ends it: a server finishes what runs, is quiet about it, and ends with exit code 0.
"""

from __future__ import annotations

import ctypes
import math
import resource
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import lifecycle
from app.edge.connection import Connection
from app.edge.turns import Turns
from app.edge.watch import Watch
from app.errors import GatewayError
from app.lifecycle import ENDED_AT_ONCE, Workers
from app.settings import Configuration, Settings, share_figures
from app.telemetry.sink import unblocked
from router.errors import RouterError

# So long a thread computes while another waits for the interpreter. With Python's own 5 ms an answer beside three busy
# threads takes p50 48 ms, with this 10 ms; all together do 2 to 6 % less.
_SWITCH_S = 0.001
# Of <malloc.h>: M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
_MALLOC = ((-8, 2), (-1, 16 * 2**20), (-3, 2**20))
_SPARE_FILES = 512  # the registry, the log, libraries, connections that are just being refused


class CannotServe(Exception):
    """A server that did not start; the text says why, or is empty where the log says it."""


def run(configuration: Configuration, port: int, workers: int) -> None:
    """Serve the gateway until a signal comes.

    The processes get the settings from here: what becomes of the file meanwhile is for the next reload.

    Raises:
        CannotServe: It did not start; why is logged.
    """
    settings = configuration.settings
    _raise_file_limit(settings)
    lifecycle.ignore_hangup()
    address = url(settings.server.host, port)
    structlog.get_logger().info("starting", base_url=f"{address}/v1", admin=f"{address}/admin/docs")
    config = _config(
        partial(create_app, configuration),
        host=_bare(settings.server.host),
        port=port,
        factory=True,
        workers=workers,
        http=partial(Connection, Watch(settings.server)),
        ws="none",
        lifespan="on",
        server_header=False,
        date_header=False,
        timeout_keep_alive=settings.server.keep_alive_s,
        timeout_graceful_shutdown=math.ceil(settings.server.shutdown_grace_s),
    )
    if _run_workers(config, configuration) if workers > 1 else _run_one(config):
        raise CannotServe


def run_app(app: ASGIApp, host: str, port: int) -> None:
    """Serve a small application until a signal comes.

    Raises:
        CannotServe: It did not start; why is logged.
    """
    if _run_one(_config(app, host=_bare(host), port=port)):
        raise CannotServe


def create_app(configuration: Configuration) -> ASGIApp:
    """Make the gateway; why it cannot start becomes one line of the log instead of a traceback."""
    from app import main  # noqa: PLC0415 - the web framework takes half a second: only who serves waits for it

    lifecycle.ignore_hangup()
    _give_memory_back()
    sys.setswitchinterval(_SWITCH_S)
    sys.stderr = unblocked(sys.stderr)
    app, turns = main.create_app(configuration), Turns()

    async def started(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if scope["path"].startswith("/v1/"):  # probes and the admin API need not wait for anybody
                await turns.wait()
            await app(scope, receive, send)
            return

        async def but_failures(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                lifecycle.obey_signals(scope["state"]["reload"])
            if message["type"] != "lifespan.startup.failed":  # holds the traceback; the error itself comes after it
                await send(message)

        try:
            await app(scope, receive, but_failures)
        except (GatewayError, RouterError) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})

    return started


def port_to_use(host: str, port: int) -> int:
    """Give the port to listen on: the one that is configured, for 0 a free one.

    Raises:
        CannotServe: It cannot be listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_bare(host), port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise CannotServe(f"Cannot listen on {host}:{port}: {reason}. Choose another port with --port.") from error
        return int(probe.getsockname()[1])


def url(host: str, port: int) -> str:
    """Give the address of a server as this machine reaches it."""
    bare = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(_bare(host), _bare(host))  # noqa: S104 - compared, not bound
    return f"http://[{bare}]:{port}" if ":" in bare else f"http://{bare}:{port}"


def _config(app: ASGIApp | Callable[[], ASGIApp], **options: Any) -> uvicorn.Config:
    return uvicorn.Config(app, loop="asyncio", log_config=None, log_level="warning", access_log=False, **options)


def _run_one(config: uvicorn.Config) -> bool:
    """Serve in this process; tell whether it did not start."""
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt, SystemExit):  # the signal that ended it, or that it did not start
        server.run()
    return not server.started


def _run_workers(config: uvicorn.Config, configuration: Configuration) -> bool:
    """Serve in several processes; tell whether one of them did not start, which ends all."""
    with TemporaryDirectory(prefix="toolfunnel-figures-") as figures:
        share_figures(Path(figures))
        workers = Workers(config, [config.bind_socket()], configuration, create_app)
        workers.run()
    if workers.ended_at_once:
        raise SystemExit(ENDED_AT_ONCE)
    return workers.failed


def _give_memory_back() -> None:
    """Let glibc give back what is freed: its many arenas and its large heap keep a peak for good.

    After lists of 100,000 tools a process takes 20 MiB less. Other C libraries have no such options.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option, value in _MALLOC:
            library.mallopt(option, value)


def _raise_file_limit(settings: Settings) -> None:
    """Make room for all connections, as far as the process may; worker processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.server.max_connections + settings.upstream.max_connections + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        if raised < wanted:
            structlog.get_logger().warning("few files may be open", limit=raised, wanted=wanted)


def _bare(host: str) -> str:
    return host.strip("[]")
