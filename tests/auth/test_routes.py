"""Who may do what: every route of the program with every kind of key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.admin.test_auth import OPEN, ROUTES
from tests.auth.conftest import ADMIN_KEY, MANAGED, Issue, Pair
from tests.auth.test_keys import QUESTION, asked
from tests.cli.command import Place, wait_until
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def shown(pair: Pair) -> dict[str, str | None]:
    """Give every kind of key; the one that opens, and those that opened once."""

    def make(**wanted: object) -> dict[str, str]:
        key: dict[str, str] = pair[0].admin("POST", "/admin/keys", json={"name": "x"} | wanted).json()
        return key

    soon = datetime.now(UTC) + timedelta(seconds=1)
    revoked, expired = make(), make(expires_at=soon.isoformat())
    pair[0].admin("DELETE", f"/admin/keys/{revoked['id']}")
    wait_until(lambda: datetime.now(UTC) > soon)
    return {
        "nobody": None,
        "stranger": "sk-stranger",
        "caller": make()["key"],
        "revoked": revoked["key"],
        "expired": expired["key"],
        "operator": ADMIN_KEY,
    }


def expected(path: str, who: str) -> Callable[[int], bool]:
    """Give the policy: below /v1 for callers, below /admin for the operator, the rest for everybody."""
    if path.startswith("/v1/") or path not in OPEN:
        allowed = "caller" if path.startswith("/v1/") else "operator"
        return lambda status: (status != 401) == (who == allowed)
    return lambda status: status == 200


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_auth_e03_every_route_has_a_policy_for_every_key(
    pair: Pair, shown: dict[str, str | None], upstream: Upstream, method: str, path: str
) -> None:
    """A route that nobody thought of is for the operator alone."""
    target = pair[0].url + path.replace("{path:path}", "models").replace("{name}", "none").replace("{key_id}", "none")
    for who, key in shown.items():
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        answer = httpx.request(method, target, headers=headers, content=b"{}", timeout=60, trust_env=False)
        assert expected(path, who)(answer.status_code), (who, answer.status_code)


def test_auth_e16_a_callers_key_stays_here(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """In whichever header it is shown, the provider sees its own key and nothing of the caller's."""
    key = issue()["key"]
    pair[0].post(QUESTION, authorization=f"Bearer {key}", api_key=key, x_api_key=key, x_toolfunnel_key=key)
    assert upstream.last.values("authorization") == ["Bearer sk-of-the-provider"]
    assert key not in str(upstream.last.headers)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"SERVER__HOST": "0.0.0.0"}, "admin.key must be set"),
        ({**MANAGED, "SERVER__HOST": "0.0.0.0", "CALLERS__PEPPER": ""}, "starts on a loopback address only"),
        ({**MANAGED, "CALLERS__PEPPER": "short"}, "32 characters"),
        ({"CALLERS__PEPPER": MANAGED["CALLERS__PEPPER"]}, "managed mode only"),
    ],
    ids=["no admin key", "no callers' keys", "a short pepper", "a pepper in passthrough mode"],
)
def test_auth_e19_what_is_not_safe_does_not_start(tmp_path: Path, settings: dict[str, str], reason: str) -> None:
    """There is no default key: exit code 2, and what to do."""
    done = Place(tmp_path, settings).run("serve", "--port", "0")
    assert done.code == 2
    assert reason in done.err


def test_auth_e04_a_callers_key_is_refused_by_the_operators_side(pair: Pair, issue: Issue) -> None:
    """Also after it has opened its own side."""
    key = issue()["key"]
    assert asked(pair[0], key) == 200
    shown = {"authorization": f"Bearer {key}"}
    assert httpx.get(pair[0].url + "/admin/keys", headers=shown, trust_env=False).status_code == 401
