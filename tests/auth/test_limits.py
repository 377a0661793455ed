"""How often a key may be used."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.auth.conftest import Issue, Pair
from tests.auth.test_keys import asked, settle
from tests.conftest import MakeClient
from tests.support import sockets
from tests.support.sockets import RawClient
from tests.support.upstream import Upstream


def test_auth_e08_a_limit_holds_over_processes(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """Of 120 requests at once at two gateways just 40 pass, when they count in Redis."""
    key = issue(limits=["40/hour", "5000/day"])
    settle((pair[1], pair[1]), key["key"])  # which takes one, or two
    taken = len(upstream.requests)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda number: asked(pair[number % 2], key["key"]), range(120)))
    assert statuses.count(200) == 40 - taken
    assert statuses.count(429) == 120 - statuses.count(200)


def test_auth_e08_the_official_client_sees_its_rate_limit(
    pair: Pair, issue: Issue, client_of: MakeClient, upstream: Upstream
) -> None:
    """It raises its own error, whose headers say when to come again; the provider hears nothing of it."""
    client = client_of(pair[0], api_key=issue(limits=["1/hour"])["key"])
    client.models.list()
    with pytest.raises(openai.RateLimitError) as caught:
        client.models.list()
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert 3_000 <= int(headers["retry-after"]) <= 3_600
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert re.fullmatch(r"1h0m0s|5\dm\d+s", headers["x-ratelimit-reset-requests"])
    assert len(upstream.requests) == 1


def test_auth_e08_the_official_client_waits_as_told(
    pair: Pair, issue: Issue, client_of: MakeClient, upstream: Upstream
) -> None:
    """With its retries it comes again when the window has ended, and is served."""
    client = client_of(pair[0], api_key=issue(limits=["1/second"])["key"], max_retries=2)
    started = time.monotonic()
    client.models.list()
    client.models.list()
    assert len(upstream.requests) == 2
    assert time.monotonic() - started >= 0.9


def test_auth_e08_what_is_too_much_is_refused_before_its_body(pair: Pair, issue: Issue) -> None:
    """None of the announced body has come when it is refused."""
    key = issue(limits=["1/hour"])["key"]
    assert asked(pair[0], key) == 200
    with RawClient(pair[0].port) as client:
        client.send(sockets.request(headers=[("authorization", f"Bearer {key}")], length=50_000))
        status, _, body = client.answer()
    assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limit_exceeded")


def test_d09_a_flood_of_one_caller_leaves_the_others_theirs(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """While one asks 300 times as fast as it can, all of another's 30 requests are answered; the provider sees 35."""
    loud, quiet = issue(limits=["5/hour"])["key"], issue()["key"]
    with ThreadPoolExecutor(16) as pool:
        flood = [pool.submit(asked, pair[0], loud) for _ in range(300)]
        answers = [asked(pair[0], quiet) for _ in range(30)]
        statuses = [one.result() for one in flood]
    assert answers == [200] * 30
    assert (statuses.count(200), statuses.count(429)) == (5, 295)
    assert len(upstream.requests) == 35


def test_limits_of_one_key_are_not_anothers(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """A caller that has used up its own leaves the others theirs."""
    first, second = issue(limits=["1/hour"])["key"], issue(limits=["1/hour"])["key"]
    assert [asked(pair[0], key) for key in (first, first, second)] == [200, 429, 200]


ENDLESS = {
    "years": "1/" + "9" * 400 + " years",
    "requests": "9" * 400 + "/minute",
    "blanks": " " * 20_000,
    "blanks in it": "1 per" + " " * 20_000 + "minute",
    "no window": "1/0 day",
    "other digits": "1/٣ day",
    "two": "60/minute;5/day",
}


@pytest.mark.parametrize("case", ENDLESS)
def test_b26_a_limit_without_measure_is_refused(pair: Pair, case: str) -> None:
    """When a key is made, not when it is used."""
    answer = pair[0].admin("POST", "/admin/keys", json={"name": "a test", "limits": [ENDLESS[case]]})
    assert (answer.status_code, "limits" in answer.text) == (400, True)


@pytest.mark.parametrize("limit", ["60/minute", " 1000 per 2 hours ", "5 / day", "999999999/9999 years"])
def test_b26_a_limit_within_measure_can_be_used(pair: Pair, issue: Issue, limit: str) -> None:
    """Every limit that is taken is one that can be counted, here and in Redis."""
    assert pair[0].post({}, authorization=f"Bearer {issue(limits=[limit])['key']}").status_code == 200
