"""More requests at once than the gateway takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import openai
import pytest

from tests.conftest import MakeClient, StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.lines import line_of
from tests.support.sockets import RawClient
from tests.support.upstream import DONE, Upstream, event, sse

QUESTION = tools.encoded(tools.chat("list exams", stream=True))


@pytest.fixture
def gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that takes two requests at once."""
    return shared_gateway(SERVER__MAX_REQUESTS="2", LOG__FORMAT="json")


@contextmanager
def full(gateway: GatewayProcess, upstream: Upstream) -> Iterator[threading.Event]:
    """Keep two streams running until the event is set, or the block ends."""
    go = threading.Event()
    with ExitStack() as open_ones:
        for _ in range(2):
            upstream.respond_with(sse(event({"content": "a"}), go, DONE))
            client = open_ones.enter_context(RawClient(gateway.port))
            client.send(sockets.request(QUESTION))
            client.receive_until(b"data:")
        yield go
        go.set()


def test_d06_what_is_too_much_is_refused_before_its_body(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The third request is answered 503 with `retry-after` while its body is still to come; nobody is asked."""
    with full(gateway, upstream), RawClient(gateway.port) as client:
        client.send(sockets.request(b"{", length=1_000_000, headers=[("x-request-id", "shed")]))
        status, headers, body = client.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        assert b'"code": "overloaded"' in body
        assert len(upstream.requests) == 2
    assert line_of(gateway, "shed")["failure"] == "overloaded"


def test_d06_it_recovers_by_itself(gateway: GatewayProcess, upstream: Upstream) -> None:
    """As soon as a stream has ended, or its client has left, the next request is taken."""
    with full(gateway, upstream):
        assert gateway.post(QUESTION).status_code == 503
    assert until_taken(gateway) == 200
    with full(gateway, upstream) as go:
        go.set()
        assert until_taken(gateway) == 200


def until_taken(gateway: GatewayProcess) -> int:
    """Ask until the answer is another than 503, some hundred times at most."""
    answers = (gateway.post(QUESTION).status_code for _ in range(300))
    return next(status for status in answers if status != 503)


def test_d06_the_official_client_waits_and_tries_again(
    gateway: GatewayProcess, upstream: Upstream, client_of: MakeClient
) -> None:
    """The refusal is one that the SDK understands: without retries it raises, with them it gets its answer."""
    with full(gateway, upstream) as go:
        with pytest.raises(openai.InternalServerError, match="in hand"):
            ask(client_of(gateway))
        threading.Timer(0.3, go.set).start()
        assert ask(client_of(gateway, max_retries=5)) == "Hello"


def ask(client: openai.OpenAI) -> str | None:
    """Ask a question; give the answer."""
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "list exams"}])
    return answer.choices[0].message.content


def test_d06_operators_are_never_shed(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Probes, figures and the admin API answer when the gateway is full, and the figures say so."""
    with full(gateway, upstream):
        gateway.post(QUESTION)
        assert [gateway.admin("GET", path).status_code for path in ("/healthz", "/readyz", "/admin/stats")] == [200] * 3
        figures = gateway.admin("GET", "/metrics").text
    assert "toolfunnel_in_flight 2.0" in figures
    assert 'toolfunnel_answers_total{end="refused",route="chat",status="5xx"}' in figures
