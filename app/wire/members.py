"""A JSON object as its members' raw bytes, with their places in the text.

msgspec gives each value's bytes but not where they stand; one walk over the top level finds that. The walk also
uncovers duplicate keys, of which a parser would silently keep the last.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

import msgspec

_GAP = re.compile(rb"[ \t\n\r]*")
_KEY = re.compile(rb'[ \t\n\r]*"[^"\\]*(?:\\.[^"\\]*)*"[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_AFTER = re.compile(rb"[ \t\n\r]*([,}])")
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|\\.",
    re.DOTALL,
)
_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)
_MOST_PAIRED = 2**20  # bytes: each escape in them costs time


class NotAnObject(ValueError):
    """The text is not a JSON object in UTF-8 without a byte order mark."""


class DuplicateKeys(ValueError):
    """Keys stand more than once at the top level."""

    def __init__(self, keys: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(keys)))
        self.keys = keys


class Member(NamedTuple):
    """One value: its bytes are `text[start:end]`."""

    raw: bytes
    start: int
    end: int


def read(text: bytes, unchecked: Collection[str] = ()) -> dict[str, Member]:
    """Give the members of a JSON object in their order.

    Whoever reads the values of `unchecked` finds out whether they are UTF-8.

    Raises:
        NotAnObject: The text is something else, or no JSON at all.
        DuplicateKeys: A key stands there twice.
    """
    try:
        whole, values = _decoded(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnObject(str(error)) from error
    gap = _GAP.match(whole)
    position, after = gap.end() + 1 if gap else 1, b","
    members: dict[str, Member] = {}
    for key, value in values.items():
        found, raw = _KEY.match(whole, position), bytes(value)
        start = found.end() if found and after == b"," else len(whole)
        end = start + len(raw)
        ends = _AFTER.match(whole, end) if whole.startswith(raw, start) else None
        if ends is None:
            raise DuplicateKeys(_duplicates(whole))
        members[key] = Member(raw if whole is text else text[start:end], start, end)
        position, after = ends.end(), ends[1]
    if members and after != b"}":
        raise DuplicateKeys(_duplicates(whole))
    for key, member in members.items():
        if key not in unchecked:
            check(member.raw)
    return members


def read_last(text: bytes) -> dict[str, Member]:
    """Give the members of a JSON object in which keys stand more than once, of each the last, as parsers do.

    Raises:
        NotAnObject: The text is nested too deeply, or not UTF-8.
    """
    check(text)
    found: dict[str, Member] = {}
    whole = text.decode("latin-1")  # a character a byte: places are the same
    gap = _GAP.match(text)
    position = gap.end() + 1 if gap else 1
    while key := _KEY.match(text, position):
        try:
            _, end = _SCANNER.raw_decode(whole, key.end())
        except (RecursionError, ValueError) as error:
            raise NotAnObject(str(error)) from error
        name: str = json.loads(key[0].rstrip(b" \t\n\r:"))
        found[name] = Member(text[key.end() : end], key.end(), end)
        ends = _AFTER.match(text, end)
        position = ends.end() if ends else len(text)
    return found


def paired(text: bytes) -> bytes:
    """Return JSON with U+FFFD for each half of a surrogate pair, everything else at its place; as it is without any.

    JSON allows halves, and clients that cut a text in the midst of an emoji send them; the decoder refuses them. A text
    beyond a mebibyte is left alone: looking at each of its escapes would take too long.
    """
    if len(text) > _MOST_PAIRED or not _HALF.search(text):
        return text
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[2] else found[0], text)


def after(text: bytes, member: Member) -> int:
    """Return where a member has ended, the comma or brace behind it included."""
    found = _AFTER.match(text, member.end)
    return found.end() if found else len(text)


def without(text: bytes, key: str) -> bytes:
    """Return an object without one of its members, byte for byte otherwise; as it is where it has none of that name.

    Raises:
        NotAnObject: The text is something else, or no JSON at all.
        DuplicateKeys: A key stands there twice.
    """
    found = read(text)
    if key not in found:
        return text
    position = begin = text.index(b"{") + 1
    kept = []
    for name, member in found.items():
        if name != key:
            kept.append(text[position : member.end].lstrip(b" \t\n\r").removeprefix(b","))
        position = member.end
    return text[:begin] + b",".join(kept) + text[position:]


def check(raw: bytes) -> None:
    """Make sure that a value is UTF-8: the decoder does not look into what it leaves raw.

    Raises:
        NotAnObject: It is not.
    """
    try:
        if not raw.isascii():
            raw.decode()
    except UnicodeDecodeError as error:
        raise NotAnObject(str(error)) from error


def _decoded(text: bytes) -> tuple[bytes, dict[str, msgspec.Raw]]:
    """Return the values, and the text that they are of: the one given, or `paired`."""
    try:
        return text, _DECODER.decode(text)
    except msgspec.MsgspecError:
        whole = paired(text)
        if whole is text:
            raise
        return whole, _DECODER.decode(whole)


def _duplicates(text: bytes) -> frozenset[str]:
    """Give the keys that stand there twice.

    Raises:
        NotAnObject: The text is nested too deeply, or not UTF-8.
    """
    try:
        pairs: list[tuple[str, object]] = json.loads(
            text, object_pairs_hook=lambda found: found, parse_int=str, parse_float=str
        )
    except (RecursionError, UnicodeDecodeError) as error:
        raise NotAnObject(str(error)) from error
    return frozenset(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
