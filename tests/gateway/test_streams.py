"""Answers reach the client byte for byte and at once, and a broken one is seen to be broken."""

from __future__ import annotations

import gzip
import json
import threading

import openai
import pytest

from tests.conftest import MakeClient
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.lines import line_of
from tests.support.sockets import RawClient
from tests.support.upstream import DONE, STREAM, Answer, Ending, Framing, Upstream, event, json_answer, sse

QUESTION = tools.encoded(tools.chat("list exams", stream=True))

STREAMS = {
    "s01 split anywhere": [bytes([byte]) for byte in event({"content": "é猫🙂"}) + DONE],
    "s01 CRLF, several events a read": [(event({"content": "a"}) + event({"content": "b"})).replace(b"\n", b"\r\n")],
    "s01 last event without its end": [event({"content": "a"}), b"data: {"],
    "s01 not UTF-8, NUL, lone CR": [b"data: \xff\xfe\x00\r", b"\rdata:x"],
    "s03 ids, comments, retry": [b": OPENROUTER PROCESSING\n\n", b"id: 7\nretry: 10\n", b"\n\n\n", b"event: ping\n\n"],
    "s07 a line of a megabyte": [b'data: {"audio":"' + b"A" * 2**20 + b'"}\n\n', DONE],
    "s07 reasoning, usage, obfuscation": [
        event({"reasoning_content": "r", "reasoning": "q"}, obfuscation="xyz", usage=None),
        event({}, usage={"prompt_tokens": 1}),
        DONE,
    ],
}


@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("framing", list(Framing))
def test_s01_s03_s07_a_stream_arrives_byte_for_byte(
    stocked_gateway: GatewayProcess, upstream: Upstream, case: str, framing: Framing
) -> None:
    """Whatever an event stream holds and however it is framed and cut, the client gets the same bytes."""
    scripted = Answer(200, [("content-type", "text/event-stream")], STREAMS[case], framing)
    upstream.respond_with(scripted)
    answer = stocked_gateway.post(QUESTION)
    assert answer.content == scripted.body
    assert answer.headers["content-type"] == "text/event-stream"


def test_s02_an_event_is_delivered_before_the_next_is_written(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Each event arrives while the provider still thinks about the next; nothing is inserted meanwhile."""
    go = threading.Event()
    first, second = event({"content": "a"}), event({"content": "b"})
    upstream.respond_with(sse(first, go, 0.2, second))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION))
        client.receive_until(first)
        go.set()
        answer = client.receive_until(b"0\r\n\r\n")
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(first), first, len(second), second)
    assert answer.partition(b"\r\n\r\n")[2] == chunks


def test_s02_the_headers_are_delivered_before_the_body(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The client sees that the answer has begun as soon as the provider says so."""
    go = threading.Event()
    upstream.respond_with(sse(go, DONE))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION))
        assert client.receive_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        go.set()
        client.receive_until(DONE)


def test_s04_an_error_inside_a_stream_is_relayed(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """The official client raises for an error event as if it spoke to the provider."""
    upstream.respond_with(sse(event({"content": "a"}), b'data: {"error":{"message":"over","code":"x"}}\n\n'))
    stream = client_of(stocked_gateway).chat.completions.create(
        model="m", messages=[{"role": "user", "content": "list exams"}], stream=True
    )
    with pytest.raises(openai.APIError, match="over"):
        list(stream)


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CUT])
def test_s05_a_stream_that_breaks_is_broken_off(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream, ending: Ending
) -> None:
    """When the provider dies in mid-stream there is no last chunk, and the official client raises."""
    upstream.respond_with(*[sse(event({"content": "a"}), 0.05, ending=ending)] * 2)
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION))
        received = client.receive_all()
    assert event({"content": "a"}) in received
    assert b"0\r\n\r\n" not in received
    assert b"[DONE]" not in received
    stream = client_of(stocked_gateway).chat.completions.create(
        model="m", messages=[{"role": "user", "content": "list exams"}], stream=True
    )
    with pytest.raises(openai.APIConnectionError):
        list(stream)


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE])
def test_s05_an_answer_that_breaks_is_never_whole(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream, framing: Framing
) -> None:
    """An answer that is reset in mid-body is an error to the client, however it was framed."""
    half = Answer(200, pieces=[b'{"id":', 0.05], framing=framing, ending=Ending.RESET, length=100)
    upstream.respond_with(half)
    with pytest.raises(openai.APIConnectionError):
        client_of(stocked_gateway).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "list exams"}]
        )
    assert len(upstream.requests) == 1


def test_s05_an_answer_shorter_than_announced_is_never_whole(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """When fewer bytes come than `content-length` says, the client is not told that this was all."""
    upstream.respond_with(Answer(200, pieces=[b"abc", 0.05], ending=Ending.CUT, length=100))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION))
        head, _, body = client.receive_all().partition(b"\r\n\r\n")
    assert sockets.parsed(head)[1]["content-length"] == "100"
    assert body == b"abc"


def test_s05_the_log_holds_no_traceback_for_it(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A provider that breaks off is a line in the log, not a fault of the gateway."""
    upstream.respond_with(sse(event({"content": "a"}), 0.05, ending=Ending.RESET))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION, headers=[("x-request-id", "breaks-off")]))
        client.receive_all()
    assert stocked_gateway.post(QUESTION).status_code == 200
    line = line_of(stocked_gateway, "breaks-off")
    assert (line["level"], line["end"], "exception" in line) == ("info", "broken_off", False)


def test_s08_a_compressed_answer_stays_compressed(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """The provider sees the client's `accept-encoding`, the client the provider's bytes and headers."""
    packed = gzip.compress(json.dumps({"choices": [], "id": "é"}).encode())
    headers = [("content-type", "application/json"), ("content-encoding", "gzip"), ("vary", "accept-encoding")]
    upstream.respond_with(*[Answer(200, headers, [packed])] * 2)
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION, headers=[("accept-encoding", "gzip;q=0.5, x")]))
        _, received, body = client.answer()
    assert body == packed
    assert (received["content-encoding"], received["content-length"]) == ("gzip", str(len(packed)))
    assert upstream.last.values("accept-encoding") == ["gzip;q=0.5, x"]
    completion = client_of(stocked_gateway).chat.completions.create(
        model="m", messages=[{"role": "user", "content": "list exams"}]
    )
    assert completion.id == "é"


def test_s09_parallel_tool_calls_accumulate_in_the_official_client(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """Fragments of two calls, one continued with an empty id, come to two whole calls."""

    def fragment(index: int, text: str, **extra: object) -> dict[str, object]:
        return {"tool_calls": [{"index": index, "function": {"arguments": text, **extra.pop("function", {})}, **extra}]}  # type: ignore[dict-item]

    deltas = [
        fragment(0, '{"a"', id="c0", type="function", function={"name": "list_exam"}),
        fragment(1, '{"b"', id="c1", type="function", function={"name": "get_exam"}),
        fragment(0, ":1}", id="", type="function"),
        fragment(1, ":2}", id=""),
    ]
    upstream.respond_with(sse(*(event(delta) for delta in deltas), event({}, "tool_calls"), DONE))
    with client_of(stocked_gateway).chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "list exams"}]
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("list_exam", '{"a":1}'),
        ("get_exam", '{"b":2}'),
    ]


def test_s01_the_sdk_reads_the_same_stream_in_every_way(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """Plain, streamed and raw, the official client understands what comes through."""
    completions = client_of(stocked_gateway).chat.completions
    question: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "list exams"}]
    assert completions.create(model="m", messages=question).choices[0].message.content == "Hello"
    chunks = list(completions.create(model="m", messages=question, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    raw = completions.with_raw_response.create(model="m", messages=question)
    assert raw.parse().choices[0].message.content == "Hello"
    assert raw.headers["x-toolfunnel-tools"] == "12/300"


async def test_s01_the_asynchronous_client_reads_it_too(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The asynchronous official client streams through the gateway."""
    async with openai.AsyncOpenAI(base_url=stocked_gateway.base_url, api_key="k", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "list exams"}], stream=True
        )
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == "Hello"


def test_s01_an_answer_of_many_megabytes_arrives_whole(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A long stream is relayed to its last byte."""
    pieces = [bytes([number % 256]) * 65_521 for number in range(300)]
    upstream.respond_with(sse(*pieces))
    assert stocked_gateway.post(QUESTION).content == b"".join(pieces)


def test_s01_connections_are_used_again(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Whole answers, errors too, leave both connections open for the next request."""
    upstream.respond_with(STREAM, json_answer({"error": {}}, 429), json_answer({}, 500), Answer(204))
    with RawClient(stocked_gateway.port) as client:
        for expected in (200, 429, 500, 204, 200):
            client.send(sockets.request(QUESTION))
            if expected == 204:
                client.receive_until(b"\r\n\r\n")
                client.received = b""
                continue
            assert client.answer()[0] == expected
    assert len({request.connection for request in upstream.requests}) == 1
