"""Compressed requests: unpacked to be routed, within bounds."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import brotli
import psutil
import pytest
import zstandard

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, zstd": lambda body: zstandard.ZstdCompressor().compress(gzip.compress(body)),
    "identity, br": brotli.compress,
}
FORTY = tools.encoded(tools.chat("list exams", tools=tools.distinct(40), temperature=0.10))
BOMB = 80_000_000
MIB = 2**20


def bomb(pack: Callable[[bytes], bytes]) -> bytes:
    """Give a body of few bytes that becomes 80 MB."""
    return pack(b'{"messages":[{"role":"user","content":"' + b" " * BOMB + b'"}]}')


@pytest.mark.parametrize("coding", PACK)
def test_c29_a_compressed_body_is_unpacked_and_trimmed(
    bare_gateway: GatewayProcess, upstream: Upstream, coding: str
) -> None:
    """What goes out is what would for the same body unpacked: plain, with its own length, without its coding."""
    bare_gateway.post(FORTY)
    bare_gateway.post(PACK[coding](FORTY), content_encoding=coding)
    plain, unpacked = upstream.requests
    assert len(unpacked.tool_names) == 12
    assert unpacked.body == plain.body
    assert unpacked.values("content-encoding") == []
    assert unpacked.values("content-length") == [str(len(plain.body))]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_c29_a_compressed_body_without_anything_to_trim_goes_out_as_it_came(
    bare_gateway: GatewayProcess, upstream: Upstream, coding: str
) -> None:
    """Where nothing is changed, nothing is: the same bytes in the same coding."""
    packed = PACK[coding](tools.encoded(tools.chat("hello")))
    assert bare_gateway.post(packed, content_encoding=coding).status_code == 200
    assert upstream.last.body == packed
    assert upstream.last.values("content-encoding") == [coding]


def test_c29_deflate_without_a_header_is_read_too(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Some clients send deflate's bytes without zlib's frame."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bare_gateway.post(stream.compress(FORTY) + stream.flush(), content_encoding="deflate")
    assert len(upstream.last.tool_names) == 12


def test_c29_registered_tools_join_a_compressed_body(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The catalogue's tools are added as to any other request."""
    packed = gzip.compress(tools.encoded(tools.chat("list exams")))
    stocked_gateway.post(packed, content_encoding="gzip")
    assert "list_exam" in upstream.last.tool_names


def test_c29_a_key_about_tools_that_stands_twice_is_refused(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Compression hides nothing that decides about tools."""
    packed = gzip.compress(b'{"tools":[],"messages":[],"tools":[]}')
    assert bare_gateway.post(packed, content_encoding="gzip").status_code == 400
    assert upstream.requests == []


UNREADABLE = {
    "an unknown coding": ("aws-chunked", FORTY),
    "a known one under an unknown one": ("gzip, x-secret", FORTY),
    "four codings": ("gzip, gzip, gzip, gzip", FORTY),
    "not what it says": ("gzip", FORTY),
    "cut off, gzip": ("gzip", gzip.compress(FORTY)[:-9]),
    "cut off, br": ("br", brotli.compress(FORTY)[:-9]),
    "cut off, zstd": ("zstd", zstandard.ZstdCompressor().compress(FORTY)[:-9]),
    "followed by something": ("gzip", gzip.compress(FORTY) + b"junk"),
    "a window of 1 GB": ("zstd", bytes.fromhex("28b52ffd00a0") + bytes(64)),
    "empty": ("br", b""),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_c30_what_cannot_be_unpacked_passes_as_it_came(
    bare_gateway: GatewayProcess, upstream: Upstream, case: str
) -> None:
    """The provider may know better: same bytes, same coding."""
    coding, body = UNREADABLE[case]
    assert bare_gateway.post(body, content_encoding=coding).status_code == 200
    assert upstream.last.body == body
    assert upstream.last.values("content-encoding") == [coding]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, zstd"])
def test_b13_c30_a_bomb_is_a_413_and_costs_no_memory(
    bare_gateway: GatewayProcess, upstream: Upstream, coding: str
) -> None:
    """A few hundred kilobytes that would become 80 MB are refused in OpenAI's form, after 64 MiB at most."""
    packed = bomb(PACK[coding])
    server = psutil.Process(bare_gateway.pid)
    before = server.memory_info().rss
    answer = bare_gateway.post(packed, content_encoding=coding)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert server.memory_info().rss - before < 100 * MIB
    assert upstream.requests == []


def test_c30_ten_gigabytes_in_a_third_of_a_megabyte_are_a_413(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A zstd frame of 81,920 blocks that each say "128 KiB of the same byte" is given up after 64 MiB."""
    blocks = 10 * 2**30 // 2**17
    block = (2**17 << 3 | 1 << 1).to_bytes(3, "little") + b" "
    packed = bytes.fromhex("28b52ffd0058") + block * (blocks - 1) + (2**17 << 3 | 3).to_bytes(3, "little") + b" "
    server = psutil.Process(bare_gateway.pid)
    before = server.memory_info().rss
    answer = bare_gateway.post(packed, content_encoding="zstd")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert server.memory_info().rss - before < 100 * MIB
    assert upstream.requests == []


def test_c30_a_bomb_passes_where_routing_is_off(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Nobody unpacks what nobody reads."""
    packed = gzip.compress(json.dumps({"messages": []}).encode() + b" " * BOMB)
    assert bare_gateway.post(packed, content_encoding="gzip", x_toolfunnel_tools="off").status_code == 200
    assert upstream.last.body == packed
