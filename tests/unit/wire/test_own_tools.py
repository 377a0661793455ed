"""Requests without the tools that their client sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.wire.own_tools import NotReadable, UnmetChoice, settled, strip

EVIL: dict[str, Any] = {"type": "function", "function": {"name": "evil"}}
SEARCH: dict[str, Any] = {"type": "web_search", "user_location": {"type": "approximate"}}
TALK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "weather"}], "seed": 1.0}


def written(**more: Any) -> bytes:
    """Return a request as JSON."""
    return json.dumps(TALK | more).encode()


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [EVIL]},
        {"tools": [EVIL | {"defer_loading": True}, EVIL]},
        {"functions": [EVIL["function"]]},
        {"tools": [EVIL], "functions": [EVIL["function"]]},
        {"tools": []},
        {"tools": {"evil": 1}},
        {"tools": "evil"},
        {"mcp_servers": [{"url": "https://evil.example"}]},
        {"Tools": [EVIL], "toolſ": [EVIL], "FUNCTIONS": [EVIL]},
        {"tools": [SEARCH | {"type": "mcp"}]},
        {"tools": [{"type": "function", "web_search": {}, "function": {"name": "evil"}}]},
        {"tools": [["web_search"], "web_search", None, 5, {"type": None}]},
    ],
)
def test_strip_leaves_none_of_the_clients_tools(more: dict[str, Any]) -> None:
    """Wherever they are; everything else stays."""
    assert json.loads(strip(written(**more), {"web_search", "function"}).body) == TALK


@pytest.mark.parametrize("text", [b'{ "a" :1 ,\n"tools": [5] , "b":\t2.0e1}', b'{"a" :1 ,"b":\t2.0e1, "tools":[]}'])
def test_strip_keeps_the_bytes_of_the_rest(text: bytes) -> None:
    """Numbers, blanks and the order of keys."""
    bare = strip(text, ()).body
    assert json.loads(bare) == {"a": 1, "b": 20.0}
    assert b'"a" :1' in bare
    assert b'"b":\t2.0e1' in bare


def test_strip_of_a_request_without_tools_is_that_request() -> None:
    """The very bytes, also where a key of no concern is in it twice."""
    for body in (written(), b'{"x":1,"x":2,"messages":[]}', b"{}"):
        assert strip(body, ()).body is body


def test_strip_keeps_provider_tools_that_are_listed() -> None:
    """Byte for byte; not one that says its type twice."""
    body = b'{"tools":[{"type": "web_search"}, {"type":"web_search","type":"function"}, {"type":"other"}]}'
    bare = strip(body, ["web_search"])
    assert (bare.body, bare.typed, bare.removed) == (b'{"tools":[{"type": "web_search"}]}', ("web_search",), 2)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"tools":[],"x":1,"x":2}', b'{"tools":[1],"tools":[2]}', b"\xef\xbb\xbf{}"]
)
def test_strip_refuses_what_it_cannot_read(body: bytes) -> None:
    """Another parser might find tools in it."""
    with pytest.raises(NotReadable):
        strip(body, ())


@pytest.mark.parametrize(
    "choice", ["none", "auto", {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}]
)
def test_settled_without_tools_has_no_choice(choice: object) -> None:
    """Providers refuse a choice where there is nothing to choose from."""
    bare = strip(written(tools=[EVIL], tool_choice=choice, parallel_tool_calls=True), ())
    assert json.loads(settled(bare, bare.body, ())) == TALK


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        "any",
        EVIL,
        {"type": "web_search"},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [EVIL]}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}},
        {"type": "allowed_tools", "mode": "required", "tools": []},
        {"name": "evil"},
    ],
)
def test_settled_refuses_a_choice_that_cannot_be_met(choice: object) -> None:
    """A tool that was taken out, or any where there is none."""
    bare = strip(written(tools=[EVIL], tool_choice=choice), ())
    with pytest.raises(UnmetChoice):
        settled(bare, bare.body, ())


def test_settled_gives_a_legacy_request_functions() -> None:
    """Its client reads calls of functions, not of tools."""
    bare = strip(written(functions=[{"name": "evil"}], function_call="auto"), ())
    spliced = written(tools=[{"type": "function", "function": {"name": "good"}}, {"type": "custom", "custom": {}}])
    assert json.loads(settled(bare, spliced, {"good"})) == TALK | {
        "functions": [{"name": "good"}],
        "function_call": "auto",
    }
