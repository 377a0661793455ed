"""One line a request, and an id that goes with it to the provider and back."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.lines import line_of, lines, wait_for_text
from tests.support.sockets import RawClient
from tests.support.upstream import Ending, Upstream, event, json_answer, sse

QUESTION = tools.chat("list exams")


@pytest.fixture
def gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that writes json at level debug."""
    return shared_gateway(LOG__FORMAT="json", LOG__LEVEL="debug")


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
def test_id_of_the_client_travels_to_the_provider_and_back(
    gateway: GatewayProcess, upstream: Upstream, path: str
) -> None:
    """An id that the client made stands in the provider's request, in the answer and in the line."""
    name = f"trip-1.{path[1:5]}"
    answer = gateway.post(QUESTION, path, x_request_id=name)
    assert upstream.last.values("x-request-id") == [name]
    assert (answer.headers["x-request-id"], answer.headers["x-toolfunnel-request-id"]) == (name, name)
    assert line_of(gateway, name)["status"] == 200


def test_id_is_made_where_there_is_none(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Without an id of the client's the gateway makes one, and another for the next request."""
    ids = [gateway.post(QUESTION).headers["x-request-id"] for _ in range(2)]
    assert [request.values("x-request-id") for request in upstream.requests] == [[one] for one in ids]
    assert len(set(ids)) == 2
    assert line_of(gateway, ids[0])["event"] == "chat"


def test_id_of_the_provider_stays_in_the_answer(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A provider's own id reaches the client as it is; ours stands beside it, and the line holds both."""
    upstream.respond_with(json_answer({}, headers=[("x-request-id", "req_theirs")]))
    answer = gateway.post(QUESTION)
    assert answer.headers.get_list("x-request-id") == ["req_theirs"]
    line = line_of(gateway, answer.headers["x-toolfunnel-request-id"])
    assert line["upstream_id"] == "req_theirs"


@pytest.mark.parametrize("shown", ["a b", "x" * 129, "sk-looks-like-a-key", "../../x", "of-the-caller"])
def test_id_that_may_not_stand_in_a_log_is_replaced_there(
    gateway: GatewayProcess, upstream: Upstream, shown: str
) -> None:
    """A long, odd or secret-looking id, or a piece of the credential, goes to the provider only."""
    with RawClient(gateway.port) as client:
        headers = [("x-request-id", shown), ("authorization", "Bearer sk-of-the-caller")]
        client.send(sockets.request(tools.encoded(QUESTION), headers=headers))
        _, answered, _ = client.answer()
    assert upstream.last.values("x-request-id") == [shown]
    assert line_of(gateway, answered["x-toolfunnel-request-id"])["request_id"] != shown


def test_line_says_what_routing_did_and_how_long_it_took(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Outcome, tools, tokens, status of the provider, bytes and times stand in one line."""
    body = tools.encoded(tools.chat("list exams", stream=True))
    answer = stocked_gateway.post(body)
    line = line_of(stocked_gateway, answer.headers["x-request-id"])
    expected = {
        "event": "chat",
        "level": "info",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "end": "whole",
    }
    expected |= {"outcome": "routed", "upstream_status": 200, "failure": "", "sent_bytes": len(answer.content)}
    expected |= {"tools": answer.headers["x-toolfunnel-tools"], "received_bytes": len(body)}
    assert {key: line[key] for key in expected} == expected
    assert 0 <= line["route_ms"] <= line["first_byte_ms"] <= line["duration_ms"]
    assert "origins" not in line


def test_line_of_what_passes_names_the_endpoint_and_nothing_below_it(gateway: GatewayProcess) -> None:
    """Requests that are not chat have a line too; of a path it holds the API's words, never the caller's."""
    paths = ("/files/file-of-mine?x=1", "/somewhere/else", "/audio/speech", "/audio/transcriptions")
    ids = [gateway.post({}, path).headers["x-request-id"] for path in paths]
    logged = [line_of(gateway, one)["path"] for one in ids]
    assert logged == ["/v1/files/…", "/v1/…/…", "/v1/audio/speech", "/v1/audio/transcriptions"]
    assert line_of(gateway, ids[0])["event"] == "other"
    assert "outcome" not in line_of(gateway, ids[0])


def test_line_tells_how_an_answer_ended(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Broken off, left by the client, refused: each is said."""
    upstream.respond_with(sse(event({"content": "a"}), ending=Ending.RESET))
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.post(QUESTION, x_request_id="broken")
    upstream.respond_with(sse(event({"content": "a"}), ending=Ending.HANG))
    with RawClient(gateway.port) as client:
        client.send(sockets.request(tools.encoded(QUESTION), headers=[("x-request-id", "left")]))
        client.receive_until(b"data:")
    gateway.post(QUESTION, x_request_id="refused", x_toolfunnel_k="0")
    ends = [(line_of(gateway, one)["end"], line_of(gateway, one)["status"]) for one in ("broken", "left", "refused")]
    assert ends == [("broken_off", 200), ("client_gone", 499), ("refused", 400)]


def test_lines_of_routing_carry_the_id(gateway: GatewayProcess) -> None:
    """What is logged on the way, in a worker thread, names the request, too."""
    gateway.post(b'{"messages": 7}', x_request_id="odd-one")
    assert [line["request_id"] for line in lines(gateway, "not routed")][-1] == "odd-one"


def test_console_lines_carry_the_id(shared_gateway: StartGateway) -> None:
    """For people the same stands in words."""
    gateway = shared_gateway()
    gateway.post(QUESTION, x_request_id="for-people")
    wait_for_text(gateway, "request_id=for-people")
