"""Addresses with credentials in them: accepted, or refused with a reason; and never printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url

from app import settings
from app.settings import Settings
from app.settings.address import shown
from app.settings.encoders import EndpointSpec
from app.settings.imports import SourceSpec
from app.settings.registry import RegistrySettings

SECRET = "hunter2seven"


@pytest.mark.parametrize(
    ("given", "url", "password"),
    [
        ("postgresql://u:s3cret@h:5432/db", "postgresql://u@h:5432/db", "s3cret"),
        ("postgres://u:s3cret@h/db?sslmode=require", "postgresql://u@h/db?sslmode=require", "s3cret"),
        ("postgresql+psycopg://u:s3cret@h/db", "postgresql+psycopg://u@h/db", "s3cret"),
        ("postgresql://u:p%40s%2Fs%20%C3%A9%2B@h/db", "postgresql://u@h/db", "p@s/s é+"),
        ("postgresql://u:p@s:s@h/db", None, None),
        ("postgresql://postgres:@/postgres?host=/dir", "postgresql://postgres@/postgres?host=/dir", None),
        ("postgresql://u@h/db?password=a%20b+c&sslmode=require", "postgresql://u@h/db?sslmode=require", "a b+c"),
        ("postgresql://u:env:HOME@h/db", "postgresql://u@h/db", "env:HOME"),
        ("postgresql://h/db", "postgresql://h/db", None),
    ],
)
def test_database_url_is_taken_as_hosts_hand_it_out(given: str, url: str | None, password: str | None) -> None:
    """Its password is taken out, decoded, and put back, encoded, for the server alone."""
    if url is None:
        given = given.replace("p@s:s", "p%40s%3As")
        url, password = "postgresql://u@h/db", "p@s:s"
    read = RegistrySettings(url=given)
    assert (read.url, read.password and read.password.get_secret_value()) == (url, password)
    assert make_url(read.address).password == password
    assert make_url(read.address).query == make_url(url).query


def test_registry_password_wins_over_the_one_in_the_url() -> None:
    """Where both are given, the setting of its own holds."""
    read = RegistrySettings(url=f"postgres://u:{SECRET}@h/db", password=SecretStr("the other"))
    assert read.address == "postgresql://u:the%20other@h/db"


def test_database_url_is_read_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:DATABASE_URL` works as it does for secrets."""
    monkeypatch.setenv("DATABASE_URL", f"postgres://u:{SECRET}@h/db")
    assert RegistrySettings(url="env:DATABASE_URL").address == f"postgresql://u:{SECRET}@h/db"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"postgresql://u:{SECRET}/x@h/db", "%2F"),
        (f"postgresql://u:12/{SECRET}@h/db", "%2F"),
        (f"postgresql://u:12?{SECRET}@h/db", "%3F"),
        (f"postgresql://u:12#{SECRET}@h/db", "%23"),
        (f"postgresql://u:123456/{SECRET}@h/db", "%2F"),
        (f"postgresql://u:{SECRET}@h:99999/db", "the port is not a number up to 65535"),
        (f"postgresql://u:{SECRET}@h:5432,i:5432/db", "several hosts"),
        (f"postgresql://u:{SECRET}@h,i/db", "several hosts"),
        (f"sqlite:///data/x.db?password={SECRET}", "it has no password and no options"),
        (f"postgresql://u:{SECRET}@h", "the database is missing"),
        (f"postgresql://u:{SECRET}@[h/db", "url is sqlite:///path or postgresql://"),
        (f"mysql://u:{SECRET}@h/db", "url is sqlite:///path or postgresql://"),
        (f"postgresql://u@h/db?sslpassword={SECRET}", "sslpassword"),
    ],
)
def test_database_url_that_cannot_be_taken_apart_is_refused_without_being_repeated(url: str, reason: str) -> None:
    """What is told has the reason, and nothing of the password."""
    with pytest.raises(ValidationError) as refused:
        RegistrySettings(url=url)
    assert reason in str(refused.value)
    assert SECRET not in str(refused.value) + repr(refused.value)


REFUSED: dict[str, dict[str, Any]] = {
    "upstream": {"upstream": {"base_url": f"https://u:{SECRET}@h/v1"}},
    "upstream query": {"upstream": {"base_url": f"https://h/v1?api_key={SECRET}"}},
    "trace": {"trace": {"endpoint": f"https://u:{SECRET}@h/v1/traces"}},
    "encoder": {"encoder": {"kind": "endpoint", "base_url": f"https://u:{SECRET}@h/v1", "model": "m", "dimension": 3}},
    "source": {"imports": {"sources": [{"name": "s", "kind": "openapi", "url": f"https://u:{SECRET}@h/openapi"}]}},
    "odd source": {"imports": {"sources": [{"name": "s", "kind": "openapi", "url": f"http:\\\\u:{SECRET}@[/x"}]}},
    "redis": {"limits": {"storage": f"memcached://u:{SECRET}@h"}},
}


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_other_urls_with_a_credential_are_refused_without_being_repeated(values: dict[str, Any]) -> None:
    """The reason says what is for the secret instead."""
    with pytest.raises(ValidationError) as refused:
        Settings(**values)
    assert SECRET not in settings._readable(refused.value) + str(refused.value)
    assert any(word in settings._readable(refused.value) for word in ("a secret", "token and headers", "rediss://"))


def test_configuration_is_printed_without_any_credential_of_a_url() -> None:
    """URLs that may hold one: the database's, Redis's, and the query of a source's."""
    source = {"name": "s", "kind": "mcp", "url": f"https://h/mcp?exaApiKey={SECRET}&page=2"}
    loaded = Settings(
        registry={"url": f"postgres://u:{SECRET}@h/db"},
        limits={"storage": f"redis://:{SECRET}@h:6379/0"},
        imports={"sources": [source]},
    )
    printed = json.dumps(settings.redacted(loaded))
    assert SECRET not in printed + repr(loaded.registry) + repr(loaded.limits)
    assert "https://h/mcp?exaApiKey=***&page=2" in printed
    assert loaded.imports.sources[0].url == source["url"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://u:pw@h:1/x?token=abc&a=b#c", "https://h:1/x?token=***&a=b#c"),
        ("https://h/x?code=abc&sig=d&X-Amz-Credential=e&api%5Fkey=f", None),
        ("https://h/x", "https://h/x"),
        ("/a/file.json", "/a/file.json"),
        ("u:pw@h", "***"),
        ("http://[u:pw@h", "***"),
    ],
)
def test_url_is_shown_without_credentials(url: str, told: str | None) -> None:
    """No user, no password, no value of a query that sounds secret; the rest as it is."""
    assert shown(url) == (told or "https://h/x?code=***&sig=***&X-Amz-Credential=***&api%5Fkey=***")


def test_source_is_named_without_its_key_and_known_by_all_of_it() -> None:
    """Two sources that differ in the key alone look the same and are not."""
    one, other = (SourceSpec(name="s", kind="openapi", url=f"https://h/x?key={key}") for key in "ab")
    assert one.origin == other.origin == "https://h/x?key=***"
    assert one.place != other.place


def test_encoder_endpoint_says_where_its_key_belongs() -> None:
    """The message names the setting."""
    with pytest.raises(ValidationError, match="api_key is for a secret"):
        EndpointSpec(kind="endpoint", base_url=f"https://h/v1?key={SECRET}", model="m", dimension=3)
