"""Content codings of request bodies: packed bytes -> plain bytes, never more of them than allowed.

Law: memory is bounded by the limit, whatever a body claims or hides; it is unpacked piece by piece. No I/O.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Sequence

import brotli
import zstandard

# What one step may give. A few bytes of brotli or zstd can stand for as many megabytes as one lets them.
_STEP = 1 << 18
_SLICE = 1 << 16
# RFC 9659: the largest window of zstd as a content coding.
_ZSTD_WINDOW = 8 * 2**20
# More than one is rare, more than three an attack.
_MAX_CODINGS = 3


class Unpackable(ValueError):
    """The body cannot be unpacked: an unknown coding, or not what it says it is."""


class TooLarge(ValueError):
    """Unpacked, the body is larger than the limit."""


def codings(headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """Give the content codings in the order they were applied, without `identity`."""
    values = b",".join(value for name, value in headers if name == b"content-encoding")
    named = (coding.strip().lower() for coding in values.decode("latin-1").split(","))
    return tuple(coding for coding in named if coding not in ("", "identity"))


def unpack(body: bytes, applied: Sequence[str], limit: int, held: Callable[[int], None] | None = None) -> bytes:
    """Undo `applied`, the last one first. `held` is told of each piece as it is kept, and may raise.

    Raises:
        Unpackable: A coding is unknown, or the body is broken or cut off.
        TooLarge: Unpacked, it has more than `limit` bytes, at any stage.
    """
    if len(applied) > _MAX_CODINGS or any(coding not in _WAYS for coding in applied):
        raise Unpackable(f"unknown content coding: {', '.join(applied)[:100]}")
    for coding in reversed(applied):
        body = _gathered(_WAYS[coding](body), limit, held)
    return body


def _gathered(pieces: Iterator[bytes], limit: int, held: Callable[[int], None] | None) -> bytes:
    found = io.BytesIO()  # grows piece by piece: joining them would hold the interpreter for all of it
    try:
        for piece in pieces:
            if found.tell() + len(piece) > limit:
                raise TooLarge(f"more than {limit} bytes")
            if held is not None:
                held(len(piece))
            found.write(piece)
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
        raise Unpackable(f"the body is not what its content coding says: {error}") from error
    return found.getvalue()


def _inflate(body: bytes, wbits: int) -> Iterator[bytes]:
    """Give the plain bytes of one zlib stream after another (gzip allows several)."""
    while body:
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            piece = stream.decompress(body, _STEP)
            body = stream.unconsumed_tail
            yield piece
            if not piece and not body and not stream.eof:
                raise EOFError("it is cut off")
        body = stream.unused_data


def _gzip(body: bytes) -> Iterator[bytes]:
    return _inflate(body, zlib.MAX_WBITS | 16)


def _deflate(body: bytes) -> Iterator[bytes]:
    """With zlib's header, as the RFC says, or without, as some clients do."""
    wrapped = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def _brotli(body: bytes) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    rest = [body[start : start + _SLICE] for start in range(0, len(body), _SLICE)]
    for piece in rest:
        yield stream.process(piece, output_buffer_limit=_STEP)
        while not stream.can_accept_more_data() and not stream.is_finished():
            yield stream.process(b"", output_buffer_limit=_STEP)
    if not stream.is_finished():
        raise EOFError("it is cut off")


def _zstd(body: bytes) -> Iterator[bytes]:
    stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with stream.stream_reader(body, read_across_frames=True) as reader:
        while piece := reader.read(_STEP):
            yield piece


_WAYS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
