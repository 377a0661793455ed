"""A client that leaves ends the call to the provider, at whatever moment it leaves."""

from __future__ import annotations

import asyncio

import openai
import pytest

from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Answer, Ending, Upstream, event, never, sse

_PATIENCE_S = 10.0
MOMENTS = {
    "streaming, before the headers": (True, never()),
    "streaming, after the headers": (True, sse(ending=Ending.HANG)),
    "streaming, in mid-stream": (True, sse(event({"content": "a"}), ending=Ending.HANG)),
    "plain, before the headers": (False, never()),
    "plain, in mid-body": (False, Answer(pieces=[b"{"], ending=Ending.HANG, length=100)),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset])
def test_s06_a_client_that_leaves_ends_the_upstream_call(
    stocked_gateway: GatewayProcess, upstream: Upstream, moment: str, leave: object
) -> None:
    """The provider's connection is closed, before the headers and in mid-answer."""
    stream, answer = MOMENTS[moment]
    upstream.respond_with(answer)
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(tools.encoded(tools.chat("list exams", stream=stream))))
        if answer.status is not None:
            client.receive_until(answer.body or b"\r\n\r\n")
        request = upstream.wait_for(1)[0]
        leave(client)  # type: ignore[operator]
        request.wait_closed(_PATIENCE_S)


@pytest.mark.parametrize("target", ["/v1/models", "/v1/responses"])
def test_s06_it_ends_calls_on_other_paths(stocked_gateway: GatewayProcess, upstream: Upstream, target: str) -> None:
    """What is passed through unread is cancelled as well."""
    upstream.respond_with(never())
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(b"{}", target=target))
        request = upstream.wait_for(1)[0]
        client.close()
        request.wait_closed(_PATIENCE_S)


async def test_s06_the_asynchronous_client_cancels(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Cancelling the official client's call, as agents do, cancels the provider's."""
    upstream.respond_with(never())
    async with openai.AsyncOpenAI(base_url=stocked_gateway.base_url, api_key="k", max_retries=0) as client:
        call = asyncio.create_task(
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "list exams"}])
        )
        request = (await asyncio.to_thread(upstream.wait_for, 1))[0]
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.to_thread(request.wait_closed, _PATIENCE_S)


def test_s06_many_cancelled_calls_leave_the_gateway_whole(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """After 300 clients that left, the next one is served."""
    upstream.respond_by(lambda _: never())
    body = sockets.request(tools.encoded(tools.chat("list exams", stream=True)))
    for number in range(1, 301):
        with RawClient(stocked_gateway.port) as client:
            client.send(body)
            upstream.wait_for(number)
    for request in upstream.requests:
        request.wait_closed(10.0)
    upstream.reset()
    assert stocked_gateway.post(tools.chat("list exams")).status_code == 200


def test_s06_a_client_that_leaves_in_its_own_body_reaches_nobody(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Half a request is no request: the provider hears nothing of it."""
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(b'{"model"', length=1000))
    assert stocked_gateway.post(tools.chat("list exams")).status_code == 200
    assert len(upstream.requests) == 1
