"""Several processes on one registry: what one changes, all know within a second."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import UNHURRIED, StartGateway
from tests.durability.conftest import mode, sent, wait_for
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.postgres import Postgres
from tests.support.upstream import Upstream

QUESTION = "list invoices"


def stock(gateway: GatewayProcess) -> None:
    """Register tools, more than a list holds."""
    gateway.register([tools.record(tool) for tool in tools.distinct(40)])


@pytest.fixture(scope="module")
def pair(shared_gateway: StartGateway, postgres: Postgres) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Two gateways on one PostgreSQL database, the second of which never looks by itself."""
    with postgres.database() as url:
        first = shared_gateway(REGISTRY__URL=url)
        second = shared_gateway(REGISTRY__URL=url, REGISTRY__POLL_S="3600")
        stock(first)
        second.wait_ready(60)
        yield first, second
        first.stop()
        second.stop()


@pytest.mark.parametrize("change", ["disable", "delete"])
def test_durability_c08_what_one_gateway_takes_away_no_other_offers(
    pair: tuple[GatewayProcess, GatewayProcess], change: str
) -> None:
    """Soon after a tool is disabled or deleted on one port, the other port offers it no more, 0 times of 50."""
    first, second = pair
    wait_for(lambda: bool(sent(second, QUESTION)))
    name = sent(second, QUESTION)[0]
    if change == "disable":
        answer = first.admin("PATCH", f"/admin/tools/{name}", json={"enabled": False})
    else:
        answer = first.admin("DELETE", f"/admin/tools/{name}")
    assert answer.is_success, answer.text
    wait_for(lambda: name not in sent(second, QUESTION))
    assert sum(name in sent(second, QUESTION) for _ in range(50)) == 0


def test_durability_c08_what_one_gateway_registers_the_other_offers(
    pair: tuple[GatewayProcess, GatewayProcess],
) -> None:
    """The same holds the other way round, and for what is new."""
    first, second = pair
    second.admin("PUT", "/admin/tools/sing_song", json=tools.function("sing_song", "Sings a song aloud."))
    wait_for(lambda: "sing_song" in sent(first, "Sing a song!"), 5)


def test_durability_c08_workers_on_one_file_all_know(tmp_path: Path) -> None:
    """With SQLite, soon after a tool is disabled through one worker, none of them offers it."""
    gateway = GatewayProcess.start(tmp_path, UNHURRIED, workers=2)
    try:
        gateway.register([tools.record(tool) for tool in tools.distinct(20)])
        wait_for(lambda: all(everywhere(gateway)), 60)
        name = sent(gateway, QUESTION)[0]
        assert gateway.admin("PATCH", f"/admin/tools/{name}", json={"enabled": False}).is_success
        wait_for(lambda: not any(name in names for names in everywhere(gateway)))
        assert all(names and name not in names for names in everywhere(gateway))
    finally:
        gateway.stop()


def everywhere(gateway: GatewayProcess) -> list[list[str]]:
    """Ask over many connections at once, so that every worker answers some."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: sent(gateway, QUESTION), range(24)))


@pytest.mark.parametrize(("how", "index"), [(signal.SIGKILL, "memory"), (signal.SIGINT, "pgvector")])
def test_durability_c03_a_database_that_goes_and_comes_keeps_nobody_waiting(
    start_gateway: StartGateway, mortal: Postgres, upstream: Upstream, how: signal.Signals, index: str
) -> None:
    """While PostgreSQL is away, chats are served from the last snapshot and writes are 503; then all is well again."""
    gateway = start_gateway(REGISTRY__URL=mortal.url(), INDEX=index, **UNHURRIED)
    stock(gateway)
    kept = sent(gateway, QUESTION)
    with chats_going_on(gateway) as failed:
        mortal.stop(how)
        answer = gateway.admin("DELETE", f"/admin/tools/{kept[0]}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "registry_away")
        assert answer.headers["retry-after"] == "1"
        wait_for(lambda: gateway.admin("GET", "/readyz").json()["registry"] == "away", 5)
        assert gateway.admin("GET", "/readyz").status_code == 200
        assert kept[0] in sent(gateway, QUESTION)
        mortal.start()
        wait_for(lambda: gateway.admin("DELETE", f"/admin/tools/{kept[0]}").status_code in (204, 404), 30)
        wait_for(lambda: gateway.admin("GET", "/readyz").json()["registry"] == "up", 30)
        assert kept[0] not in sent(gateway, QUESTION)
        wait_for(lambda: mode(gateway, f"list invoices at {time.monotonic()}") == "hybrid", 30)
    assert failed == []


@contextmanager
def chats_going_on(gateway: GatewayProcess) -> Iterator[list[object]]:
    """Chat without a pause, in a thread; give the list of what went wrong, which fills meanwhile."""
    done = threading.Event()
    failed: list[object] = []

    def chat() -> None:
        while not done.is_set():
            try:
                answer = gateway.post(tools.chat(QUESTION))
                failed.extend([] if answer.is_success else [answer.text])
            except httpx.HTTPError as error:
                failed.append(error)

    thread = threading.Thread(target=chat)
    thread.start()
    yield failed
    done.set()
    thread.join()
