"""A new configuration while the gateway runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.cli.command import Place, wait_until
from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess, free_port
from tests.support.lines import lines, wait_for_text
from tests.support.sockets import RawClient
from tests.support.upstream import DONE, Upstream, event, sse

pytestmark = pytest.mark.expects_fault("the old one stays", certain=False)

ADMIN_KEY = "the-admin-key"
QUESTION = tools.chat("list exams", tools=tools.distinct(40))


@pytest.fixture(scope="module")
def second_upstream() -> Iterator[Upstream]:
    """Another provider."""
    other = Upstream().start()
    yield other
    other.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server lives."""
    return tmp_path_factory.mktemp("reload")


@pytest.fixture(scope="module")
def running(house: Path, running_upstream: Upstream) -> Iterator[GatewayProcess]:
    """A server that is configured by a file."""
    write_file(house, running_upstream)
    gateway = GatewayProcess.start(house)
    gateway.admin_key = ADMIN_KEY
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(running: GatewayProcess, house: Path, upstream: Upstream) -> GatewayProcess:
    """The same with the configuration that it had at first."""
    write_file(house, upstream)
    assert reload(running).status_code == 200
    return running


def write_file(house: Path, upstream: Upstream, /, **sections: dict[str, Any]) -> None:
    """Write the configuration: the first one, with sections replaced."""
    values: dict[str, Any] = {
        "server": {"max_body_bytes": 2**20},
        "upstream": {"base_url": upstream.base_url},
        "admin": {"key": ADMIN_KEY},
        "select": {"budget_ms": 3000, "initial": 12},
        "log": {"format": "json"},
    }
    (house / "config.yaml").write_text(yaml.safe_dump(values | sections), encoding="utf-8")


KEYS_IN_REGISTRY = {
    "UPSTREAM__CREDENTIALS": "managed",
    "UPSTREAM__API_KEY": "provider-key",
    "CALLERS__PEPPER": "a-pepper-for-tests-that-is-long-enough-0123456789",
}


@dataclass
class Demanding:
    """A server in managed mode that asks for keys: what must not be lost."""

    gateway: GatewayProcess
    house: Path
    upstream: Upstream

    def write(self, callers: Sequence[str] = ("of-a-team",), api_key: str = "provider-key") -> None:
        """Write its configuration, in place."""
        managed = {"base_url": self.upstream.base_url, "credentials": "managed", "api_key": api_key}
        write_file(self.house, self.upstream, upstream=managed, callers={"keys": list(callers)})

    def harm(self, how: str) -> None:
        """Harm its file."""
        file = self.house / "config.yaml"
        text = file.read_text(encoding="utf-8")
        harmed = {
            "empty": "",
            "commented out": "".join(f"# {line}" for line in text.splitlines(keepends=True)),
            "cut after upstream": "admin:\n  key: the-admin-key\nupstream:\n",
            "without its last line": text.rstrip("\n").rpartition("\n")[0],
            "null": text.replace(f"key: {ADMIN_KEY}", "key: null"),
        }
        file.unlink() if how == "gone" else file.write_text(harmed[how], encoding="utf-8")

    def statuses(self) -> tuple[int, int, int]:
        """Return what becomes of requests to the admin API without its key, and of callers without and with theirs."""
        bare = httpx.get(f"{self.gateway.url}/admin/tools", trust_env=False).status_code
        stranger = self.gateway.post({}, "/embeddings", authorization="Bearer of-nobody").status_code
        return bare, stranger, self.gateway.post({}, "/embeddings", authorization="Bearer of-a-team").status_code


@pytest.fixture(scope="module")
def demanding_server(tmp_path_factory: pytest.TempPathFactory, running_upstream: Upstream) -> Iterator[Demanding]:
    """Give one server for all of them."""
    house = tmp_path_factory.mktemp("demanding")
    managed = {"base_url": running_upstream.base_url, "credentials": "managed", "api_key": "provider-key"}
    write_file(house, running_upstream, upstream=managed, callers={"keys": ["of-a-team"]})
    gateway = GatewayProcess.start(house)
    gateway.admin_key = ADMIN_KEY
    yield Demanding(gateway, house, running_upstream)
    gateway.stop()


@pytest.fixture
def demanding(demanding_server: Demanding, upstream: Upstream) -> Demanding:
    """The same with its first configuration."""
    demanding_server.write()
    assert reload(demanding_server.gateway).status_code == 200
    return demanding_server


def reload(gateway: GatewayProcess) -> Any:
    """Ask for it."""
    return gateway.admin("POST", "/admin/config:reload")


def test_f11_new_values_are_in_force_for_the_next_request(
    gateway: GatewayProcess, house: Path, upstream: Upstream
) -> None:
    """What can change while the gateway runs is changed at once; the answer names the keys."""
    gateway.post(QUESTION)
    write_file(house, upstream, select={"budget_ms": 3000, "initial": 3}, safety={"allow": ["read", "write"]})
    answer = reload(gateway)
    gateway.post(QUESTION)
    assert [len(request.tool_names) for request in upstream.requests] == [12, 3]
    assert (answer.status_code, answer.json()) == (
        200,
        {"changed": ["select.initial", "safety.allow"], "needs_restart": []},
    )


def test_what_was_remembered_of_requests_is_forgotten_when_it_is_turned_off(
    gateway: GatewayProcess, house: Path, upstream: Upstream
) -> None:
    """Nothing is told while it is off, and turned on again it knows nothing from before."""
    asked = f"/admin/requests/{gateway.post(QUESTION).headers['x-request-id']}"
    wait_until(lambda: gateway.admin("GET", asked).status_code == 200)
    for on in (False, True):
        write_file(house, upstream, safety={"explain_requests": on})
        assert reload(gateway).json()["changed"][-1:] == ["safety.explain_requests"]
        assert gateway.admin("GET", asked).status_code == 404


def test_f11_keys_of_callers_and_of_the_provider_change(demanding: Demanding) -> None:
    """A caller's key that is withdrawn is refused by the next request; the provider sees its new key."""
    gateway, upstream = demanding.gateway, demanding.upstream
    demanding.write(callers=["of-another-team"], api_key="another-provider-key")
    assert set(reload(gateway).json()["changed"]) == {"callers.keys", "upstream.api_key"}
    statuses = [gateway.post({}, authorization=f"Bearer {key}").status_code for key in ("of-a-team", "of-another-team")]
    assert statuses == [401, 200]
    assert upstream.last.values("authorization") == ["Bearer another-provider-key"]


@pytest.mark.parametrize(
    "harm", ["gone", "empty", "commented out", "cut after upstream", "without its last line", "null"]
)
def test_h02_a_file_of_which_a_part_is_missing_opens_nothing(demanding: Demanding, harm: str) -> None:
    """By signal and by the admin API: said in the answer, the log, /readyz and a figure; then a whole one is taken."""
    gateway, said = demanding.gateway, demanding.gateway.log.count("the old one stays")
    demanding.harm(harm)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log.count("the old one stays") > said)
    answer = reload(gateway)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_configuration")
    assert demanding.statuses() == (401, 401, 200)
    ready = gateway.admin("GET", "/readyz")
    assert (ready.status_code, "was refused" in ready.json()["configuration"]) == (200, True)
    assert "\ntoolfunnel_config_refused 1.0" in gateway.admin("GET", "/metrics").text
    assert lines(gateway, "the new configuration cannot be used; the old one stays")[-1]["level"] == "error"
    demanding.write()
    assert reload(gateway).status_code == 200
    assert "configuration" not in gateway.admin("GET", "/readyz").json()
    assert "\ntoolfunnel_config_refused 0.0" in gateway.admin("GET", "/metrics").text


def test_h02_keys_are_withdrawn_to_the_last_but_one(demanding: Demanding) -> None:
    """Adding and removing is taken; to ask for none any more needs a restart."""
    demanding.write(callers=["of-a-team", "of-another"])
    assert reload(demanding.gateway).json()["changed"] == ["callers.keys"]
    demanding.write(callers=["of-another"])
    assert reload(demanding.gateway).json()["changed"] == ["callers.keys"]
    assert demanding.statuses() == (401, 401, 401)
    demanding.write(callers=[])
    refused = reload(demanding.gateway)
    assert (refused.status_code, "needs a restart" in refused.json()["error"]["message"]) == (400, True)


def test_h02_a_key_in_a_file_that_was_emptied_stays_in_force(demanding: Demanding) -> None:
    """Or that cannot be read any more; one that was replaced is taken."""
    secret = demanding.house / "secret"
    secret.write_text("of-a-team\n")
    demanding.write(callers=[f"file:{secret}"])
    assert reload(demanding.gateway).status_code == 200
    for text in ("", "\n", "of-a"):
        secret.write_text(text)
        assert (reload(demanding.gateway).status_code, demanding.statuses()) == (400, (401, 401, 200))
    secret.unlink()
    assert (reload(demanding.gateway).status_code, demanding.statuses()) == (400, (401, 401, 200))
    secret.write_text("a-new-one")
    assert (reload(demanding.gateway).status_code, demanding.statuses()) == (200, (401, 401, 401))


def test_h02_a_gateway_that_lost_its_configuration_passes_none_of_its_keys_on(
    start_gateway: StartGateway, upstream: Upstream
) -> None:
    """Started in passthrough mode over a registry with keys it says so, and refuses them instead of forwarding."""
    first = start_gateway(**KEYS_IN_REGISTRY)
    key = first.admin("POST", "/admin/keys", json={"name": "a team"}).json()["key"]
    registry = f"sqlite:///{first.directory / 'registry.db'}"
    lost = start_gateway(REGISTRY__URL=registry)
    assert "nobody is asked for one" in lost.log
    statuses = [lost.post({}, "/embeddings", authorization=f"Bearer {one}").status_code for one in (key, "sk-own")]
    assert (statuses, len(upstream.requests)) == ([401, 200], 1)


def test_f11_a_stream_keeps_the_provider_it_began_with(
    gateway: GatewayProcess, house: Path, upstream: Upstream, second_upstream: Upstream
) -> None:
    """New requests go to the new provider; the old one's connections are closed when its last answer has ended."""
    go = threading.Event()
    upstream.respond_with(sse(event({"content": "a"}), go, DONE))
    with RawClient(gateway.port) as client:
        client.send(sockets.request(tools.encoded(tools.chat("list exams", stream=True))))
        client.receive_until(b"data:")
        write_file(house, second_upstream)
        assert reload(gateway).json()["changed"] == ["upstream.base_url"]
        gateway.post(QUESTION)
        assert (len(upstream.requests), len(second_upstream.requests)) == (1, 1)
        go.set()
        client.receive_until(DONE + b"\r\n0\r\n\r\n")
    upstream.requests[0].wait_closed(10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("upstream: {base_url: 'ftp://x'}", "upstream: base_url starts with"),
        ("select: {initial: 30, max: 20}", "select.max is at least"),
        ("unknown: {}", "unknown: there is no such key"),
        ("admin: [", "line 1"),
        ("upstream: {credentials: managed, base_url: 'http://x/v1', api_key: 'env:NOT_SET_ANYWHERE'}", "NOT_SET_ANYW"),
    ],
)
def test_f11_a_bad_file_keeps_the_old_configuration(
    gateway: GatewayProcess, house: Path, upstream: Upstream, text: str, said: str
) -> None:
    """The answer is a 400 that says why, the log says it, and everything goes on as before."""
    (house / "config.yaml").write_text(text, encoding="utf-8")
    answer = reload(gateway)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_configuration")
    assert said in error["message"]
    assert said in lines(gateway, "the new configuration cannot be used; the old one stays")[-1]["reason"]
    gateway.post(QUESTION)
    assert len(upstream.last.tool_names) == 12


def test_f11_sighup_reads_the_file_again(gateway: GatewayProcess, house: Path, upstream: Upstream) -> None:
    """SIGHUP does the same; with a bad file the process lives on, unchanged."""
    (house / "config.yaml").write_text("nonsense", encoding="utf-8")
    before = gateway.log.count("the old one stays")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log.count("the old one stays") > before)
    write_file(house, upstream, select={"budget_ms": 3000, "initial": 5})
    before = gateway.log.count("was read again")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log.count("was read again") > before)
    gateway.post(QUESTION)
    assert len(upstream.last.tool_names) == 5


def test_f11_what_needs_a_restart_is_named_and_stays(gateway: GatewayProcess, house: Path, upstream: Upstream) -> None:
    """Another registry, encoder or port is not taken up; the answer names the keys, the rest is in force."""
    server = {"host": "127.0.0.2", "max_body_bytes": 2_000}
    trace = {"endpoint": "http://127.0.0.1:9/v1/traces"}
    write_file(house, upstream, server=server, registry={"poll_s": 7.0}, trace=trace)
    assert reload(gateway).json() == {
        "changed": ["server.max_body_bytes"],
        "needs_restart": ["server.host", "registry.poll_s", "trace.endpoint"],
    }
    assert gateway.post(tools.chat("x" * 3_000)).status_code == 413


def test_f11_the_admin_key_changes(gateway: GatewayProcess, house: Path, upstream: Upstream) -> None:
    """The old key is refused from then on."""
    write_file(house, upstream, admin={"key": "another-admin-key"})
    reload(gateway)
    refused = reload(gateway).status_code
    gateway.admin_key = "another-admin-key"
    write_file(house, upstream)
    assert (refused, reload(gateway).status_code) == (401, 200)
    gateway.admin_key = ADMIN_KEY


def test_f11_no_request_fails_while_it_changes(gateway: GatewayProcess, house: Path, upstream: Upstream) -> None:
    """Hundreds of requests during twenty changes, good and bad, are all answered."""

    def change() -> None:
        for number in range(20):
            if number % 3:
                timeout = {"base_url": upstream.base_url, "connect_timeout_s": 5.0 + number}
                write_file(house, upstream, upstream=timeout)
            else:
                (house / "config.yaml").write_text("broken: [", encoding="utf-8")
            reload(gateway)

    with ThreadPoolExecutor(5) as pool:
        changing = pool.submit(change)
        asked = [pool.submit(gateway.post, tools.chat("hello")) for _ in range(200)]
        assert {answer.result().status_code for answer in asked} == {200}
        changing.result()


def test_f11_workers_all_follow(tmp_path: Path, upstream: Upstream) -> None:
    """With two workers SIGHUP, and the admin API asked of any of them, reach both."""
    place = Place(tmp_path, {})
    write_file(tmp_path, upstream)
    process = place.start("serve", "--port", "0", "--workers", "2")
    try:
        wait_until(lambda: place.written().count('"ready to serve"') == 2, 60)
        write_file(tmp_path, upstream, select={"initial": 3})
        os.kill(process.pid, signal.SIGHUP)
        wait_until(lambda: place.written().count("was read again") == 2)
        address = place.written().split('"base_url":"http://127.0.0.1:')[1]
        server = GatewayProcess(process, int(address.split("/")[0]), tmp_path, ADMIN_KEY)
        assert reload(server).json() == {"changed": [], "needs_restart": []}
        wait_until(lambda: place.written().count("was read again") == 5)  # the one that was asked, and both again
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_h02_a_worker_that_is_replaced_begins_with_what_is_in_force(tmp_path: Path, upstream: Upstream) -> None:
    """Whatever is in the file by then: it asks for the keys that the last reload brought."""
    place = Place(tmp_path, {})
    write_file(tmp_path, upstream)
    port = free_port()
    process = place.start("serve", "--port", str(port), "--workers", "2")
    server = GatewayProcess(process, port, tmp_path, ADMIN_KEY)
    try:
        wait_until(lambda: place.written().count('"ready to serve"') == 2, 60)
        managed = {"base_url": upstream.base_url, "credentials": "managed", "api_key": "provider-key"}
        write_file(tmp_path, upstream, upstream=managed, callers={"keys": ["of-a-team"]})
        os.kill(process.pid, signal.SIGHUP)
        wait_until(lambda: place.written().count("was read again") == 2)
        (tmp_path / "config.yaml").write_text("", encoding="utf-8")
        psutil.Process(max(workers(process.pid))).kill()
        wait_until(lambda: place.written().count('"ready to serve"') == 3, 60)
        demanding = Demanding(server, tmp_path, upstream)
        assert {demanding.statuses() for _ in range(10)} == {(401, 401, 200)}
    finally:
        process.terminate()
        assert process.wait(20) == 0


def workers(pid: int) -> list[int]:
    """Give the processes that serve, without the one that keeps account of shared resources."""
    found = psutil.Process(pid).children(recursive=True)
    return [child.pid for child in found if "spawn_main" in " ".join(child.cmdline())]


def test_f11_the_log_follows(gateway: GatewayProcess, house: Path, upstream: Upstream) -> None:
    """Level and format change, and secrets of the old configuration stay out of it, too."""
    write_file(house, upstream, log={"format": "console", "level": "debug"})
    reload(gateway)
    gateway.post(b'{"messages": 7}', x_request_id="at-debug")
    wait_for_text(gateway, "request_id=at-debug")
    assert "not routed" in gateway.log.rpartition("was read again")[2]
    assert ADMIN_KEY not in gateway.log
