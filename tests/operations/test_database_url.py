"""registry.url as hosts hand out DATABASE_URL: it works, and its password is read nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.cli.command import Place
from tests.conftest import StartGateway
from tests.support import tools
from tests.support.postgres import Postgres

PASSWORD = "p@ss/w0rd: 50%?"
FORMS = (PASSWORD, quote(PASSWORD, safe=""), "w0rd")


@pytest.fixture(scope="module")
def guarded(postgres: Postgres) -> Postgres:
    """A server that asks one role for its password, and the others for none."""
    postgres.ask_for_password("hosted", PASSWORD)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url().replace("postgres@", "hosted@"))
    return postgres


@pytest.fixture
def url(guarded: Postgres) -> Iterator[str]:
    """A database's address as a host would write it."""
    with guarded.database() as address:
        written = address.replace("postgres@", f"hosted:{quote(PASSWORD, safe='')}@")
        yield written.replace("postgresql://", "postgres://") + "?sslmode=disable"


@pytest.fixture
def place(tmp_path: Path, url: str) -> Place:
    """A directory whose configuration reads the address where hosts put it."""
    (tmp_path / "config.yaml").write_text("registry: {url: 'env:DATABASE_URL'}", encoding="utf-8")
    return Place(tmp_path, {})


def test_gateway_serves_from_a_hosted_database_and_never_logs_its_password(
    start_gateway: StartGateway, url: str
) -> None:
    """It starts, stores and answers; no form of the password is in its log, its figures or its admin API."""
    gateway = start_gateway(REGISTRY__URL=url, LOG__LEVEL="debug")
    gateway.register([tools.record(tool) for tool in tools.distinct(2)])
    shown = [gateway.admin("GET", path).text for path in ("/admin/stats", "/admin/tools", "/readyz", "/metrics")]
    gateway.stop()
    assert '"tools":2' in shown[0].replace(" ", "")
    assert [form for form in FORMS for text in (gateway.log, *shown) if form in text] == []


def test_commands_use_a_hosted_database_and_never_print_its_password(place: Place, url: str) -> None:
    """What they print, what they refuse, and what a backup holds."""
    variables = {"DATABASE_URL": url}
    checked = place.run("config", "check", variables=variables)
    assert "url: postgresql://hosted@127.0.0.1:" in checked.out
    done = [checked, place.run("backup", "b.backup", variables=variables)]
    wrong = url.replace("w0rd", "w0rdy")
    done.append(place.run("tools", "list", variables={"DATABASE_URL": wrong}))
    assert [one.code for one in done] == [0, 0, 1]
    assert "password authentication failed" in done[2].err
    kept = (place.path / "b.backup").read_bytes().decode("latin-1")
    assert [form for form in FORMS for one in done if form in one.out + one.err + kept] == []


def test_socket_of_a_folder_is_a_registry_too(place: Place, guarded: Postgres) -> None:
    """`postgresql://postgres:@/database?host=/folder` is read as libpq reads it."""
    settings = {"REGISTRY__URL": f"postgresql://postgres:@/postgres?host={guarded.sockets}&port={guarded.port}"}
    with guarded.database() as address:
        name = address.rpartition("/")[2]
        settings["REGISTRY__URL"] = settings["REGISTRY__URL"].replace("/postgres?", f"/{name}?")
        done = replace(place, settings=settings).run("migrate")
    assert (done.code, done.err) == (0, "")
    assert f"/{name}: up to date, 0 tools" in done.out
