"""Bodies that are made to break a parser: none of them is a 500, a fault in the log (`log_check`) or a wait."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from tests.conftest import StartGateway
from tests.support import sockets, tools
from tests.support.gateway import GatewayProcess
from tests.support.sockets import RawClient
from tests.support.upstream import Upstream

FORTY = [json.dumps(tool).encode() for tool in tools.distinct(40)]
ASKED = b'"messages":[{"role":"user","content":"list exams"}]'
CAP = 1_000_000


def body(*members: bytes, listed: list[bytes] = FORTY) -> bytes:
    """Write a chat request with these members and a tool list."""
    return b"{" + b",".join([ASKED, *members, b'"tools":[' + b",".join(listed) + b"]"]) + b"}"


def with_schema(schema: bytes) -> bytes:
    """Write a chat request whose first tool has this schema."""
    first = b'{"type":"function","function":{"name":"odd","parameters":' + schema + b"}}"
    return body(listed=[first, *FORTY])


def arrays(depth: int) -> bytes:
    """Nest so many arrays."""
    return b"[" * depth + b"]" * depth


def objects(depth: int) -> bytes:
    """Nest so many objects."""
    return b'{"a":' * depth + b"1" + b"}" * depth


DEPTHS = [65, 1_000, 100_000]
DEEP = {
    **{f"{n} arrays": body(b'"x":' + arrays(n)) for n in DEPTHS},
    **{f"{n} objects": body(b'"x":' + objects(n)) for n in DEPTHS},
    **{f"{n} in a schema": with_schema(objects(n)) for n in DEPTHS},
    **{f"{n} in the content": b'{"messages":[{"role":"user","content":' + arrays(n) + b"}]}" for n in DEPTHS},
    **{f"{n} twice": body(b'"x":1,"x":' + arrays(n)) for n in DEPTHS},
    **{f"{n} without an end": b'{"x":' + b"[" * n for n in DEPTHS},
}
ODD = {
    "NaN": body(b'"x":NaN'),
    "Infinity": body(b'"x":-Infinity'),
    "1e999": body(b'"x":1e999'),
    "5,000 digits": body(b'"seed":' + b"9" * 5_000),
    "5,000 digits in a schema": with_schema(b'{"maximum":' + b"9" * 5_000 + b"}"),
    "half a surrogate": body(b'"x":"\\ud800"'),
    "half a surrogate in a name": body(listed=[*FORTY, b'{"type":"function","function":{"name":"\\ud800"}}']),
    "half a surrogate in the question": b'{"messages":[{"role":"user","content":"\\udfff"}]}',
    "invalid UTF-8": body(b'"x":"\xff"'),
    "overlong UTF-8": body(b'"x":"\xc0\xaf"'),
    "byte order mark": b"\xef\xbb\xbf" + body(),
    "UTF-16": body().decode().encode("utf-16"),
    "NUL behind it": body() + b"\0",
    "a second value behind it": body() + b"{}",
    "NUL in it": body(b'"x":"\0"'),
    "nothing": b"",
    "a form": b"model=m&messages=hello",
    "a number": b"17",
    "200,000 keys": body(*(b'"k%d":1' % n for n in range(200_000))),
    "300,000 elements": body(b'"x":[' + b",".join([b"1"] * 300_000) + b"]"),
    "a key 100,000 times": body(*[b'"x":1'] * 100_000),
    "a schema of 5 MB": with_schema(b'{"enum":[' + b",".join([b'"' + b"v" * 50 + b'"'] * 100_000) + b"]}"),
    "a schema that is its own part": with_schema(b'{"$ref":"#","$defs":{"a":{"$ref":"#/$defs/a"}}}'),
    "a pattern that takes for ever": with_schema(b'{"pattern":"^(a+)+$","default":"' + b"a" * 50 + b'!"}'),
    "no tool but null": body(listed=[b"null"] * 40),
    "100,000 tools": body(listed=[b'{"type":"function","function":{"name":"t%d"}}' % n for n in range(100_000)]),
}


@pytest.mark.parametrize("case", DEEP)
def test_b08_depth_breaks_nothing(bare_gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """However deep: it goes to the provider, whose matter it is, and outside the tool list nothing has changed."""
    assert bare_gateway.post(DEEP[case]).status_code == 200
    assert upstream.last.body.partition(b',"tools":')[0] == DEEP[case].partition(b',"tools":')[0]


@pytest.mark.expects_fault("routing took too long", certain=False)  # 100,000 tools, on a slow machine
@pytest.mark.parametrize("case", ODD)
def test_b10_b11_b12_b14_odd_bodies_break_nothing(bare_gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """Odd numbers, text, keys and lists reach the provider; outside the tool list nothing has changed."""
    assert bare_gateway.post(ODD[case]).status_code == 200
    assert upstream.last.body.partition(b',"tools":')[0] == ODD[case].partition(b',"tools":')[0]


@pytest.mark.parametrize("case", ["5,000 digits", "1e999", "200,000 keys", "a schema of 5 MB"])
def test_b10_b12_what_is_odd_does_not_keep_a_list_long(
    bare_gateway: GatewayProcess, upstream: Upstream, case: str
) -> None:
    """What can be read is trimmed, whatever stands beside the list or in one schema."""
    bare_gateway.post(ODD[case])
    assert upstream.last.body.count(b'"type": "function"') <= 12


@pytest.mark.parametrize("key", ["tools", "messages", "tool_choice", "functions", "function_call"])
@pytest.mark.parametrize("spelled", ["{0}", "\\u00{1:02x}{2}"], ids=["plain", "escaped"])
def test_b09_a_key_that_decides_is_there_once(
    bare_gateway: GatewayProcess, upstream: Upstream, key: str, spelled: str
) -> None:
    """What decides about tools, twice in one body, is a 400, however it is spelled; the provider hears nothing."""
    again = spelled.format(key, ord(key[0]), key[1:])
    answer = bare_gateway.post(f'{{"messages":[],"{key}":null,"{again}":[]}}'.encode())
    assert (answer.status_code, key in answer.json()["error"]["message"]) == (400, True)
    assert upstream.requests == []


OVERSIZED = {
    "announced": sockets.request(b"{", length=CAP + 1),
    "announced beyond all bounds": sockets.request(b"{", length=10**15),
    "in chunks": sockets.request(
        b"10000\r\n" + b"a" * 65_536 + b"\r\n" + b"ffffffff\r\n" + b"a" * (CAP + 1),
        headers=[("transfer-encoding", "chunked")],
    ),
}


@pytest.fixture
def small_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server that accepts a million bytes."""
    return shared_gateway(SERVER__MAX_BODY_BYTES=str(CAP), SERVER__BODY_IDLE_S="1")


@pytest.mark.parametrize("case", OVERSIZED)
def test_b07_a_body_beyond_the_cap_is_a_413(small_gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """It is refused as soon as it is known to be too large, before its end has come."""
    with RawClient(small_gateway.port) as client:
        client.send(OVERSIZED[case])
        status, _, text = client.answer()
    assert (status, json.loads(text)["error"]["code"]) == (413, "request_too_large")
    assert upstream.requests == []


def test_b07_the_cap_counts_what_is_unpacked(small_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A body of exactly the cap passes, packed or not; one byte more does not."""
    whole = body() + b" " * (CAP - len(body()))
    posted = [whole, gzip.compress(whole), whole + b" ", gzip.compress(whole + b" ")]
    codings = ["identity", "gzip"] * 2
    answers = [small_gateway.post(b, content_encoding=coding) for b, coding in zip(posted, codings, strict=True)]
    assert [answer.status_code for answer in answers] == [200, 200, 413, 413]


def test_b14_a_form_is_passed_on(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A chat request in a wrong form is the provider's to refuse."""
    files = {"file": ("a.bin", b"\0\1")}
    answer = httpx.post(bare_gateway.base_url + "/chat/completions", files=files, trust_env=False, timeout=30.0)
    assert answer.status_code == 200
    assert b'filename="a.bin"' in upstream.last.body


def test_b20_numbers_without_measure_pass(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What a billion answers cost is between caller and provider; the gateway sets nothing aside for them."""
    asked = body(b'"n":1000000000,"max_tokens":9007199254740993,"logprobs":true,"x_unknown":{"a":[]}')
    assert bare_gateway.post(asked).status_code == 200
    assert upstream.last.body.startswith(asked.partition(b',"tools":')[0])
