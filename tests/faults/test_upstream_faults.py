"""What the provider does wrong, by the numbers of docs/reliability.md (a), and what the client gets of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import psutil
import pytest

from tests.chaos.asking import broken_answer, question, unchunked
from tests.chaos.churn import PLACES, churn
from tests.chaos.scenarios import BAD_SSE, COMPLETION, DONE, event, pressed, scrambled
from tests.chaos.secure import SecureDoor
from tests.chaos.server import Chaos
from tests.conftest import MakeClient, StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess, free_port
from tests.support.sockets import RawClient

_MIB = 2**20


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Give status and code of an own error; it is in OpenAI's form."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["code"]


def works(gateway: GatewayProcess) -> bool:
    """Tell whether the next request is answered as ever."""
    answer = gateway.post(question("ok"))
    return (answer.status_code, answer.content) == (200, COMPLETION)


def test_a01_a_refused_connection_is_a_502_without_a_traceback(shared_gateway: StartGateway) -> None:
    """Nobody listens: an error in OpenAI's form, and one line in the log."""
    gateway = shared_gateway(UPSTREAM__BASE_URL=f"http://127.0.0.1:{free_port()}/v1")
    assert error_of(gateway.post(question("ok"))) == (502, "upstream_unreachable")


@pytest.mark.parametrize("scenario", ["rst_before_headers", "fin_before_headers"])
def test_a01_a_connection_that_ends_without_an_answer_is_a_502(
    gateway: GatewayProcess, chaos: Chaos, scenario: str
) -> None:
    """A reset or an end before the headers: 502, and the provider was asked once."""
    assert error_of(gateway.post(question(scenario))) == (502, "upstream_unreachable")
    assert [record.attempt for record in chaos.records] == [1]


@pytest.mark.parametrize("scenario", ["rst_mid_body", "fin_mid_body"])
def test_a03_a_body_that_breaks_never_looks_whole(gateway: GatewayProcess, chaos: Chaos, scenario: str) -> None:
    """The client gets fewer bytes than were announced, then the end of the connection."""
    for sent in range(0, len(COMPLETION), 20):
        head, body = broken_answer(gateway.port, f"{scenario}?n={sent}", stream=False)
        assert f"content-length: {len(COMPLETION)}".encode() in head
        assert body in (COMPLETION[:sent], b"")
    assert {record.attempt for record in chaos.records} == {1}


@pytest.mark.parametrize("scenario", ["rst_mid_body", "fin_mid_body"])
def test_a03_the_official_client_raises(
    gateway: GatewayProcess, chaos: Chaos, client_of: MakeClient, scenario: str
) -> None:
    """A truncated completion is an error of the connection, not a completion."""
    with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
        client_of(gateway).chat.completions.create(
            model=f"chaos/{scenario}", messages=[{"role": "user", "content": "hi"}]
        )
    assert len(chaos.records) == 1


@pytest.mark.parametrize("number", range(0, 50, 7))
def test_a04_a_reset_at_any_event_breaks_the_stream_off(gateway: GatewayProcess, chaos: Chaos, number: int) -> None:
    """The client gets events as far as they came, no terminator and no [DONE], and nobody asks again."""
    _, body = broken_answer(gateway.port, f"rst_mid_stream?n={number}", stream=True)
    events, whole = unchunked(body)
    assert b"".join(event(n) for n in range(number)).startswith(events)
    assert (whole, DONE in body, len(chaos.records)) == (False, False, 1)


@pytest.mark.parametrize("number", range(0, 50, 7))
def test_a05_an_end_without_terminator_breaks_the_stream_off(
    gateway: GatewayProcess, chaos: Chaos, number: int
) -> None:
    """Every event that came is relayed, then the connection ends as the provider's did."""
    _, body = broken_answer(gateway.port, f"fin_no_terminator?n={number}", stream=True)
    assert unchunked(body) == (b"".join(event(n) for n in range(number)), False)
    assert len(chaos.records) == 1


def test_a06_headers_that_come_too_slowly_are_a_504(impatient_gateway: GatewayProcess, chaos: Chaos) -> None:
    """Single bytes do not prolong the wait; the provider's connection is closed."""
    assert error_of(impatient_gateway.post(question("slow_headers?ms=400"))) == (504, "upstream_timeout")
    chaos.records[0].wait_closed()
    assert works(impatient_gateway)


def test_a06_an_answer_that_never_begins_is_a_504(impatient_gateway: GatewayProcess, chaos: Chaos) -> None:
    """Silence is the same, on other endpoints too."""
    assert error_of(impatient_gateway.post(question("hang"))) == (504, "upstream_timeout")
    assert error_of(impatient_gateway.post(question("hang"), "/embeddings")) == (504, "upstream_timeout")
    for record in chaos.records:
        record.wait_closed()


def test_a06_a_client_that_uploads_slowly_is_not_the_providers_fault(
    impatient_gateway: GatewayProcess, chaos: Chaos
) -> None:
    """The clock of the first byte stands still while the client has the word."""
    body = tools.encoded(question("ok"))
    with RawClient(impatient_gateway.port) as client:
        client.send(sockets.request(body, target="/v1/files")[:-1])
        time.sleep(2.5)  # longer than the limit
        client.send(body[-1:])
        assert client.answer()[0] == 200


@pytest.mark.parametrize("number", [0, 3])
def test_a07_silence_within_a_stream_breaks_it_off(
    impatient_gateway: GatewayProcess, chaos: Chaos, number: int
) -> None:
    """What came is there, nothing is added, and the provider's connection is closed."""
    _, body = broken_answer(impatient_gateway.port, f"stall_after?n={number}", stream=True)
    assert unchunked(body) == (b"".join(event(n) for n in range(number)), False)
    chaos.records[0].wait_closed()
    assert works(impatient_gateway)


def test_a08_comments_keep_a_stream_alive(impatient_gateway: GatewayProcess, chaos: Chaos) -> None:
    """Any byte counts against the limit of silence; comments are relayed as they are."""
    answer = impatient_gateway.post(question("pings?n=8&ms=400", stream=True))
    assert answer.content == b": ping\n\n" * 8 + event(0) + DONE


def test_a08_a_client_that_leaves_ends_the_comments(gateway: GatewayProcess, chaos: Chaos) -> None:
    """Nobody is left behind to whom they would be sent."""
    with RawClient(gateway.port) as client:
        client.send(sockets.request(tools.encoded(question("pings?n=1000000&ms=20", stream=True))))
        client.receive_until(b": ping")
    chaos.records[0].wait_closed()


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        ("s", "7"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("negative", "-1"),
        ("huge", "1000000000"),
        ("words", "soon"),
    ],
)
def test_a09_retry_after_is_relayed_as_it_is(gateway: GatewayProcess, chaos: Chaos, form: str, sent: str) -> None:
    """Whatever a 429 says, only the client decides on it, once."""
    answer = gateway.post(question(f"429?form={form}"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, sent)
    assert len(chaos.records) == 1


def test_a09_a_429_without_a_time_gets_none(gateway: GatewayProcess, chaos: Chaos) -> None:
    """Nothing is invented, and milliseconds are relayed too."""
    assert "retry-after" not in gateway.post(question("429?form=missing")).headers
    assert gateway.post(question("429?form=ms")).headers["retry-after-ms"] == "7000"


@pytest.mark.parametrize("kind", BAD_SSE)
def test_a12_a_malformed_stream_is_relayed_as_it_is(gateway: GatewayProcess, chaos: Chaos, kind: str) -> None:
    """Byte by byte in, the same bytes out."""
    assert gateway.post(question(f"sse_bad?kind={kind}", stream=True)).content == BAD_SSE[kind]


def test_a12_any_bytes_cut_anywhere_are_relayed_as_they_are(gateway: GatewayProcess, chaos: Chaos) -> None:
    """Sixty streams, broken in places and cut anywhere."""
    for seed in range(60):
        answer = gateway.post(question(f"split_everywhere?seed={seed}", stream=True))
        assert answer.content == b"".join(scrambled(seed)), seed


def growth_while_reading(gateway: GatewayProcess, scenario: str) -> tuple[int, int]:
    """Read an answer piece by piece; give its bytes as they came, and how much the server grew meanwhile."""
    process = psutil.Process(gateway.pid)
    before, size, grown = process.memory_info().rss, 0, 0
    body = tools.encoded(question(scenario, stream=True))
    url = f"{gateway.base_url}/chat/completions"
    with httpx.stream("POST", url, content=body, timeout=60.0, trust_env=False) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw(_MIB):
            size += len(piece)
            grown = max(grown, process.memory_info().rss - before)
    return size, grown


def test_a13_a_huge_event_passes_through(gateway: GatewayProcess, chaos: Chaos) -> None:
    """64 MiB in one line of one chunk are relayed whole, and never held."""
    size, grown = growth_while_reading(gateway, "huge_chunk?mib=64")
    assert size == 64 * _MIB + 8
    assert grown < 16 * _MIB


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a14_a_compressed_bomb_is_not_opened(gateway: GatewayProcess, chaos: Chaos, coding: str) -> None:
    """What the provider compressed is the client's to decompress."""
    body = pressed(coding, 128)
    size, grown = growth_while_reading(gateway, f"bomb?coding={coding}&mib=128")
    assert size == len(body) < _MIB
    assert grown < 16 * _MIB


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureDoor]:
    """The provider behind TLS."""
    door = SecureDoor(tmp_path_factory.mktemp("door"))
    yield door
    door.close()


@pytest.fixture(scope="module")
def secure_gateway(shared_gateway: StartGateway, door: SecureDoor) -> Iterator[GatewayProcess]:
    """A server that trusts the door's authority, and waits a second for connections."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(door.authorities))
        yield shared_gateway(UPSTREAM__BASE_URL=door.base_url, UPSTREAM__CONNECT_TIMEOUT_S="1")


@pytest.mark.parametrize(
    ("fault", "code", "named"),
    [
        ("expired", "upstream_unreachable", "expired"),
        ("untrusted", "upstream_unreachable", "authority"),
        ("another host", "upstream_unreachable", "another host"),
        ("old TLS", "upstream_unreachable", "too old"),
        ("no TLS", "upstream_unreachable", "does not speak TLS"),
        ("stalled", "upstream_timeout", "in time"),
    ],
)
def test_a15_a_tls_fault_is_named_and_nothing_is_sent(
    secure_gateway: GatewayProcess, door: SecureDoor, fault: str, code: str, named: str
) -> None:
    """The message names the class of the fault, not the host; the caller's key is never sent in the open."""
    door.fault = fault
    door.readable.clear()
    answer = secure_gateway.post(question("ok"))
    assert error_of(answer)[1] == code
    assert named in answer.text
    assert "localhost" not in answer.text
    assert b"sk-of-the-caller" not in b"".join(door.readable)


def test_a15_a_sound_certificate_is_accepted(secure_gateway: GatewayProcess, door: SecureDoor) -> None:
    """The same gateway works when nothing is wrong."""
    door.fault = ""
    answer = secure_gateway.post(question("ok"))
    assert (answer.status_code, answer.content) == (200, b"{}")


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308])
def test_a18_a_redirect_is_relayed_and_not_followed(gateway: GatewayProcess, chaos: Chaos, code: int) -> None:
    """The client sees where it points; the gateway goes nowhere."""
    target = f"{chaos.base_url}/trap"
    answer = gateway.post(question(f"status?code={code}&location={target}"))
    assert (answer.status_code, answer.headers["location"], len(chaos.records)) == (code, target, 1)


@pytest.mark.parametrize("code", [204, 304])
def test_a18_an_answer_without_a_body_is_relayed(gateway: GatewayProcess, chaos: Chaos, code: int) -> None:
    """Nothing follows its head, and the connection serves on."""
    answer = gateway.post(question(f"status?code={code}"))
    assert (answer.status_code, answer.content) == (code, b"")
    assert works(gateway)


def test_a18_another_protocol_is_a_502(gateway: GatewayProcess, chaos: Chaos) -> None:
    """101 cannot be relayed; the connection is closed."""
    assert error_of(gateway.post(question("upgrade"))) == (502, "upstream_invalid_answer")
    chaos.records[0].wait_closed()
    assert works(gateway)


def test_a18_informational_answers_are_passed_over(gateway: GatewayProcess, chaos: Chaos) -> None:
    """The answer after them is the answer."""
    answer = gateway.post(question("interim?n=20"))
    assert (answer.status_code, answer.content) == (200, COMPLETION)


@pytest.mark.parametrize(
    "kind",
    [
        "long",
        "long_name",
        "many",
        "sum",
        "cr",
        "nul",
        "no_colon",
        "bad_name",
        "two_lengths",
        "length_and_chunked",
    ],
)
def test_a19_headers_that_cannot_be_relayed_are_a_502(gateway: GatewayProcess, chaos: Chaos, kind: str) -> None:
    """Too long, too many, or able to be read in two ways: none of it reaches the client."""
    answer = gateway.post(question(f"headers?kind={kind}"))
    assert error_of(answer) == (502, "upstream_invalid_answer")
    assert works(gateway)


def test_a19_headers_within_the_limits_are_relayed(gateway: GatewayProcess, chaos: Chaos) -> None:
    """Nine hundred, one after a bare line feed, cookies kept apart; those of one hop removed."""
    many = gateway.post(question("headers?kind=most")).headers
    assert sum(name.startswith("x-") and name[2:].isdigit() for name in many) == 900
    assert gateway.post(question("headers?kind=lf")).headers["x-b"] == "2"
    assert {"x-hop", "keep-alive", "trailer"}.isdisjoint(gateway.post(question("headers?kind=hop")).headers)
    assert gateway.post(question("headers?kind=cookie")).headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a22_what_is_no_json_is_relayed_as_it_is(gateway: GatewayProcess, chaos: Chaos) -> None:
    """Error pages, wrong types and empty answers are the provider's; the client sees them."""
    for status in (200, 502):
        answer = gateway.post(question(f"html?status={status}"))
        assert (answer.status_code, answer.content) == (status, b"<html><h1>Bad Gateway</h1></html>")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    answer = gateway.post(question("empty"))
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


PROVIDER_KEY = "sk-provider-canary-abababab"


def test_a23_an_error_that_repeats_the_providers_key_comes_without_it(
    shared_gateway: StartGateway, running_chaos: Chaos
) -> None:
    """In managed mode stars stand for it, in headers and body, wherever the body is cut; the log never has it."""
    gateway = shared_gateway(
        UPSTREAM__BASE_URL=running_chaos.base_url,
        UPSTREAM__CREDENTIALS="managed",
        UPSTREAM__API_KEY=PROVIDER_KEY,
        LOG__LEVEL="debug",
    )
    for cut in range(40, 400, 11):
        answer = gateway.post(question(f"echo_headers?n={cut}"))
        assert PROVIDER_KEY not in answer.text + str(answer.headers.raw)
        assert (answer.status_code, answer.text.count("Bearer " + "*" * len(PROVIDER_KEY))) == (401, 1)
    assert running_chaos.records[-1].values("authorization") == [f"Bearer {PROVIDER_KEY}"]
    assert PROVIDER_KEY not in gateway.log


def test_a20_a_full_pool_refuses_and_recovers(gateway: GatewayProcess, chaos: Chaos) -> None:
    """While every connection hangs, others get 503 with retry-after; when one is free again, answers."""
    hanging = [RawClient(gateway.port) for _ in range(PLACES)]
    for client in hanging:
        client.send(sockets.request(tools.encoded(question("hang"))))
    chaos.wait_for(PLACES)
    for _ in range(5):
        answer = gateway.post(question("ok"))
        assert error_of(answer) == (503, "upstream_busy")
        assert answer.headers["retry-after"] == "1"
    for client in hanging:
        client.close()
    for record in chaos.records:
        record.wait_closed()
    assert [works(gateway) for _ in range(PLACES)] == [True] * PLACES


def test_a20_after_a_burst_one_connection_is_used(gateway: GatewayProcess, chaos: Chaos) -> None:
    """The connection given back last is the next one to be used, so that those of a burst grow old and are closed."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(gateway.post, [question("late?ms=500")] * 4))
    assert len({record.connection for record in chaos.records}) > 1
    chaos.reset()
    for _ in range(6):
        assert works(gateway)
    assert len({record.connection for record in chaos.records}) == 1


def test_a21_many_cancelled_requests_leave_the_pool_whole(gateway: GatewayProcess, chaos: Chaos) -> None:
    """A thousand clients that leave at any moment: every probe is answered, and every place in the pool is free."""
    result = asyncio.run(churn(gateway.port, chaos, count=1_000))
    assert (result.cancelled, result.probes_answered, result.places_free) == (1_000, 100, PLACES)
    assert result.reached > 300


def test_a23_the_callers_own_key_is_relayed_to_it_and_not_logged(gateway: GatewayProcess, chaos: Chaos) -> None:
    """In passthrough mode the key is the caller's; the answer is unchanged, and the log does not have it."""
    answer = gateway.post(question("echo_headers"))
    assert "sk-of-the-caller" in answer.text
    assert "sk-of-the-caller" not in gateway.log
