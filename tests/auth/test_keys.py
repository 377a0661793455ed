"""Keys of callers: how they look, what is kept of them, and when they open the gateway."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import openai
import pytest

from tests.auth.conftest import ADMIN_KEY, MANAGED, PEPPER, Issue, Pair
from tests.cli.command import Place, wait_until
from tests.conftest import MakeClient
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess, free_port
from tests.support.lines import line_of, lines
from tests.support.sockets import RawClient
from tests.support.upstream import Ending, Upstream, event, never, sse

QUESTION = tools.chat("list the exams")


def asked(gateway: GatewayProcess, key: str, path: str = "/chat/completions") -> int:
    """Ask with a key; give the status."""
    return gateway.post(QUESTION, path, authorization=f"Bearer {key}").status_code


def refuses(gateway: GatewayProcess, key: str) -> bool:
    """Tell whether a key opens nothing any more."""
    return asked(gateway, key) == 401


def settle(pair: Pair, key: str) -> None:
    """Wait until a key opens both."""
    for gateway in pair:
        wait_until(lambda gateway=gateway: asked(gateway, key) == 200)  # type: ignore[misc]


def test_auth_e01_a_key_has_an_id_a_secret_and_a_checksum(issue: Issue) -> None:
    """The key is shown with its id in it; a second one shares nothing with it but the form."""
    first, second = issue(), issue()
    assert first["key"].startswith(f"tfk_{first['id']}_")
    assert len(first["key"]) == 68
    assert first["key"][17:] != second["key"][17:]
    assert first["id"] != second["id"]


def test_auth_e01_the_database_holds_no_key(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """What is stored opens nothing: no secret is in the file, and the stored digest is no key."""
    key = issue()["key"]
    path = pair[0].directory.parent / "registry.db"
    with closing(sqlite3.connect(path)) as database:
        stored = [row[0] for row in database.execute("select digest from keys")]
    assert key.encode()[17:60] not in path.read_bytes()
    prefixed = [f"{key[:17]}{digest[:51]}" for digest in stored]
    assert {asked(pair[0], shown) for shown in [*stored, *prefixed]} == {401}


def registry_of(pair: Pair) -> Path:
    """Give the database of the two."""
    return pair[0].directory.parent / "registry.db"


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
def test_auth_e01_a_created_key_serves_the_official_client(
    pair: Pair, issue: Issue, client_of: MakeClient, upstream: Upstream, path: str
) -> None:
    """The stock client needs nothing but the key; the provider sees its own."""
    key = issue()["key"]
    assert asked(pair[0], key, path) == 200
    answer = client_of(pair[0], api_key=key).chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}]
    )
    assert answer.choices[0].message.content == "Hello"
    assert upstream.last.values("authorization") == ["Bearer sk-of-the-provider"]


def variants(key: str) -> list[str]:
    """Give what is nearly a key."""
    return [
        key[:-1],
        key + "0",
        key[:20] + ("a" if key[20] != "a" else "b") + key[21:],
        key.upper(),
        key.replace("tfk_", "tfk-"),
        key[:17],
        f"{key[:4]}000000000000{key[16:]}",
        PEPPER,
        ADMIN_KEY,
    ]


def test_auth_e01_nothing_near_a_key_is_one(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """Cut, changed, with another id, or another secret of the house: each is a 401 and reaches no provider."""
    shown = variants(issue()["key"])
    assert [asked(pair[0], key) for key in shown] == [401] * len(shown)
    assert upstream.requests == []


def test_auth_e01_strangers_are_refused_before_their_body(pair: Pair, issue: Issue) -> None:
    """A key with a wrong digit is refused, in OpenAI's form, though none of the announced body has come."""
    key = issue()["key"][:-1] + "x"
    with RawClient(pair[0].port) as client:
        client.send(sockets.request(headers=[("authorization", f"Bearer {key}")], length=50_000))
        status, _, body = client.answer()
    error = json.loads(body)["error"]
    assert (status, error["type"], error["code"]) == (401, "authentication_error", "invalid_api_key")
    assert "mistyped" in error["message"]


def test_auth_e06_keys_with_one_id_share_nothing(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """After a key has opened, another one that begins like it, up to its last letters, opens nothing."""
    key = issue()["key"]
    assert asked(pair[0], key) == 200
    assert asked(pair[0], key[:58] + "AB" + key[60:]) == 401
    assert asked(pair[0], key[:64] + "0000") in (401, 200 if key.endswith("0000") else 401)


def test_auth_e04_no_key_is_of_use_on_the_other_side(pair: Pair, issue: Issue) -> None:
    """A caller's key opens no admin route, the admin key nothing below /v1."""
    stranger = GatewayProcess(pair[0].process, pair[0].port, pair[0].directory, issue()["key"])
    routes = [("GET", "/admin/keys"), ("POST", "/admin/keys"), ("GET", "/admin/tools"), ("POST", "/admin/route")]
    assert {stranger.admin(method, path, content=b"{}").status_code for method, path in routes} == {401}
    assert asked(pair[0], ADMIN_KEY) == 401


def test_auth_e18_a_revoked_key_opens_nothing_within_a_second(
    pair: Pair, issue: Issue, client_of: MakeClient, upstream: Upstream
) -> None:
    """Revoked at one gateway it is refused there at once, and at the other at its next look."""
    key = issue()
    settle(pair, key["key"])
    assert pair[0].admin("DELETE", f"/admin/keys/{key['id']}").status_code == 204
    assert asked(pair[0], key["key"]) == 401
    wait_until(lambda: refuses(pair[1], key["key"]))
    with pytest.raises(openai.AuthenticationError):
        client_of(pair[1], api_key=key["key"]).models.list()


def test_auth_e18_answers_under_way_are_broken_off(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """A key revoked elsewhere: its stream has no end, its waiting request is a 401, both calls to the provider end."""
    key = issue()
    settle(pair, key["key"])
    upstream.reset()
    upstream.respond_with(sse(event({"content": "Hel"}), ending=Ending.HANG), never())
    shown = {"authorization": f"Bearer {key['key']}"}
    with (
        ThreadPoolExecutor(1) as pool,
        httpx.stream("POST", pair[1].base_url + "/chat/completions", json=QUESTION, headers=shown) as answer,
    ):
        pieces = answer.iter_bytes()
        assert b"Hel" in next(pieces)
        waiting = pool.submit(asked, pair[1], key["key"])
        upstream.wait_for(2)
        pair[0].admin("DELETE", f"/admin/keys/{key['id']}")
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)
        assert waiting.result() == 401
    for request in upstream.requests:
        request.wait_closed(10)
    ends = {line["end"] for line in lines(pair[1], "chat") if line.get("caller") == key["id"]}
    assert ends == {"whole", "cut_off"}


def test_auth_e18_the_command_revokes_for_running_gateways(pair: Pair, upstream: Upstream) -> None:
    """Keys are made and revoked by the command while gateways run on the same registry."""
    place = Place(pair[0].directory, MANAGED | {"REGISTRY__URL": f"sqlite:///{registry_of(pair)}"})
    made = place.run("keys", "create", "by command", "--days", "1", "--tools-source", "request", "--json").json
    assert made["tools_source"] == "request"
    assert "source: request" in place.run("keys", "list").out
    settle(pair, made["key"])
    assert place.run("keys", "revoke", made["id"]).out == "1 revoked\n"
    wait_until(lambda: all(refuses(gateway, made["key"]) for gateway in pair))
    assert (
        next(key for key in place.run("keys", "list", "--json").json if key["id"] == made["id"])["state"] == "revoked"
    )


@pytest.fixture(scope="module")
def workers(running_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One server of two processes that count for themselves."""
    place = Place(tmp_path_factory.mktemp("workers"), MANAGED | {"UPSTREAM__BASE_URL": running_upstream.base_url})
    port = free_port()
    process = place.start("serve", "--port", str(port), "--workers", "2")
    server = GatewayProcess(process, port, place.path, ADMIN_KEY)
    try:
        wait_until(lambda: place.written().count('"ready to serve"') == 2, 60)
        yield server
    finally:
        server.stop()


def test_auth_e18_all_workers_refuse_a_revoked_key(workers: GatewayProcess, upstream: Upstream) -> None:
    """Whichever of the two made the key and took it back: new connections find both of them know."""
    made = workers.admin("POST", "/admin/keys", json={"name": "x"}).json()
    wait_until(lambda: [asked(workers, made["key"]) for _ in range(10)] == [200] * 10)
    workers.admin("DELETE", f"/admin/keys/{made['id']}")
    wait_until(lambda: [asked(workers, made["key"]) for _ in range(10)] == [401] * 10)
    time.sleep(1)  # more than one look: one of the two may have answered all ten
    assert {asked(workers, made["key"]) for _ in range(20)} == {401}


def test_auth_e08_each_worker_counts_for_itself_without_redis(workers: GatewayProcess, upstream: Upstream) -> None:
    """In memory, two processes let through no more than twice the limit."""
    made = workers.admin("POST", "/admin/keys", json={"name": "x", "limits": ["5/hour"]}).json()
    statuses: list[int] = []

    def both_know_it() -> bool:
        """Ask over ten new connections, which both take some of."""
        statuses.extend(asked(workers, made["key"]) for _ in range(10))
        return 401 not in statuses[-10:]

    wait_until(both_know_it)
    wait_until(lambda: both_know_it() and statuses[-10:] == [429] * 10)
    assert 5 <= statuses.count(200) <= 10


def test_an_expired_key_opens_nothing(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """It opens until its time has come, in every process, and is listed as expired."""
    until = datetime.now(UTC) + timedelta(seconds=2)
    key = issue(expires_at=until.isoformat())
    settle(pair, key["key"])
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    assert [asked(gateway, key["key"]) for gateway in pair] == [401, 401]
    assert pair[0].admin("GET", f"/admin/keys/{key['id']}").json()["state"] == "expired"


def test_the_log_names_the_key_and_never_holds_it(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """The line of a request has the id of its key; so do the lines of its creation and its end."""
    key = issue()
    answer = pair[0].post(QUESTION, authorization=f"Bearer {key['key']}", x_request_id=key["key"])
    pair[0].admin("DELETE", f"/admin/keys/{key['id']}")
    line = line_of(pair[0], answer.headers["x-toolfunnel-request-id"])
    assert line["caller"] == key["id"]
    told = [json.loads(line) for line in pair[0].log.splitlines() if key["id"] in line]
    assert [one["event"] for one in told] == ["a caller's key was created", "chat", "a caller's key was revoked"]
    assert key["key"][17:] not in pair[0].log


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"name": ""}, "name is a text"),
        ({"name": "x", "risks": ["dangerous"]}, "never offered"),
        ({"name": "x", "risks": ["all"]}, "risks"),
        ({"name": "x", "limits": ["many"]}, "60/minute"),
        ({"name": "x", "limits": ["0/minute"]}, "60/minute"),
        ({"name": "x", "tenants": [""]}, "tenants"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "has passed"),
        ({"name": "x", "expires_at": "2040-01-01T00:00:00"}, "zone"),
        ({"name": "x", "expires_at": "9999-12-31T23:59:59-23:00"}, "too far"),
        ({"name": "x", "limits": ["5/minute; 100/day"]}, "60/minute"),
        ({"name": "\u0000"}, "name is a text"),
        ({"name": "x", "scope": "all"}, "scope"),
        ({}, "name"),
    ],
    ids=str,
)
def test_a_key_that_cannot_be_granted_is_refused(pair: Pair, wanted: dict[str, object], reason: str) -> None:
    """What is not understood is never granted by half."""
    answer = pair[0].admin("POST", "/admin/keys", json=wanted)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert reason in answer.json()["error"]["message"]


def test_unknown_keys_are_a_404(pair: Pair) -> None:
    """To read, to revoke, and to explain a decision for."""
    statuses = [pair[0].admin(method, "/admin/keys/nobody").status_code for method in ("GET", "DELETE")]
    statuses.append(pair[0].admin("POST", "/admin/route", params={"key": "nobody"}, json=QUESTION).status_code)
    assert statuses == [404, 404, 404]


def test_explanations_count_as_a_keys_request(pair: Pair, issue: Issue) -> None:
    """With a key's id a decision is explained as that caller has it: its tenant's tools are chosen."""
    tool = tools.function("umbrella_lookup", "Look up the umbrella stock.")
    pair[0].register([tools.record(tool, tenant="umbrella")])
    key = issue(tenants=["umbrella"])
    asked = tools.chat("look up the umbrella stock")
    explained = [pair[0].admin("POST", "/admin/route", params=p, json=asked).json() for p in ({"key": key["id"]}, {})]
    why = [next(row["why"] for row in one["tools"] if row["name"] == "umbrella_lookup") for one in explained]
    assert why == ["retrieved", "not permitted"]
    listed = pair[0].admin("GET", "/admin/tools", params={"tenant": "umbrella"}).json()["tools"]
    assert [one["tenant"] for one in listed] == ["umbrella"]


CORPUS = ["' OR 1=1 --", "'; DROP TABLE keys; --", '" OR ""="', "%", "_", "1 UNION SELECT digest FROM keys", "\\"]


@pytest.mark.parametrize("text", CORPUS)
def test_auth_e07_no_text_is_taken_for_sql(pair: Pair, issue: Issue, text: str) -> None:
    """As a key, as an id, as a filter and as names in a new key: each is the text that it is."""
    key = issue(name=text, tenants=[text], sources=[text], tags=[text])
    assert key["tenants"] == [text]
    assert asked(pair[0], text) == 401
    assert pair[0].admin("DELETE", "/admin/keys/" + text.replace("%", "%25").replace("\\", "%5C")).status_code == 404
    assert pair[0].admin("GET", "/admin/tools", params={"tenant": text}).json()["tools"] == []
    assert asked(pair[0], key["key"]) == 200


def test_a_key_says_whose_tools_its_requests_get(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """Within what the operator grants; a header narrows it further, and never leaves what the key limits to."""
    pair[0].register([tools.record(tool) for tool in tools.distinct(1)])
    own = [tools.function("bash", "Run a shell command.")]
    expected = {
        (None, None): {"bash"},
        (None, "both"): {"bash", "list_invoice"},
        ("both", None): {"bash", "list_invoice"},
        ("both", "request"): {"bash"},
        ("request", "both"): {"bash"},
        ("registry", None): {"list_invoice"},
        ("registry", "request"): {"list_invoice"},
    }
    for (said, header), names in expected.items():
        key = issue(tools_source=said)["key"]
        asked = {"authorization": f"Bearer {key}"} | ({"x_toolfunnel_source": header} if header else {})
        assert pair[0].post(tools.chat("list invoices", own), **asked).status_code == 200
        assert set(upstream.last.tool_names) & {"bash", "list_invoice"} == names, (said, header)
    registry = issue(tools_source="registry")["key"]
    answer = pair[0].post({}, "/CHAT/completions", authorization=f"Bearer {registry}")
    assert answer.status_code == 404
