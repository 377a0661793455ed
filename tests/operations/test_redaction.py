"""Secrets are planted everywhere and looked for everywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from app.callers import form
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess, free_port
from tests.support.lines import wait_for_text
from tests.support.otlp import Collector
from tests.support.sockets import RawClient
from tests.support.upstream import Answer, Ending, Upstream, event, json_answer, never, sse

CANARY = "Canary7F3"  # a piece of every planted secret; no pattern would know it for one
HEADERS = [
    *((name, f"{CANARY}-{name}") for name in ("api-key", "x-api-key", "cookie", "proxy-authorization", "x-anything")),
    ("authorization", f"Bearer {CANARY}-bearer"),
    *((name, f"{CANARY}-{name}") for name in ("user-agent", "referer", "traceparent", "tracestate")),
    *((name, f"{CANARY}-{name}") for name in ("x-forwarded-for", "x-toolfunnel-tags", "openai-organization")),
    ("baggage", f"key={CANARY}-baggage"),
    ("x-request-id", f"sk-{CANARY}"),  # an id is logged unless it looks like a key
]
QUERY = "&".join(f"{name}={CANARY}-{name}" for name in ("key", "api-version", "token", "x"))
TARGETS = [f"/v1/{path}?{QUERY}" for path in ("chat/completions", "embeddings", f"files/{CANARY}-file")]
BODY = tools.encoded(
    {
        "model": f"{CANARY}-model",
        "messages": [tools.user(f"{CANARY}-question"), *tools.called("lookup"), tools.user(f"{CANARY}-more")],
        "tools": [tools.function(f"{CANARY}-tool-{n}", f"{CANARY}-text", extra=f"{CANARY}-extra") for n in range(30)],
        "user": f"{CANARY}-user",
        "metadata": {f"{CANARY}-name": f"{CANARY}-value"},
    }
)
BROKEN = [
    f'{{"{CANARY}-broken'.encode(),
    f'{{"messages": "{CANARY}-text", "tools": "{CANARY}-list"}}'.encode(),
    f'{{"messages": [{{"role": "{CANARY}"}}], "tools": [{{"type": "function", "{CANARY}": 1}}]}}'.encode(),
    f'{{"tools": [], "tools": ["{CANARY}-twice"], "messages": []}}'.encode(),
    f'{{"messages": [], "tools": [{{"type": "{CANARY}-kind"}}, 7]}}'.encode(),
]
LEAKY = [("content-type", "application/json"), ("x-request-id", f"sk-{CANARY}"), ("set-cookie", f"{CANARY}-set")]
ANSWERS = [
    json_answer({"error": {"message": f"{CANARY}-error"}}, 400),
    Answer(500, LEAKY, [f"{CANARY}-html".encode()]),
    json_answer({"id": f"{CANARY}-answer"}),
    sse(event({"content": f"{CANARY}-streamed"}), ending=Ending.RESET),
    Answer(None, (), [f"{CANARY} is no HTTP\r\n\r\n".encode()], ending=Ending.CUT),
    Answer(200, [*LEAKY, ("content-length", f"{CANARY}-length")], [b"x"]),
    Answer(302, [("location", f"http://127.0.0.1:1/{CANARY}?key={CANARY}")]),
]
SECRETS = {
    "UPSTREAM__API_KEY": "PROVIDERCANARYKEY",
    "ADMIN__KEY": "ADMINCANARYKEY",
    "CALLERS__KEYS": '["CALLERCANARYKEY"]',
    "CALLERS__PEPPER": "PEPPERCANARYKEY-of-32-characters-or-more",
}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector of traces."""
    running = Collector().start()
    yield running
    running.stop()


@pytest.fixture(scope="module", params=["json", "console"])
def gateway(
    request: pytest.FixtureRequest,
    running_upstream: Upstream,
    collector: Collector,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """A server that says all it can, with a secret in the path of the provider's address."""
    values = {
        "UPSTREAM__BASE_URL": f"{running_upstream.base_url}/{CANARY}-base",
        "UPSTREAM__FIRST_BYTE_TIMEOUT_S": "1",
        "UPSTREAM__IDLE_TIMEOUT_S": "1",
        "LOG__LEVEL": "debug",
        "LOG__FORMAT": request.param,
        "TRACE__ENDPOINT": collector.endpoint,
    }
    gateway = GatewayProcess.start(tmp_path_factory.mktemp("canary"), values)
    yield gateway
    gateway.stop()


def forms(secret: str) -> list[str]:
    """Give a secret as it might be written."""
    return [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]]


def ask(gateway: GatewayProcess, target: str, body: bytes) -> bytes:
    """Send a request with all the secrets; give the whole of the answer."""
    with RawClient(gateway.port) as client:
        client.send(sockets.request(body, target=target, headers=[*HEADERS, ("connection", "close")]))
        return client.receive_all()


def assert_clean(gateway: GatewayProcess, collector: Collector, secrets: list[str]) -> None:
    """Look for secrets in the log, in the figures and in the traces."""
    seen = gateway.log + gateway.admin("GET", "/metrics").text + gateway.admin("GET", "/admin/stats").text
    seen += b"".join(collector.raw).decode("latin-1")
    found = [form for secret in secrets for form in forms(secret) if form in seen]
    assert found == [], seen[seen.index(found[0]) - 300 :][:600]


def test_e20_no_secret_of_a_request_is_written(
    gateway: GatewayProcess, upstream: Upstream, collector: Collector
) -> None:
    """Answers, refusals, broken and silent providers, bodies that cannot be read: at level debug nothing is told."""
    for target in TARGETS:
        for answer in ANSWERS:
            upstream.respond_with(answer)
            ask(gateway, target, BODY)
    for body in BROKEN:
        ask(gateway, TARGETS[0], body)
    upstream.respond_with(never())
    ask(gateway, TARGETS[0], BODY)
    last = gateway.post(BODY, x_request_id="the-last").headers["x-toolfunnel-request-id"]
    wait_for_text(gateway, "the-last")
    collector.trace_of(last)
    assert_clean(gateway, collector, [CANARY, "of-the-caller"])


def test_e20_a_key_in_a_request_id_is_not_written(
    gateway: GatewayProcess, upstream: Upstream, collector: Collector
) -> None:
    """A key of ours that this request does not show, or a provider's, also from the provider: not in any disguise."""
    key, theirs = form.make()[1], f"sk-ant-{CANARY}-0123456789abcdef"
    for shown in (one for secret in (key, theirs) for one in (*forms(secret), secret.upper(), f"req_{secret}")):
        upstream.respond_with(json_answer({}, headers=[("x-request-id", shown)]))
        gateway.post(BODY, x_request_id=shown)
    last = gateway.post(BODY, x_request_id="last-of-the-keys").headers["x-toolfunnel-request-id"]
    wait_for_text(gateway, "last-of-the-keys")
    collector.trace_of(last)
    assert_clean(gateway, collector, [key, key[17:], key.upper(), theirs.upper(), CANARY])


def test_e20_own_errors_hold_no_secret(gateway: GatewayProcess, upstream: Upstream) -> None:
    """What the gateway itself answers quotes nothing of the request."""
    own = [ask(gateway, TARGETS[0], BROKEN[3])]
    upstream.respond_with(never())
    own.append(ask(gateway, TARGETS[0], BODY))
    upstream.respond_with(Answer(None, (), [f"{CANARY} no HTTP\r\n\r\n".encode()], ending=Ending.CUT))
    own.append(ask(gateway, TARGETS[1], BODY))
    own.append(ask(gateway, f"/v1/../{CANARY}", b"{}"))
    own.append(ask(gateway, f"/{CANARY}-nowhere?{QUERY}", b"{}"))
    own.append(ask(gateway, f"/admin/tools?{QUERY}", b"{}"))
    assert [answer.split()[1] for answer in own] == [b"400", b"504", b"502", b"400", b"404", b"405"]
    assert not any(CANARY.encode() in answer for answer in own)


def test_e20_configured_secrets_are_never_written(upstream: Upstream, collector: Collector, tmp_path: Path) -> None:
    """Keys, of the registry too, and the pepper stay out of everything, also when somebody shows or echoes them."""
    values = SECRETS | {"UPSTREAM__BASE_URL": upstream.base_url, "UPSTREAM__CREDENTIALS": "managed"}
    gateway = GatewayProcess.start(tmp_path, values | {"LOG__LEVEL": "debug", "TRACE__ENDPOINT": collector.endpoint})
    try:
        echo = json_answer({}, 401, [("x-request-id", "PROVIDERCANARYKEY")])
        upstream.respond_with(echo)
        made = gateway.admin("POST", "/admin/keys", json={"name": "canary"}).json()
        issued = [made["key"], made["key"][:40]]
        for key in ("CALLERCANARYKEY", "ADMINCANARYKEY", "wrong", *issued):
            gateway.post(BODY, authorization=f"Bearer {key}", x_request_id=key)
            gateway.admin("POST", "/admin/route", content=b"{}", params={"key": key})
            gateway.admin("DELETE", f"/admin/keys/{key}")
        gateway.admin("POST", "/admin/config:reload")
        canaries = ["PROVIDERCANARYKEY", "ADMINCANARYKEY", "CALLERCANARYKEY", "PEPPERCANARYKEY", made["key"][17:40]]
        assert_clean(gateway, collector, canaries)
    finally:
        gateway.stop()
    assert "CANARYKEY" not in gateway.log


def test_e20_an_unreachable_provider_is_not_named(tmp_path: Path) -> None:
    """When no connection can be made, neither answer nor log holds the provider's path."""
    base = f"http://127.0.0.1:{free_port()}/v1/{CANARY}"
    gateway = GatewayProcess.start(tmp_path, {"UPSTREAM__BASE_URL": base, "LOG__LEVEL": "debug"})
    try:
        answer = ask(gateway, TARGETS[0], BODY)
    finally:
        gateway.stop()
    assert b"502" in answer.split(b"\r\n")[0]
    assert CANARY not in answer.decode() + gateway.log
