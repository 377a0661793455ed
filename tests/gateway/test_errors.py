"""Errors: the provider's are relayed, the gateway's own are in the caller's dialect, and nothing is tried twice."""

from __future__ import annotations

import openai
import pytest

from tests.conftest import MakeClient, StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess, free_port
from tests.support.lines import line_of
from tests.support.sockets import RawClient
from tests.support.upstream import Answer, Ending, Framing, Upstream, json_answer

QUESTION = tools.chat("list exams")
BODIES = {
    "JSON": (
        "application/json",
        b'{"error":{"message":"tools[3].function is bad","type":"t","param":null,"code":"c"}}',
    ),
    "HTML": ("text/html; charset=utf-8", b"<html><h1>Bad Gateway</h1>\n</html>"),
    "empty": ("text/plain", b""),
}
KEPT = {
    "x-request-id": "req_1",
    "retry-after": "7",
    "retry-after-ms": "7000",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-tokens": "6m0s",
    "x-should-retry": "false",
    "openai-processing-ms": "12",
}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 529])
@pytest.mark.parametrize("form", BODIES)
def test_e01_e08_an_error_of_the_provider_is_relayed(
    stocked_gateway: GatewayProcess, upstream: Upstream, status: int, form: str
) -> None:
    """Status, body and headers are the provider's, and it was asked once."""
    kind, body = BODIES[form]
    upstream.respond_with(Answer(status, [("content-type", kind), *KEPT.items()], [body]))
    answer = stocked_gateway.post(QUESTION)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (status, body, kind)
    assert {name: answer.headers.get(name) for name in KEPT} == KEPT
    assert len(upstream.requests) == 1


def test_e08_the_line_of_a_400_maps_the_tools_to_the_clients(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """The error is relayed as it is; for each tool sent the line holds its place in the client's list, and no name."""
    refusal = json_answer({"error": {"message": "tools[3] is bad"}}, 400)
    upstream.respond_with(refusal)
    own = [tools.function(f"mine_{tools.name_of(tool)}", "Exams.") for tool in tools.distinct(40)]
    answer = stocked_gateway.post(tools.chat("list exams", tools=own))
    names = [tools.name_of(tool) for tool in own]
    places = [names.index(name) if name in names else None for name in upstream.last.tool_names]
    assert len({*places}) > 1
    assert (answer.status_code, answer.content) == (400, refusal.body)
    line = line_of(stocked_gateway, answer.headers["x-request-id"])
    assert line["origins"] == places
    assert not any(name in str(line) for name in upstream.last.tool_names)


def test_e02_only_the_client_tries_again(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """Against a 429, the official client's three attempts are the only three."""
    refusal = json_answer({"error": {"message": "slow down"}}, 429, [("retry-after-ms", "1")])
    upstream.respond_by(lambda _: refusal)
    with pytest.raises(openai.RateLimitError):
        client_of(stocked_gateway, max_retries=2).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "list exams"}]
        )
    assert [request.values("x-stainless-retry-count") for request in upstream.requests] == [["0"], ["1"], ["2"]]


def test_e03_an_unreachable_provider_is_a_502(shared_gateway: StartGateway, client_of: MakeClient) -> None:
    """Nobody listens: the official client raises with a message in OpenAI's form, which names no address."""
    port = free_port()
    gateway = shared_gateway(UPSTREAM__BASE_URL=f"http://127.0.0.1:{port}/v1")
    answer = gateway.post(QUESTION)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (502, "api_error", "upstream_unreachable")
    assert set(error) == {"message", "type", "param", "code"}
    assert str(port) not in answer.text
    with pytest.raises(openai.InternalServerError, match="refuses connections: nothing listens there"):
        client_of(gateway).chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


def test_a_name_and_a_port_that_fail_are_told_apart(shared_gateway: StartGateway) -> None:
    """To the caller and in the log, without the address; the line of the start has the path, a missing one is told."""
    told = {}
    for address in (f"http://127.0.0.1:{free_port()}", "http://no-such-host.invalid/v1/Canary7F3"):
        gateway = shared_gateway(UPSTREAM__BASE_URL=address, LOG__FORMAT="json")
        answer = gateway.post(QUESTION)
        told[address] = answer.json()["error"]["message"]
        line = line_of(gateway, answer.headers["x-request-id"])
        assert (line["failure"], line["reason"]) == ("upstream_unreachable", told[address])
        assert not any(part in answer.text + str(line) for part in (address.split("//")[1], "Canary7F3"))
    port, name = told.values()
    assert port.startswith("The provider's port refuses connections")
    assert name.startswith("The name of the provider cannot be resolved")
    assert "http://no-such-host.invalid/v1/…" in gateway.log


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CUT])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_e03_a_provider_that_hangs_up_is_asked_once(
    stocked_gateway: GatewayProcess, upstream: Upstream, ending: Ending, method: str
) -> None:
    """A connection that breaks before the answer is a 502 at once, on a connection that was used before too."""
    chat = method == "POST"
    request = sockets.request(
        tools.encoded(QUESTION) if chat else b"",
        method=method,
        target="/v1/chat/completions" if chat else "/v1/files/f",
    )
    with RawClient(stocked_gateway.port) as client:
        client.send(request)
        assert client.answer()[0] == 200
        upstream.respond_with(*[Answer(None, ending=ending)] * 3)
        client.send(request)
        assert client.answer()[0] == 502
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "garbage", [b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n:\r\n"]
)
def test_e03_an_answer_that_is_no_http_is_a_502(
    stocked_gateway: GatewayProcess, upstream: Upstream, garbage: bytes
) -> None:
    """What cannot be understood as an answer is the provider's failure."""
    upstream.respond_with(Answer(None, pieces=[garbage], ending=Ending.CUT))
    answer = stocked_gateway.post(QUESTION)
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")


def test_e03_a_gateway_without_a_provider_says_so(shared_gateway: StartGateway, client_of: MakeClient) -> None:
    """The error names the setting, and tells the official client not to try again."""
    gateway = shared_gateway(UPSTREAM__BASE_URL="")
    for answer in (gateway.post(QUESTION), gateway.post({}, "/embeddings")):
        assert (answer.status_code, answer.headers["x-should-retry"]) == (503, "false")
        assert "TOOLFUNNEL_UPSTREAM__BASE_URL" in answer.json()["error"]["message"]
    ready = gateway.admin("GET", "/readyz")
    assert (ready.status_code, ready.json()["provider"]) == (200, "none")
    assert "No provider is set: upstream.base_url is empty" in gateway.log
    with pytest.raises(openai.InternalServerError, match="No provider is configured"):
        client_of(gateway, max_retries=2).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_e07_a_redirect_is_not_followed(stocked_gateway: GatewayProcess, upstream: Upstream, status: int) -> None:
    """Where a request goes is decided by configuration alone; the client gets to see the redirect."""
    upstream.respond_with(Answer(status, [("location", f"{upstream.base_url}/elsewhere")]))
    answer = stocked_gateway.post(QUESTION)
    assert (answer.status_code, answer.headers["location"]) == (status, f"{upstream.base_url}/elsewhere")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("framing", list(Framing))
def test_e01_an_error_is_relayed_however_it_is_framed(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream, framing: Framing
) -> None:
    """The official client gets message and code of an error, chunked, with a length or up to the end."""
    kind, body = BODIES["JSON"]
    upstream.respond_with(Answer(400, [("content-type", kind)], [body[:9], body[9:]], framing))
    with pytest.raises(openai.BadRequestError, match=r"tools\[3\]") as caught:
        client_of(stocked_gateway).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "list exams"}]
        )
    assert caught.value.code == "c"


def test_e01_early_answers_do_not_lose_the_status(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """An informational answer before the real one is passed over."""
    early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 402 Pay\r\ncontent-length: 2\r\n\r\nno"
    upstream.respond_with(Answer(None, pieces=[early], ending=Ending.CUT))
    answer = stocked_gateway.post(QUESTION)
    assert (answer.status_code, answer.content) == (402, b"no")
