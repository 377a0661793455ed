"""The endpoint encoder against a real HTTP server on a real port."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from app.encoders.breaker import Breaker
from app.encoders.endpoint import EndpointEncoder
from app.settings.encoders import EndpointSpec
from router.errors import EncoderError
from router.types import Vectors
from tests.support.gateway import free_port
from tests.support.raw_provider import RawProvider, answer, says
from tests.support.upstream import Answer, Ending, Framing, Request, Upstream, json_answer, never

KEY = "sk-0123456789-do-not-print"
WIDTH = 8

Make = Callable[..., EndpointEncoder]


def vector(text: str) -> Vectors:
    """Give the vector that the server has for a text; not of unit length."""
    row: Vectors = np.random.default_rng(list(text.encode())).normal(size=WIDTH).astype(np.float32) * 3
    return row


def unit(*texts: str) -> Vectors:
    """Give what the encoder is to make of it."""
    rows = np.stack([vector(text) for text in texts])
    directions: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return directions


def embeds(request: Request, form: str = "") -> Answer:
    """Answer as such endpoints do, but the last text first."""
    body = request.json()
    rows = [written(vector(text), form or body["encoding_format"]) for text in body["input"]]
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return json_answer({"object": "list", "data": data[::-1], "model": body["model"], "usage": {"total_tokens": 1}})


def written(row: Vectors, form: str) -> str | list[float]:
    """Write a vector in one of the two forms."""
    return base64.b64encode(row.tobytes()).decode() if form == "base64" else row.tolist()


@pytest.fixture
def make(upstream: Upstream) -> Iterator[Make]:
    """Make encoders of the server, with options of theirs."""
    made: list[EndpointEncoder] = []
    upstream.respond_by(embeds)

    def make(breaker: Breaker | None = None, **options: Any) -> EndpointEncoder:
        values = {"base_url": upstream.base_url, "model": "m", "dimension": WIDTH, "api_key": KEY, "timeout_s": 60}
        values |= options
        made.append(EndpointEncoder(EndpointSpec(kind="endpoint", **values), breaker))
        return made[-1]

    yield make
    for encoder in made:
        encoder.close()


def refusal(encoder: EndpointEncoder, *texts: str) -> str:
    """Give the reason for which it fails."""
    with pytest.raises(EncoderError) as caught:
        encoder.encode_query(list(texts) or ["text"])
    return str(caught.value)


# What is asked, what is given


def test_encode_asks_as_the_api_says(make: Make, upstream: Upstream) -> None:
    """One POST below the base URL, with model, input, form and bearer key."""
    make().encode_query(["hello", ""])
    request = upstream.last
    assert (request.method, request.target) == ("POST", "/v1/embeddings")
    assert request.json() == {"model": "m", "input": ["hello", " "], "encoding_format": "float"}
    assert request.values("authorization") == [f"Bearer {KEY}"]
    assert request.values("content-type") == ["application/json"]


def test_encode_asks_for_the_dimension_where_it_is_told_to(make: Make, upstream: Upstream) -> None:
    """`dimensions` is sent only when configured; without a key none is shown."""
    make(send_dimension=True, api_key=None).encode_query(["hello"])
    assert upstream.last.json()["dimensions"] == WIDTH
    assert upstream.last.values("authorization") == []


def test_encode_gives_unit_vectors_in_the_order_of_the_texts(make: Make) -> None:
    """The answer's order does not matter, its indices do."""
    assert np.allclose(make().encode_query(["a", "b", "c"]), unit("a", "b", "c"), atol=1e-6)


def test_encode_of_nothing_asks_nothing(make: Make, upstream: Upstream) -> None:
    """No texts give no rows and no request."""
    assert make().encode_document([]).shape == (0, WIDTH)
    assert upstream.requests == []


def test_encode_sends_many_texts_in_batches(make: Make, upstream: Upstream) -> None:
    """Seven texts at three a request are three requests, and seven vectors in order."""
    texts = list("abcdefg")
    assert np.allclose(make(batch=3).encode_document(texts), unit(*texts), atol=1e-6)
    assert [request.json()["input"] for request in upstream.requests] == [texts[:3], texts[3:6], texts[6:]]


def test_encode_puts_prompts_before_texts(make: Make, upstream: Upstream) -> None:
    """Questions have one prompt, tools another one; half a character becomes a question mark."""
    encoder = make(query_prompt="q: ", document_prompt="d: ")
    encoder.encode_query(["a\ud83d"])
    encoder.encode_document(["b"])
    assert [request.json()["input"] for request in upstream.requests] == [["q: a?"], ["d: b"]]


@pytest.mark.parametrize("asked", ["float", "base64"])
@pytest.mark.parametrize("answered", ["float", "base64"])
def test_encode_reads_both_forms(make: Make, upstream: Upstream, asked: str, answered: str) -> None:
    """Whichever form is asked for, either may come."""
    upstream.respond_by(lambda request: embeds(request, answered))
    assert np.allclose(make(encoding_format=asked).encode_query(["a"]), unit("a"), atol=1e-6)
    assert upstream.last.json()["encoding_format"] == asked


def test_encode_may_be_called_in_many_threads(make: Make) -> None:
    """Calls beside each other get each their own vectors."""
    encoder = make()
    texts = [f"text {n}" for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        rows = list(threads.map(lambda text: encoder.encode_query([text])[0], texts))
    assert np.allclose(np.stack(rows), unit(*texts), atol=1e-6)


def test_key_names_what_changes_the_vectors(make: Make) -> None:
    """Model, prompts, dimension and endpoint are in the key; how it is asked is not."""
    same = {make().key, make(batch=1, timeout_s=1, encoding_format="base64", api_key=None).key}
    others = {make(**{name: "other"}).key for name in ("model", "query_prompt", "document_prompt")}
    others |= {make(dimension=4).key, make(base_url="http://127.0.0.1:1/v1").key}
    assert (len(same), len(same | others)) == (1, 6)


# What is refused


def changed(change: Callable[[Any], object]) -> Callable[[Request], Answer]:
    """Answer with something else than the right document."""
    return lambda request: json_answer(change(json.loads(embeds(request).body)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda right: right | {"data": right["data"][:1]}, "it gave 1 vectors for 2 texts"),
        (lambda right: right | {"data": [right["data"][0]] * 2}, "wrong indices"),
        (lambda right: {"data": [one | {"embedding": [1.0] * 9} for one in right["data"]]}, "9 dimensions where 8"),
        (lambda right: {"data": [one | {"embedding": "AAAA!"} for one in right["data"]]}, "is not one of /embeddings"),
        (lambda right: {"data": [one | {"embedding": "AAA="} for one in right["data"]]}, "is not one of /embeddings"),
        (lambda right: {"data": [one | {"embedding": [0] * WIDTH} for one in right["data"]]}, "zero or not finite"),
        (lambda _: {"error": "none"}, "is not one of /embeddings"),
        (lambda right: right | {"padding": "x" * 2**21}, "its answer is too long"),
    ],
)
def test_wrong_answers_are_encoder_errors(
    make: Make, upstream: Upstream, change: Callable[[Any], object], reason: str
) -> None:
    """A vector of the wrong number, place, length or form never leaves the encoder; nothing is asked twice."""
    upstream.respond_by(changed(change))
    assert reason in refusal(make(), "a", "b")
    assert len(upstream.requests) == 1


def test_answer_that_is_not_json_is_an_encoder_error(make: Make, upstream: Upstream) -> None:
    """A page of a proxy is no answer."""
    upstream.respond_with(Answer(200, [("content-type", "text/html")], [b"<html>"]))
    assert "is not one of /embeddings" in refusal(make())


def test_a_packed_answer_is_not_unpacked(make: Make, upstream: Upstream) -> None:
    """It was not asked for: what is small on the way could be large here."""
    packed = [("content-type", "application/json"), ("content-encoding", "gzip")]
    upstream.respond_by(lambda right: Answer(200, packed, [gzip.compress(embeds(right).body)]))
    assert "packed" in refusal(make())
    assert dict(upstream.requests[0].headers)["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422, 501])
def test_refusals_are_not_asked_again(make: Make, upstream: Upstream, status: int) -> None:
    """What will be refused again is asked once; redirects are not followed."""
    upstream.respond_by(lambda _: Answer(status, [("location", "/v1/elsewhere")], [b"no"]))
    assert f"it answered {status}" in refusal(make())
    assert len(upstream.requests) == 1


# What passes


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_failures_are_asked_again(make: Make, upstream: Upstream, status: int) -> None:
    """Two failures and then an answer: the caller sees only the answer."""
    upstream.respond_with(json_answer({}, status), json_answer({}, status))
    assert np.allclose(make().encode_query(["a"]), unit("a"), atol=1e-6)
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CUT])
def test_broken_connections_are_asked_again(make: Make, upstream: Upstream, ending: Ending) -> None:
    """A connection that breaks in the middle of an answer is a transient failure, too."""
    upstream.respond_with(Answer(200, pieces=[b'{"data"'], ending=ending, length=100))
    assert np.allclose(make().encode_query(["a"]), unit("a"), atol=1e-6)


def test_tries_end_after_three(make: Make, upstream: Upstream) -> None:
    """What fails three times has failed."""
    upstream.respond_by(lambda _: json_answer({}, 500))
    assert "it answered 500" in refusal(make())
    assert len(upstream.requests) == 3


def test_retry_after_is_heeded(make: Make, upstream: Upstream) -> None:
    """The second try comes no sooner than the endpoint said."""
    upstream.respond_with(json_answer({}, 429, [("retry-after", "1")]))
    make().encode_query(["a"])
    first, second = upstream.requests
    assert second.arrived_at - first.arrived_at >= 0.99


def test_retry_after_beyond_the_deadline_is_not_waited_for(make: Make, upstream: Upstream) -> None:
    """A minute's wait is no use to a call that has two seconds; a date is no number of seconds."""
    upstream.respond_with(json_answer({}, 429, [("retry-after", "60")]))
    assert "it answered 429" in refusal(make(timeout_s=2))
    upstream.respond_with(json_answer({}, 429, [("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]))
    assert make().encode_query(["a"]).shape == (1, WIDTH)


@pytest.mark.parametrize(
    "answer",
    [
        never(),
        Answer(200, pieces=[b'{"data"'], ending=Ending.HANG),
        Answer(200, pieces=[piece for _ in range(200) for piece in (b" ", 0.05)], framing=Framing.CHUNKED),
    ],
    ids=["no answer", "half an answer", "an answer in drops"],
)
def test_calls_end_at_their_deadline(make: Make, upstream: Upstream, answer: Answer) -> None:
    """Silence and dripping end the call long before the ten seconds that the answer takes."""
    upstream.respond_by(lambda _: answer)
    began = time.monotonic()
    refusal(make(timeout_s=0.5))
    assert time.monotonic() - began < 8


# When it is down


def test_making_one_asks_nothing() -> None:
    """An endpoint that is down does not keep the server from starting; the first call fails."""
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    encoder = EndpointEncoder(EndpointSpec(kind="endpoint", base_url=base_url, model="m", dimension=WIDTH))
    assert (encoder.name, encoder.dimension) == ("m", WIDTH)
    assert refusal(encoder) == f"the embeddings endpoint {base_url}/embeddings: ConnectError"
    encoder.close()


def test_breaker_opens_and_heals(make: Make, upstream: Upstream) -> None:
    """After two failed calls nothing is asked until the cool-down ends; then one good answer heals it."""
    now = [0.0]
    encoder = make(Breaker(2, 10, clock=lambda: now[0]))
    upstream.respond_by(lambda _: json_answer({}, 401))
    for _ in range(5):
        refusal(encoder)
    assert len(upstream.requests) == 2
    assert "is left alone for a while" in refusal(encoder)
    upstream.respond_by(embeds)
    now[0] = 10.0
    assert np.allclose(encoder.encode_query(["a", "b"]), unit("a", "b"), atol=1e-6)
    assert np.allclose(encoder.encode_query(["c"]), unit("c"), atol=1e-6)


def test_breaker_stays_closed_over_texts_that_are_refused(make: Make, upstream: Upstream) -> None:
    """One text that the endpoint does not take says nothing about the endpoint."""
    encoder = make(Breaker(1, 10))
    upstream.respond_with(json_answer({}, 400))
    assert "it answered 400" in refusal(encoder)
    assert encoder.encode_query(["a"]).shape == (1, WIDTH)


def test_key_is_neither_in_logs_nor_in_errors(make: Make, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when the endpoint quotes it."""
    caplog.set_level(logging.DEBUG)
    encoder = make()
    upstream.respond_by(lambda _: json_answer({"error": {"message": f"Incorrect API key: {KEY}"}}, 401))
    with pytest.raises(EncoderError) as caught:
        encoder.encode_query(["text"])
    told = [repr(error) for error in (caught.value, caught.value.__cause__, caught.value.__context__)]
    assert caplog.records
    assert KEY not in "".join([*told, caplog.text, repr(encoder), encoder.key])


def test_an_answer_that_nobody_asked_for_is_never_used() -> None:
    """It came behind another one: the next texts have vectors of their own all the same."""

    def embedding(text: str) -> bytes:
        return answer(json.dumps({"data": [{"index": 0, "embedding": vector(text).tolist()}]}).encode())

    provider = RawProvider()
    provider.play("embeddings", says(embedding("first") + embedding("stray")))
    encoder = EndpointEncoder(EndpointSpec(kind="endpoint", base_url=provider.base_url, model="m", dimension=WIDTH))
    try:
        first = encoder.encode_query(["first"])
        provider.play("embeddings", says(embedding("second")))
        second = encoder.encode_query(["second"])
    finally:
        encoder.close()
        provider.close()
    assert np.allclose(np.concatenate([first, second]), unit("first", "second"), atol=1e-6)
