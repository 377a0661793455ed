"""A JSON object as its members' raw bytes, with their places in the text.

msgspec gives each value's bytes but not where they stand; one walk over the top level finds that. The walk also
uncovers duplicate keys, of which a parser would silently keep the last.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass

import msgspec

_GAP = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NotAnObject(ValueError):
    """The text is not a JSON object in UTF-8 without a byte order mark."""


class DuplicateKeys(ValueError):
    """Keys stand more than once at the top level."""

    def __init__(self, keys: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(keys)))
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Member:
    """One value: its bytes are `text[start:end]`."""

    raw: bytes
    start: int
    end: int


def read(text: bytes) -> dict[str, Member]:
    """Give the members of a JSON object in their order.

    Raises:
        NotAnObject: The text is something else, or no JSON at all.
        DuplicateKeys: A key stands there twice.
    """
    try:
        if not text.isascii():
            text.decode()  # the decoder does not look into what it leaves raw
        values = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnObject(str(error)) from error
    members: dict[str, Member] = {}
    position = _skip(text, 0) + 1
    for key, value in values.items():
        position = _value_start(text, position)
        raw = bytes(value)
        if position < 0 or not text.startswith(raw, position):
            raise DuplicateKeys(_duplicates(text))
        members[key] = Member(raw, position, position + len(raw))
        position = _skip(text, position + len(raw))
        if text[position : position + 1] not in (b",", b"}"):
            raise DuplicateKeys(_duplicates(text))
        position += 1
    if values and text[position - 1 : position] != b"}":
        raise DuplicateKeys(_duplicates(text))
    return members


def _skip(text: bytes, position: int) -> int:
    match = _GAP.match(text, position)
    return match.end() if match else position


def _value_start(text: bytes, position: int) -> int:
    """Give the place of the value whose key starts at or after `position`, or -1 where there is no key."""
    match = _STRING.match(text, _skip(text, position))
    if match is None:
        return -1
    return _skip(text, _skip(text, match.end()) + 1)


def _duplicates(text: bytes) -> frozenset[str]:
    """Give the keys that stand there twice.

    Raises:
        NotAnObject: The text is nested too deeply.
    """
    try:
        pairs: list[tuple[str, object]] = json.loads(text, object_pairs_hook=lambda found: found)
    except RecursionError as error:
        raise NotAnObject(str(error)) from error
    return frozenset(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
