"""Whose key the provider sees, and that strangers' bodies are never read."""

from __future__ import annotations

import json

import openai
import pytest

from tests.conftest import MakeClient, StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Upstream

QUESTION = tools.chat("list the exams")
LIMIT = 100_000


@pytest.fixture
def managed_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that holds the provider's key, knows two callers and takes small bodies only."""
    return shared_gateway(
        UPSTREAM__CREDENTIALS="managed",
        UPSTREAM__API_KEY="sk-of-the-provider",
        CALLERS__KEYS=json.dumps(["tf-first", "tf-second"]),
        SERVER__MAX_BODY_BYTES=str(LIMIT),
    )


def test_passthrough_forwards_the_callers_key(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """By default the provider sees what the caller shows, in whichever header."""
    stocked_gateway.post(QUESTION, authorization="Bearer sk-mine", api_key="azure", x_api_key="other")
    seen = [upstream.last.values(name) for name in ("authorization", "api-key", "x-api-key")]
    assert seen == [["Bearer sk-mine"], ["azure"], ["other"]]


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
@pytest.mark.parametrize("key", ["tf-first", "tf-second"])
def test_managed_shows_the_provider_its_own_key_only(
    managed_gateway: GatewayProcess, upstream: Upstream, path: str, key: str
) -> None:
    """A known caller is served, and its key goes nowhere."""
    answer = managed_gateway.post(QUESTION, path, authorization=f"Bearer {key}", api_key="x", x_api_key="y")
    assert answer.status_code == 200
    assert upstream.last.values("authorization") == ["Bearer sk-of-the-provider"]
    assert key not in str(upstream.last.headers)
    assert upstream.last.values("api-key") + upstream.last.values("x-api-key") == []


@pytest.mark.parametrize("shown", ["Bearer wrong", "Bearer ", "tf-first", "Basic tf-first", "Bearer tf-firs", None])
@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/files"])
def test_managed_refuses_strangers_before_their_body_is_read(
    managed_gateway: GatewayProcess, upstream: Upstream, shown: str | None, target: str
) -> None:
    """A wrong or missing key is a 401 in OpenAI's form, though none of the announced body has come."""
    headers = [("authorization", shown)] if shown is not None else []
    with RawClient(managed_gateway.port) as client:
        client.send(sockets.request(headers=headers, target=target, length=50_000))
        status, _, body = client.answer()
    error = json.loads(body)["error"]
    assert (status, error["type"], error["code"]) == (401, "authentication_error", "invalid_api_key")
    assert upstream.requests == []


def test_managed_refusals_raise_in_the_official_client(
    managed_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """The official client raises its authentication error; with a known key it is served."""
    question: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
    with pytest.raises(openai.AuthenticationError):
        client_of(managed_gateway, api_key="wrong").chat.completions.create(model="m", messages=question)
    answer = client_of(managed_gateway, api_key="tf-first").chat.completions.create(model="m", messages=question)
    assert answer.choices[0].message.content == "Hello"


def test_a_body_that_says_it_is_too_large_is_refused_unread(
    managed_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """An announced length beyond the limit is a 413 before a byte of it has come."""
    with RawClient(managed_gateway.port) as client:
        client.send(sockets.request(headers=[("authorization", "Bearer tf-first")], length=LIMIT + 1))
        status, _, body = client.answer()
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")
    assert upstream.requests == []


def test_a_body_that_grows_too_large_is_refused(managed_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A chunked body is read up to the limit and no further."""
    headers = [("authorization", "Bearer tf-first"), ("transfer-encoding", "chunked")]
    with RawClient(managed_gateway.port) as client:
        client.send(sockets.request(headers=headers))
        client.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        client.send(b"fffff\r\n" + b"x" * LIMIT)
        status, _, body = client.answer()
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")
    assert upstream.requests == []


def test_a_body_of_just_the_limit_is_taken(managed_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The limit is the largest that is accepted; other endpoints have none."""
    body = tools.encoded(QUESTION)
    body = body[:-1] + b" " * (LIMIT - len(body)) + b"}"
    assert managed_gateway.post(body, authorization="Bearer tf-first").status_code == 200
    assert managed_gateway.post(body + body, "/files", authorization="Bearer tf-first").status_code == 200
    assert [len(request.body) for request in upstream.requests] == [LIMIT, 2 * LIMIT]


def test_a_refused_connection_is_of_use_again(managed_gateway: GatewayProcess, upstream: Upstream) -> None:
    """After own errors with the body read, the client's connection serves the next request."""
    bad = sockets.request(b"{}", headers=[("authorization", "Bearer wrong")])
    good = sockets.request(tools.encoded(QUESTION), headers=[("authorization", "Bearer tf-first")])
    with RawClient(managed_gateway.port) as client:
        statuses = []
        for data in (bad, good, bad, good):
            client.send(data)
            statuses.append(client.answer()[0])
    assert statuses == [401, 200, 401, 200]
