"""Everything below /v1/ that is no chat request passes verbatim, and so do headers on every path."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import psutil
import pytest

from tests.conftest import MakeClient, StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import DONE, Answer, Framing, Request, Upstream, completes, event, json_answer, sse

QUESTION = tools.encoded(tools.chat("list exams"))


@pytest.mark.parametrize(
    "target",
    [
        "/v1/models",
        "/v1/models/meta-llama%2FLlama-3",
        "/v1/models/a%20b;c=d?x=%20y&&z=a+b",
        "/v1/files?after=%E4%BD%A0&limit=",
        "/v1//double//slashes/",
        "/v1/models?",
        "/v1/a:b@c,d(e)'*!$~",
        "/v1/a|b^{c}?<d>",
    ],
)
def test_p01_the_target_is_kept_as_it_was_written(
    stocked_gateway: GatewayProcess, upstream: Upstream, target: str
) -> None:
    """Path and query reach the provider with their escapes as the client wrote them."""
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(method="GET", target=target))
        assert client.answer()[0] == 200
    assert (upstream.last.method, upstream.last.target.removesuffix("?")) == ("GET", target.removesuffix("?"))


def test_p01_the_base_path_of_the_provider_stands_before_it(start_gateway: StartGateway, upstream: Upstream) -> None:
    """What follows /v1 is appended to the configured base URL, whatever that ends in."""
    gateway = start_gateway(UPSTREAM__BASE_URL=upstream.base_url.removesuffix("/v1") + "/compatible-mode/v2/")
    gateway.post(b"{}", "/embeddings?a=b")
    gateway.post(QUESTION)
    targets = [request.target for request in upstream.requests]
    assert targets == ["/compatible-mode/v2/embeddings?a=b", "/compatible-mode/v2/chat/completions"]


def test_p01_the_models_are_listed_through_the_official_client(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """`models.list()` gives what the provider has."""
    model = {"id": "m/1", "object": "model", "created": 1, "owned_by": "x"}
    upstream.respond_with(json_answer({"object": "list", "data": [model]}))
    assert [model.id for model in client_of(stocked_gateway).models.list()] == ["m/1"]


def test_p02_embeddings_pass_byte_for_byte(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """The official client's embeddings call, which asks for base64, works; the body is its own."""
    data = [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}]
    upstream.respond_with(json_answer({"object": "list", "data": data, "model": "e", "usage": {}}))
    result = client_of(stocked_gateway).embeddings.create(model="e", input="é")
    assert result.data[0].embedding == [1.0, 2.0]
    assert upstream.last.json() == {"input": "é", "model": "e", "encoding_format": "base64"}
    body = b'{ "tools":[], "tools":[1] ,"input":"\\u00e9"}'
    stocked_gateway.post(body, "/embeddings")
    assert upstream.last.body == body


def test_p03_a_large_upload_is_streamed(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A multipart upload of 64 MB passes whole, and the gateway does not hold it."""
    size, piece = 64, b"x" * 2**20
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    process = psutil.Process(stocked_gateway.pid)
    before = process.memory_info().rss
    growth = []

    def content() -> Iterator[bytes]:
        yield head
        for _ in range(size):
            yield piece
            growth.append(process.memory_info().rss - before)
        yield b"\r\n--b--\r\n"

    kind = "multipart/form-data; boundary=b"
    answer = httpx.post(
        f"{stocked_gateway.base_url}/files", content=content(), headers={"content-type": kind}, timeout=60.0
    )
    assert answer.status_code == 200
    assert upstream.last.body == head + piece * size + b"\r\n--b--\r\n"
    assert upstream.last.values("content-type") == [kind]
    assert max(growth) < 24 * 2**20


def test_p03_an_upload_with_a_length_keeps_it(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """The official client's file upload arrives with its own length and boundary."""
    upstream.respond_with(json_answer({"id": "f", "object": "file"}))
    client_of(stocked_gateway).files.create(file=("a.txt", b"abc" * 50_000), purpose="assistants")
    assert upstream.last.values("content-length") == [str(len(upstream.last.body))]
    assert upstream.last.values("transfer-encoding") == []
    assert b"abc" * 50_000 in upstream.last.body


@pytest.mark.parametrize("framing", list(Framing))
def test_p04_a_binary_answer_passes(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream, framing: Framing
) -> None:
    """Speech arrives byte for byte through the official client."""
    sound = [bytes(range(256)) * 100, b"\r\n\r\n0\r\n\r\n", b"\x00\xff" * 999]
    upstream.respond_with(Answer(200, [("content-type", "audio/mpeg")], sound, framing))
    answer = client_of(stocked_gateway).audio.speech.create(model="t", voice="alloy", input="hi")
    assert answer.content == b"".join(sound)


def test_p04_a_client_that_reads_slowly_costs_no_memory(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """While a client does not read its 64 MB, the gateway does not read them for it."""
    upstream.respond_with(Answer(200, pieces=[b"x" * 2**20] * 64))
    process = psutil.Process(stocked_gateway.pid)
    before = process.memory_info().rss
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(b"{}", target="/v1/audio/speech"))
        client.receive_until(b"\r\n\r\n")
        time.sleep(0.5)
        assert process.memory_info().rss - before < 24 * 2**20
        assert len(client.answer()[2]) == 64 * 2**20


def test_p04_other_streams_are_not_buffered(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A stream of another endpoint is delivered event by event."""
    go = threading.Event()
    upstream.respond_with(sse(b"event: response.created\ndata: {}\n\n", go, DONE))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(b"{}", target="/v1/responses"))
        client.receive_until(b"response.created")
        go.set()
        client.receive_until(DONE)


def test_p05_an_unknown_path_passes_verbatim(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What the gateway has never heard of goes to the provider, whose answer comes back."""
    upstream.respond_with(Answer(418, [("content-type", "text/x"), ("x-a", "b")], [b"teapot"]))
    answer = stocked_gateway.post(b"\x00\xff", "/foo/bar?x=%20y")
    assert (answer.status_code, answer.content, answer.headers["x-a"]) == (418, b"teapot", "b")
    assert (upstream.last.target, upstream.last.body) == ("/v1/foo/bar?x=%20y", b"\x00\xff")


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PATCH", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("target", ["/v1/files/f", "/v1/chat/completions"])
def test_p06_every_method_passes(stocked_gateway: GatewayProcess, upstream: Upstream, method: str, target: str) -> None:
    """Methods are the provider's to refuse, with their bodies, on the chat path too."""
    upstream.respond_with(Answer(200, [("allow", "X"), ("access-control-allow-origin", "*")], [b"abc"]))
    body = b"" if method in ("HEAD", "GET") else b'{"a": 1}'
    answer = httpx.request(method, stocked_gateway.url + target, content=body, timeout=30.0)
    assert (answer.status_code, answer.headers["allow"]) == (200, "X")
    assert answer.headers["content-length"] == "3"
    assert answer.content == (b"" if method == "HEAD" else b"abc")
    assert (upstream.last.method, upstream.last.body) == (method, body)


def test_p06_a_get_without_a_body_stays_without(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """No length and no transfer coding are invented for a request that has no body."""
    httpx.get(f"{stocked_gateway.base_url}/models", timeout=30.0)
    assert upstream.last.values("content-length") + upstream.last.values("transfer-encoding") == []


@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/files"])
def test_p07_headers_of_one_hop_are_removed(stocked_gateway: GatewayProcess, upstream: Upstream, target: str) -> None:
    """What concerns the client's connection stays there, and what concerns the provider's too."""
    hop = [("keep-alive", "timeout=5"), ("x-foo", "1"), ("te", "trailers"), ("proxy-authorization", "Basic x")]
    headers = [("Connection", "keep-alive, X-Foo"), *hop, ("x-kept", "2"), ("Upgrade", "websocket")]
    answered = [("connection", "x-bar"), ("x-bar", "1"), ("keep-alive", "timeout=5"), ("proxy-authenticate", "Basic")]
    upstream.respond_with(json_answer({}, headers=[*answered, ("x-kept", "3")]))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION, target=target, headers=headers))
        _, received, _ = client.answer()
    assert [upstream.last.values(name) for name, _ in hop] == [[]] * 4
    assert upstream.last.values("upgrade") == []
    assert upstream.last.values("x-kept") == ["2"]
    assert {"x-bar", "keep-alive", "proxy-authenticate"}.isdisjoint(received)
    assert received["x-kept"] == "3"


@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/files"])
def test_p08_headers_that_stand_twice_stay_apart(
    stocked_gateway: GatewayProcess, upstream: Upstream, target: str
) -> None:
    """Headers of one name are not joined, in either direction."""
    upstream.respond_with(json_answer({}, headers=[("set-cookie", "a=1"), ("set-cookie", "b=2; Path=/, x")]))
    sent = [("x-twice", "1"), ("x-other", ""), ("X-Twice", "2, 3")]
    answer = httpx.post(stocked_gateway.url + target, content=QUESTION, headers=sent, timeout=30.0)
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2; Path=/, x"]
    assert upstream.last.values("x-twice") == ["1", "2, 3"]
    assert upstream.last.values("x-other") == [""]


def test_p08_a_cookie_of_one_answer_is_never_sent_for_another(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """The gateway keeps no cookies: one caller's session is not another's."""
    upstream.respond_with(json_answer({}, headers=[("set-cookie", "session=1; Path=/")]))
    for _ in range(2):
        stocked_gateway.post(QUESTION)
    stocked_gateway.post(QUESTION, cookie="mine=1")
    assert [request.values("cookie") for request in upstream.requests] == [[], [], ["mine=1"]]


def test_p09_long_streams_do_not_hold_up_others(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """While two streams stand still, fifty short requests are answered."""
    go = threading.Event()

    def script(request: Request) -> Answer:
        slow = b'"slow"' in request.body
        return sse(event({"content": "a"}), go, DONE) if slow else completes(request)

    upstream.respond_by(script)
    slow = sockets.request(tools.encoded({**tools.chat("list exams", stream=True), "model": "slow"}))
    with RawClient(stocked_gateway.port) as one, RawClient(stocked_gateway.port) as two:
        for client in (one, two):
            client.send(slow)
            client.receive_until(b"data:")
        with ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(lambda _: stocked_gateway.post(QUESTION).status_code, range(50)))
        go.set()
        assert [DONE in client.receive_until(b"0\r\n\r\n") for client in (one, two)] == [True, True]
    assert statuses == [200] * 50


def listens(port: int) -> bool:
    """Tell whether a connection is accepted."""
    try:
        RawClient(port).close()
    except ConnectionError:
        return False
    return True


def test_p10_running_streams_finish_when_the_server_is_told_to_stop(
    start_gateway: StartGateway, upstream: Upstream
) -> None:
    """After SIGTERM, an answer under way still arrives whole; then its connection and the process end well."""
    gateway = start_gateway(SERVER__SHUTDOWN_GRACE_S="20")
    go = threading.Event()
    upstream.respond_with(sse(event({"content": "a"}), go, DONE))
    with RawClient(gateway.port) as client:
        client.send(sockets.request(QUESTION))
        client.receive_until(b"data:")
        gateway.process.terminate()
        while listens(gateway.port):
            pass
        go.set()
        assert client.receive_all().endswith(DONE + b"\r\n0\r\n\r\n")
    assert gateway.process.wait(20) == 0


def test_p10_new_connections_are_refused_at_once_meanwhile(start_gateway: StartGateway, upstream: Upstream) -> None:
    """After SIGTERM nothing waits in a queue that nobody serves: a connection is refused; an idle one is closed."""
    gateway = start_gateway(SERVER__SHUTDOWN_GRACE_S="20")
    go = threading.Event()
    upstream.respond_with(sse(event({"content": "a"}), go, DONE))
    with RawClient(gateway.port) as client, RawClient(gateway.port) as idle:
        client.send(sockets.request(QUESTION))
        client.receive_until(b"data:")
        gateway.process.terminate()
        assert idle.receive_all() == b""
        with pytest.raises(ConnectionRefusedError):
            RawClient(gateway.port)
        assert gateway.process.poll() is None
        go.set()
        client.receive_until(b"0\r\n\r\n")


@pytest.mark.parametrize("target", ["/v1/../admin/tools", "/v1/%2e%2e/x", "/v1/a/..%2Fb", "/v1/%2E/x", "/v1/a\\..\\b"])
def test_p05_a_path_that_climbs_is_refused(stocked_gateway: GatewayProcess, upstream: Upstream, target: str) -> None:
    """A path cannot leave the provider's base path, however its dots are written."""
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(b"{}", target=target))
        status, _, body = client.answer()
    assert status == 400
    assert b'"invalid_request_error"' in body
    assert upstream.requests == []


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "forwarded", "x-original-url", "x-upstream"])
def test_p05_no_header_changes_where_a_request_goes(
    stocked_gateway: GatewayProcess, upstream: Upstream, header: str
) -> None:
    """The provider is chosen by configuration only."""
    stocked_gateway.post({**tools.chat("list exams"), "base_url": "http://192.0.2.1"}, **{header: "192.0.2.1"})
    assert len(upstream.requests) == 1
    assert upstream.last.values("host") == [f"127.0.0.1:{upstream.port}"]


def test_p05_a_header_of_128_kilobytes_is_relayed(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A very long header line of the provider is no reason to fail, nor are many."""
    many = [(f"x-{number}", "1") for number in range(200)]
    upstream.respond_with(json_answer({}, headers=[("x-long", "a" * 131_072), *many]))
    with RawClient(stocked_gateway.port) as client:
        client.send(sockets.request(QUESTION))
        status, headers, _ = client.answer()
    assert (status, len(headers["x-long"]), headers["x-199"]) == (200, 131_072, "1")


def test_p05_expect_continue_is_answered_by_the_gateway(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A client that waits for permission to send its body gets it, and the provider is not asked for it."""
    whole = sockets.request(QUESTION, headers=[("expect", "100-continue")])
    head, body = whole[: -len(QUESTION)], whole[-len(QUESTION) :]
    with RawClient(stocked_gateway.port) as client:
        client.send(head)
        assert client.receive_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.received = b""
        client.send(body)
        assert client.answer()[0] == 200
    assert upstream.last.values("expect") == []


def test_p02_the_asynchronous_client_is_served_beside_it(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Errors of other endpoints raise in the official client as if it spoke to the provider."""
    upstream.respond_with(json_answer({"error": {"message": "gone", "code": "x"}}, 404))
    with (
        openai.OpenAI(base_url=stocked_gateway.base_url, api_key="k", max_retries=0) as client,
        pytest.raises(openai.NotFoundError, match="gone"),
    ):
        client.files.retrieve("f")
