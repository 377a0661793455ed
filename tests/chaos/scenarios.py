"""What can go wrong on the provider's side, one function a scenario; its options are named in its docstring."""

from __future__ import annotations

import json
import random
import zlib
from email.utils import formatdate
from functools import cache
from itertools import pairwise

from tests.chaos.server import Line, Play

JSON = ("content-type", "application/json")
HTML = ("content-type", "text/html; charset=utf-8")
DONE = b"data: [DONE]\n\n"
COMPLETION = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "chaos",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()

# Event streams that no parser would like; a relay does not care.
BAD_SSE = {
    "no_blank_line": b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n',
    "crlf": b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n',
    "cr": b'data: {"a": 1}\r\rdata: [DONE]\r\r',
    "mixed_ends": b'data: {"a": 1}\r\n\ndata: 2\n\r\ndata: 3\r\r\n\n',
    "bom": b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: [DONE]\n\n",
    "no_space": b'data:{"a": 1}\n\ndata:[DONE]\n\n',
    "many_lines": b'data: {"a":\ndata:  1}\n\nevent: x\nid: 1\nretry: 5\ndata\n\n',
    "no_json": b"data: hello\n\ndata: <html>\n\n",
    "half_utf8": b'data: {"a": "\xe4\xbd\n\ndata: \xa0"}\n\ndata: \xff\xfe\n\n',
    "nul": b"data: \x00\x00\n\n\x00\n\n",
    "after_done": b"data: [DONE]\n\ndata: 1\n\ndata: [DONE]\n\n",
    "looks_chunked": b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n",
}
_RETRY_AFTER = {
    "s": [("retry-after", "7")],
    "date": [("retry-after", formatdate(0, usegmt=True))],
    "ms": [("retry-after-ms", "7000")],
    "missing": [],
    "negative": [("retry-after", "-1")],
    "huge": [("retry-after", "1000000000")],
    "words": [("retry-after", "soon")],
}
_MANY = [(f"x-{number}", "v" * 50) for number in range(900)]
_HEADERS: dict[str, list[tuple[str, str]]] = {
    "long": [("x-long", "v" * 20_000_000)],
    "long_name": [("x" * 1_000_000, "v")],
    "many": [(f"x-{number}", "v") for number in range(10_000)],
    "sum": [(f"x-{number}", "v" * 200_000) for number in range(20)],
    "most": _MANY,
    "cr": [("x-a", "1\rx-b: 2")],
    "lf": [("x-a", "1\nx-b: 2")],
    "nul": [("x-a", "1\x002")],
    "fold": [("x-a", "1\r\n 2")],
    "no_colon": [("x-a\r\nx-b", "2")],
    "bad_name": [("x a", "1")],
    "two_lengths": [("content-length", "5")],
    "length_and_chunked": [("transfer-encoding", "chunked")],
    "hop": [("connection", "keep-alive, x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=1"), ("trailer", "x")],
    "cookie": [("set-cookie", "a=1"), ("set-cookie", "b=2")],
}


def event(number: int) -> bytes:
    """Write the event of this number of every well-formed stream."""
    choices = [{"index": 0, "delta": {"content": f"<{number}>"}, "finish_reason": None}]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "chaos", "choices": choices}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@cache
def pressed(coding: str, mib: int) -> bytes:
    """Give the body of `bomb`. It takes seconds to make: once."""
    press = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    return b"".join(press.compress(bytes(2**20)) for _ in range(mib)) + press.flush()


def scrambled(seed: int) -> list[bytes]:
    """Give the chunks of `split_everywhere`: an event stream, broken in places and cut anywhere."""
    chance = random.Random(seed)
    kinds = sorted(BAD_SSE)
    parts = [event(n) if chance.random() < 0.5 else BAD_SSE[chance.choice(kinds)] for n in range(chance.randint(1, 8))]
    parts.append(chance.randbytes(chance.randint(0, 40)))
    whole = b"".join(parts)
    cuts = sorted({0, len(whole), *(chance.randrange(len(whole)) for _ in range(chance.randint(0, 30)))})
    return [whole[start:end] for start, end in pairwise(cuts)]


async def ok(line: Line) -> None:
    """A short completion; of: the events of its stream."""
    if not line.record.stream:
        return await line.whole(200, COMPLETION, JSON)
    await line.open_stream()
    for number in range(line.option("of", 3)):
        await line.chunk(event(number))
    await line.chunk(DONE)
    return await line.end_stream()


async def rst_before_headers(line: Line) -> None:
    """A reset instead of an answer."""
    line.reset()


async def fin_before_headers(line: Line) -> None:
    """The connection ends instead of an answer."""
    line.cut()


async def rst_mid_body(line: Line) -> None:
    """A reset after n of the body's bytes."""
    await _part(line)
    line.reset()


async def fin_mid_body(line: Line) -> None:
    """The connection ends after n of the body's bytes."""
    await _part(line)
    line.cut()


async def _part(line: Line) -> None:
    await line.head(200, JSON, ("content-length", str(len(COMPLETION))))
    await line.send(COMPLETION[: line.option("n", 10)])
    await line.silence(0.01)


async def rst_mid_stream(line: Line) -> None:
    """A reset after n events."""
    await _events(line)
    line.reset()


async def fin_no_terminator(line: Line) -> None:
    """The connection ends after n events, without the chunk that ends a body."""
    await _events(line)
    line.cut()


async def stall_after(line: Line) -> None:
    """Silence after n events, the connection open."""
    await _events(line)
    await line.silence()


async def _events(line: Line) -> None:
    await line.open_stream()
    for number in range(line.option("n", 3)):
        await line.chunk(event(number))
    await line.silence(0.01)


async def hang(line: Line) -> None:
    """Silence from the beginning."""
    await line.silence()


async def slow_headers(line: Line) -> None:
    """An answer whose head comes byte by byte, one each ms."""
    for byte in b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}":
        await line.send(bytes([byte]))
        await line.silence(line.option("ms", 1000) / 1e3)


async def pings(line: Line) -> None:
    """A stream of n comments, one each ms, before its event."""
    await line.open_stream()
    for _ in range(line.option("n", 10)):
        await line.chunk(b": ping\n\n")
        await line.silence(line.option("ms", 100) / 1e3)
    await line.chunk(event(0) + DONE)
    await line.end_stream()


async def too_many(line: Line) -> None:
    """429, with retry-after in one form: s, date, ms, missing, negative, huge, words."""
    headers = _RETRY_AFTER[line.record.options.get("form", "s")]
    await line.whole(429, b'{"error": {"message": "slow down"}}', JSON, *headers)


async def fails(line: Line) -> None:
    """Status (503) with probability p percent, else ok."""
    if random.random() * 100 < line.option("p", 100):
        return await line.whole(line.option("status", 503), b'{"error": {"message": "later"}}', JSON)
    return await ok(line)


async def sse_bad(line: Line) -> None:
    """A malformed event stream of one kind, byte by byte."""
    await line.open_stream()
    for byte in BAD_SSE[line.record.options["kind"]]:
        await line.chunk(bytes([byte]))
    await line.end_stream()


async def split_everywhere(line: Line) -> None:
    """A stream in pieces that follow from seed."""
    await line.open_stream()
    for piece in scrambled(line.option("seed", 0)):
        await line.chunk(piece)
    await line.end_stream()


async def huge_chunk(line: Line) -> None:
    """One event of mib MiB, in one chunk."""
    size = line.option("mib", 64)
    await line.open_stream()
    await line.send(b"%x\r\n" % (size * 2**20 + 8))
    await line.send(b"data: ")
    for _ in range(size):
        await line.send(b"x" * 2**20)
    await line.send(b"\n\n\r\n")
    await line.end_stream()


async def bomb(line: Line) -> None:
    """Zeros, mib MiB of them, compressed: coding gzip or deflate."""
    coding = line.record.options.get("coding", "gzip")
    await line.whole(200, pressed(coding, line.option("mib", 512)), JSON, ("content-encoding", coding))


async def status(line: Line) -> None:
    """Status code, with a location."""
    code = line.option("code", 302)
    place = ("location", line.record.options.get("location", "http://192.0.2.1/v1/elsewhere"))
    if code in (204, 304):
        return await line.head(code, place)
    return await line.whole(code, b"{}", JSON, place)


async def upgrade(line: Line) -> None:
    """101: the protocol changes."""
    await line.head(101, ("connection", "upgrade"), ("upgrade", "websocket"))
    await line.silence()


async def interim(line: Line) -> None:
    """n informational answers before the real one."""
    for _ in range(line.option("n", 2)):
        await line.head(103, ("link", "x"))
        await line.head(100)
    await ok(line)


async def headers(line: Line) -> None:
    """Headers of one kind: long, long_name, many, sum, most, cr, lf, nul, fold, two_lengths, hop, cookie and others."""
    await line.whole(200, b"{}", JSON, *_HEADERS[line.record.options["kind"]])


async def html(line: Line) -> None:
    """An error page: status, type and body of a front server."""
    await line.whole(line.option("status", 502), b"<html><h1>Bad Gateway</h1></html>", HTML)


async def empty(line: Line) -> None:
    """200 without a body."""
    await line.whole(200, b"", JSON)


async def echo_headers(line: Line) -> None:
    """Status (401), with the headers that came in its body, which is cut at n, and the credential in a header."""
    told = json.dumps({"error": {"message": "refused", "headers": line.record.headers}}).encode()
    shown = ("x-echo", " ".join(line.record.values("authorization")))
    await line.head(line.option("status", 401), JSON, shown, ("content-length", str(len(told))))
    cut = min(line.option("n", 1), len(told) - 1)
    await line.send(told[:cut])
    await line.silence(0.02)
    await line.send(told[cut:])


async def late(line: Line) -> None:
    """An answer after ms."""
    await line.silence(line.option("ms", 100) / 1e3)
    await ok(line)


_PLAYS: tuple[Play, ...] = (
    ok,
    rst_before_headers,
    fin_before_headers,
    rst_mid_body,
    fin_mid_body,
    rst_mid_stream,
    fin_no_terminator,
    stall_after,
    hang,
    slow_headers,
    pings,
    sse_bad,
    split_everywhere,
    huge_chunk,
    bomb,
    status,
    upgrade,
    interim,
    headers,
    html,
    empty,
    echo_headers,
    late,
)
SCENARIOS: dict[str, Play] = {play.__name__: play for play in _PLAYS} | {"429": too_many, "5xx": fails}
