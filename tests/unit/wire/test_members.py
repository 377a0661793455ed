"""app/wire/members.py: the members of a JSON object and their exact places."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import members

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=6)


def gap(random: Random) -> str:
    """Give white space that JSON allows, or none."""
    return random.choice(["", "", " ", "\n\t", "\r\n  "])


def string(text: str, random: Random) -> str:
    """Write a string with escapes that are not needed."""
    return '"' + "".join(character(c, random) for c in text) + '"'


def character(c: str, random: Random) -> str:
    """Write a character, escaped or not."""
    if c == "/" and random.random() < 0.5:
        return "\\/"
    if c in '"\\' or c < " " or random.random() < 0.3:
        units = c.encode("utf-16-be")
        return "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
    return c


def written(value: Any, random: Random) -> str:
    """Write a value as some serialiser might."""
    if isinstance(value, str):
        return string(value, random)
    if isinstance(value, list):
        inner = ",".join(gap(random) + written(item, random) + gap(random) for item in value)
        return f"[{inner or gap(random)}]"
    if isinstance(value, dict):
        return written_pairs(list(value.items()), random)
    return json.dumps(value)


def written_pairs(pairs: list[tuple[str, Any]], random: Random) -> str:
    """Write an object from pairs, of which keys may be equal."""
    inner = ",".join(
        f"{gap(random)}{string(key, random)}{gap(random)}:{gap(random)}{written(value, random)}{gap(random)}"
        for key, value in pairs
    )
    return "{" + (inner or gap(random)) + "}"


@given(value=OBJECTS, random=st.randoms(use_true_random=False))
def test_read_gives_every_member_where_it_stands(value: dict[str, Any], random: Random) -> None:
    """However an object is written, each value's bytes are those between its start and its end."""
    text = (gap(random) + written(value, random) + gap(random)).encode()
    found = members.read(text)
    assert list(found) == list(value)
    for key, member in found.items():
        assert text[member.start : member.end] == member.raw
        assert json.loads(member.raw) == value[key]


@given(
    value=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5),
    again=VALUES,
    random=st.randoms(use_true_random=False),
    data=st.data(),
)
def test_read_finds_a_key_that_stands_twice(
    value: dict[str, Any], again: Any, random: Random, data: st.DataObject
) -> None:
    """A key that is there twice is named, however it is escaped, wherever it stands, with equal values too."""
    key = data.draw(st.sampled_from(list(value)))
    pairs = list(value.items())
    pairs.insert(data.draw(st.integers(0, len(pairs))), (key, data.draw(st.sampled_from([again, value[key]]))))
    with pytest.raises(members.DuplicateKeys) as caught:
        members.read(written_pairs(pairs, random).encode())
    assert caught.value.keys == {key}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"[]",
        b"null",
        b'"x"',
        b"7",
        b"{",
        b"{}x",
        b"{}{}",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":01}',
        b'{"a"}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"\xff":1}',
        b'{"a":1,"a":"\xff"}',
        b'{"a":' + b"[" * 100_000,
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_read_refuses_what_is_no_object(text: bytes) -> None:
    """Anything but one JSON object in UTF-8 is refused as such."""
    with pytest.raises(members.NotAnObject):
        members.read(text)


@given(st.binary(max_size=40) | st.text(st.sampled_from('{}[]",:\\u0a1 '), max_size=25).map(str.encode))
def test_read_raises_nothing_else(text: bytes) -> None:
    """Whatever the bytes are, they are read or refused."""
    try:
        found = members.read(text)
    except (members.NotAnObject, members.DuplicateKeys):
        return
    assert json.loads(text).keys() == found.keys()


def test_read_keeps_what_a_number_looks_like() -> None:
    """Numbers that a parser would change stay as they are written."""
    found = members.read(b'{"a":12345678901234567890123,"b":1e400,"c":-0.0,"d":1.00}')
    assert [member.raw for member in found.values()] == [b"12345678901234567890123", b"1e400", b"-0.0", b"1.00"]
