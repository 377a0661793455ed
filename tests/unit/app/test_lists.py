"""app/lists.py: clients' tool lists, read once."""

import json
from dataclasses import replace

import pytest

from app.lists import Lists
from app.wire import chat
from tests.support import tools

LONG = [tools.function(f"tool_{i}", description="Something that it does. " * 5) for i in range(60)]


def body(listed: list[dict[str, object]], said: str = "hi") -> bytes:
    """Write a request."""
    return json.dumps({"messages": [tools.user(said)], "tools": listed}).encode()


def test_a_list_that_was_read_is_found_again() -> None:
    """Another question with the same list gets the very same catalogue."""
    lists = Lists(2**24)
    own = lists.read(lists.parse(body(LONG)))
    assert lists.known(lists.parse(body(LONG, "something else"))) is own


def test_a_long_list_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recognised by its bytes: nothing of it goes through the JSON decoder."""
    lists = Lists(2**24)
    lists.read(lists.parse(body(LONG)))
    monkeypatch.setattr(chat, "parse", None)
    assert lists.parse(body(LONG, "something else")).conversation.turns[0].text == "something else"


def test_a_list_that_was_parsed_as_a_known_one_is_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing lets other threads have the interpreter, in the midst of what is decided at once."""
    lists = Lists(2**24)
    own = lists.read(lists.parse(body(LONG)))
    monkeypatch.setattr("app.lists._key", None)
    assert lists.known(lists.parse(body(LONG, "something else"))) is own


def test_the_same_bytes_under_another_key_are_another_list() -> None:
    """A list of functions is no list of tools."""
    lists = Lists(2**24)
    request = lists.parse(body(LONG))
    lists.read(request)
    assert lists.known(replace(lists.parse(body(LONG)), list_key="functions")) is None


def test_a_list_that_begins_alike_is_another() -> None:
    """Lists are told apart by all of their bytes."""
    lists, other = Lists(2**24), [*LONG[:-1], tools.function("last_one")]
    lists.read(lists.parse(body(LONG)))
    request = lists.parse(body(other))
    assert lists.known(request) is None
    assert [tool.name for tool in lists.read(request).tools][-1] == "last_one"
