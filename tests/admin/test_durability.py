"""What was acknowledged is there, what was not is not: restarts, sudden ends, locks and full disks."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.admin.asking import client_for, refused
from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess, environment, free_port
from tests.support.upstream import Upstream

WEATHER = tools.function("get_weather", "The weather of a city.")


def many(count: int) -> bytes:
    """Give a batch of so many tools, all different."""
    subjects = tools.distinct(300)
    return json.dumps(
        [
            tools.function(f"{tools.name_of(tool)}_{i}", f"{tool['function']['description']} Office {i}.")
            for i, tool in ((i, subjects[i % 300]) for i in range(count))
        ]
    ).encode()


TEN_THOUSAND = many(10_000)


def database(gateway: GatewayProcess) -> Path:
    """Give the place of a server's registry."""
    return gateway.directory / "registry.db"


def stored(path: Path) -> tuple[int, str]:
    """Give the number of tools in a registry and what SQLite thinks of the file."""
    with closing(sqlite3.connect(path)) as connection:
        count = connection.execute("SELECT count(*) FROM tools").fetchone()[0]
        return count, connection.execute("PRAGMA integrity_check").fetchone()[0]


@contextmanager
def written_by_another(path: Path) -> Iterator[None]:
    """Hold the lock of a writer."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_restart_with_a_thousand_known_tools_embeds_nothing(start_gateway: StartGateway) -> None:
    """The second server on a registry is ready at once: it finds every vector stored."""
    first = start_gateway()
    first.register(json.loads(many(1_000)))
    first.stop()
    assert "embedding tools" in first.log
    second = start_gateway(REGISTRY__URL=f"sqlite:///{database(first)}")
    ready = second.admin("GET", "/readyz").json()
    assert (ready["ready"], ready["tools"], ready["pending"]) == (True, 1_000, 0)
    assert "embedding tools" not in second.log
    assert second.admin("POST", "/admin/route", json=tools.chat("list invoices")).json()["mode"] == "hybrid"


@pytest.fixture(scope="module")
def burdened(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that makes the vectors of ten thousand tools for the next minute."""
    return shared_gateway(SELECT__BUDGET_MS="4999")


def test_a_large_batch_does_not_keep_others_waiting(burdened: GatewayProcess) -> None:
    """While ten thousand tools are read and stored, other requests are answered; the vectors are made later."""
    answers, waited = [], []
    sending = threading.Thread(target=lambda: answers.append(burdened.register(json.loads(TEN_THOUSAND), ready=False)))
    with client_for(burdened) as client:
        sending.start()
        while sending.is_alive():
            waited.append(client.get("/healthz").status_code)
        assert len(answers[0]["created"]) == 10_000
        assert client.get("/readyz").json()["pending"] > 9_000
    assert len(waited) > 10


def test_tools_without_vectors_are_found_by_words(burdened: GatewayProcess) -> None:
    """What is not embedded yet is found by words; so is what is registered meanwhile."""
    with client_for(burdened) as client:
        assert client.get("/readyz").status_code == 503
        decision = client.post("/admin/route", json=tools.chat("archive blood test office 7777")).json()
        assert any("7777" in row["description"] for row in decision["tools"] if row["chosen"])
        assert client.put("/admin/tools/get_weather", json=WEATHER).status_code == 201
        decision = client.post("/admin/route", json=tools.chat("weather of a city")).json()
        assert "get_weather" in decision["sent"]
    burdened.stop()


@pytest.mark.parametrize("moment", ["reading", "writing", "written"])
def test_durability_c01_a_sudden_end_in_a_batch_leaves_none_or_all(start_gateway: StartGateway, moment: str) -> None:
    """Killed while a batch is read, while it is written, or just after: none of the tools is stored, or every one."""
    gateway = start_gateway()
    journal = database(gateway).with_name("registry.db-journal")

    def send() -> None:
        with client_for(gateway) as client, pytest.raises(httpx.TransportError):
            client.post("/admin/tools:batch", content=TEN_THOUSAND)

    sending = threading.Thread(target=send)
    sending.start()
    if moment == "reading":
        time.sleep(0.1)
    else:
        _wait_for(journal.exists)
        time.sleep(random.uniform(0, 0.1) if moment == "writing" else 0)
        if moment == "written":
            _wait_for(lambda: not journal.exists())
    gateway.process.kill()
    gateway.process.wait()
    sending.join()
    count, state = stored(database(gateway))
    assert state == "ok"
    assert count in ((10_000,) if moment == "written" else (0, 10_000))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_durability_c09_a_lock_is_503_and_the_catalogue_serves_on(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A write that cannot be done is refused with a time to try again; reads and chats go on; later it can."""
    gateway.register([tools.record(WEATHER)])
    with client_for(gateway) as client:
        with written_by_another(database(gateway)):
            answers: list[httpx.Response] = []
            writing = threading.Thread(target=lambda: answers.append(client.delete("/admin/tools/get_weather")))
            writing.start()
            assert gateway.admin("GET", "/admin/tools/get_weather").status_code == 200
            gateway.post(tools.chat("What is the weather?"))
            assert upstream.last.tool_names == ["get_weather"]
            writing.join()
        refused(answers[0], 503, "registry_busy", "Another process is writing")
        assert answers[0].headers["retry-after"] == "1"
        assert client.delete("/admin/tools/get_weather").status_code == 204


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A server whose registry lies on a disk of 2 MiB."""
    disk, port = tmp_path / "disk", free_port()
    disk.mkdir()
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=2m tmpfs '{disk}'"
    if shutil.which("unshare") is None or subprocess.call([*alone, mount], stderr=subprocess.DEVNULL):
        pytest.skip("a small disk cannot be mounted here: unshare or mount is not allowed")
    serve = f"{mount} && exec '{Path(sys.executable).with_name('toolfunnel')}' serve"
    values = environment({"SERVER__PORT": str(port), "REGISTRY__URL": f"sqlite:///{disk}/registry.db"})
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*alone, serve], cwd=tmp_path, env=values, stdout=log, stderr=log)
    gateway = GatewayProcess(process, port, tmp_path)
    try:
        gateway.wait_ready(60)
        yield gateway
    finally:
        gateway.stop()


def test_durability_c04_a_full_disk_is_507_and_what_is_stored_serves_on(cramped: GatewayProcess) -> None:
    """A batch for which there is no room is refused whole; what was there is there; with room it goes through."""
    with client_for(cramped) as client:
        assert client.put("/admin/tools/get_weather", json=WEATHER).status_code == 201
        big = [tools.function(f"big_{i}", "x" * 10_000) for i in range(500)]
        answer = client.post("/admin/tools:batch", json=big)
        refused(answer, 507, "registry_full", "no room left .* nothing was changed")
        assert answer.headers["x-should-retry"] == "false"
        assert [r["tool"] for r in client.get("/admin/tools").json()["tools"]] == [WEATHER]
        assert client.post("/admin/route", json=tools.chat("weather")).json()["sent"] == ["get_weather"]
        assert client.put("/admin/tools/small", json=tools.function("small")).status_code == 201
        assert client.delete("/admin/tools/get_weather").status_code == 204


def test_a_missing_registry_is_told_and_the_catalogue_serves_on(gateway: GatewayProcess, upstream: Upstream) -> None:
    """With the file gone the admin API says so without its insides; requests are served from memory."""
    gateway.register([tools.record(WEATHER)])
    database(gateway).rename(database(gateway).with_suffix(".away"))
    for method, path in (("GET", "/admin/tools"), ("GET", "/admin/tools/x"), ("DELETE", "/admin/tools/get_weather")):
        refused(gateway.admin(method, path), 503, "registry_unusable", "cannot be opened")
    gateway.post(tools.chat("What is the weather?"))
    assert upstream.last.tool_names == ["get_weather"]
    database(gateway).with_suffix(".away").rename(database(gateway))
    assert gateway.admin("GET", "/admin/tools/get_weather").status_code == 200


def test_what_another_server_writes_is_seen_here(gateway: GatewayProcess, start_gateway: StartGateway) -> None:
    """Two servers on one registry: a tool written by one is offered by the other after its next look."""
    second = start_gateway(REGISTRY__URL=f"sqlite:///{database(gateway)}", REGISTRY__POLL_S="0.1")
    gateway.admin("PUT", "/admin/tools/get_weather", json=WEATHER)
    explain = {"json": tools.chat("weather")}
    _wait_for(lambda: second.admin("POST", "/admin/route", **explain).json()["sent"] == ["get_weather"])
