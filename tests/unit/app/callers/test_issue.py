"""What an operator asks for, and what becomes of it."""

from __future__ import annotations

import pytest

from app.callers import form, issue
from app.errors import Conflict
from app.settings import CallerSettings, Credentials, Settings, UpstreamSettings

PEPPER = "p" * 32
SETTINGS = Settings(
    upstream=UpstreamSettings(credentials=Credentials.MANAGED),
    callers=CallerSettings.model_validate({"pepper": PEPPER}),
)


def test_a_key_is_kept_as_its_digest() -> None:
    """What is kept of it is the HMAC under the pepper, and neither its record nor its repr tell that."""
    key, secret = issue.issue(issue.Wanted("team", tenants=["a", "a"], limits=["60/minute"]), SETTINGS)
    assert key.digest == form.digest(secret.encode(), PEPPER.encode())
    assert (key.id, key.tenants, key.limits) == (form.id_of(secret.encode()), ("a",), ("60/minute",))
    assert key.digest not in f"{key!r}{issue.as_record(key)}"


def test_without_a_pepper_there_are_no_keys() -> None:
    """The reason says how to make one."""
    with pytest.raises(Conflict, match="openssl rand -hex 32"):
        issue.issue(issue.Wanted("team"), Settings())
