"""OpenAI Chat Completions: parse(bytes) -> ChatRequest, splice(request, tools) -> bytes.

Laws. What cannot be read is not touched: `parse` raises `Unreadable` and the caller forwards the client's bytes.
`splice` replaces the tool list and nothing else; it never makes a list empty. A legacy `functions` list stays one.
A `cache_control` marker whose tool goes moves to the last tools that stay: never dropped, never made.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from app.wire import members, messages, tool_object, turns
from app.wire.views import Piece
from router.deadline import Check, checked, never
from router.types import Conversation, Kind, Tool

# Keys that the gateway acts on: were one there twice, the checked document would not be the forwarded one.
_READ_KEYS = frozenset({"messages", "tools", "tool_choice", "functions", "function_call"})


# A request that says one of these and has no tools is refused by providers.
_NEED_TOOLS = ("tool_choice", "function_call", "parallel_tool_calls")


# What gives the form of an answer beside `response_format`: vLLM's and llama.cpp's fields, OpenAI's predicted outputs.
_FORMS = (
    *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"),
    *("grammar", "json_schema", "prediction"),
)
_WORDS = ("auto", "none", "required", "any")  # of a tool choice that is written as an object of a type


# Reading holds up whoever else is served, by a microsecond or less an element. Past this it is not worth it.
MAX_ELEMENTS = 250_000


class Unreadable(ValueError):
    """The body is not one to route; it goes out as it came."""


class TooLong(Unreadable):
    """The body has more elements than may be read here; in a thread more may."""


class AmbiguousBody(ValueError):
    """A key that decides about tools stands there twice."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request as far as routing reads it, and its untouched bytes.

    `list_key` says where the client's tools are (or would be): `tools` or `functions`. `tools` is that list's raw
    bytes, None where there is none. `routable` is False where the tool list must stay as it is, `left` says why.
    `demanding`: a request that must have tools, since it asks for a call or speaks about tools that it leaves to the
    catalogue. `forces`: its tool choice says which tools may be called, by name (`forced`) or by type. `structured`:
    the form of its answer is given, which a call would not have.
    """

    body: bytes
    conversation: Conversation
    list_key: str
    tools: bytes | None
    span: tuple[int, int] | None
    forced: tuple[str, ...]
    routable: bool
    demanding: bool
    forces: bool = False
    structured: bool = False
    left: str = ""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The forms of tools that the list can hold."""
        legacy = self.list_key == "functions"
        return frozenset({Kind.FUNCTION}) if legacy else frozenset({Kind.FUNCTION, Kind.CUSTOM})


class _Form(msgspec.Struct):
    type: str


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_LISTS = frozenset({"tools", "functions"})
_EMPTY = re.compile(rb"\[[ \t\n\r]*\]")
_KEY = re.compile(rb'"tools"[ \t\n\r]*:[ \t\n\r]*(?=\[)')
_STAND_IN = b"[0]"
_BEGINNING = 512
_TEXT_AN_ELEMENT = 8  # characters of messages that take as long as an element
_LONG = 4_096  # bytes: a shorter list is read faster than looked for


def parse(
    body: bytes, most: int = MAX_ELEMENTS, check: Check = never, memory: turns.Memory | None = None
) -> ChatRequest:
    """Read a request body of no more than `most` elements; `check` is called for each message.

    `memory` is of what was found in the messages of earlier requests.

    Raises:
        TooLong: It has more elements.
        Unreadable: It is not a Chat Completions request as far as routing is concerned.
        AmbiguousBody: Duplicate keys hide what the gateway decides by.
        OutOfTime: As `check` does.
    """
    _check_size(body, most)
    return _request(body, _members(body), _Reading(check, memory, _text_of(most)))


def last_pieces(body: bytes) -> tuple[Piece, ...]:
    """Return what was decided about each part of what the user said last, of a body that can be read."""
    found = _members(body)
    return turns.last_pieces(messages.read(members.paired(found["messages"].raw))) if "messages" in found else ()


def beginning(body: bytes) -> bytes:
    """Give what a body's tool list begins with, as far as that can be told without reading it; b"" of a short list."""
    found = _KEY.search(body)
    return body[found.end() : found.end() + _BEGINNING] if found and len(body) - found.end() > _LONG else b""


def parse_known(
    body: bytes, tools: bytes, most: int = MAX_ELEMENTS, check: Check = never, memory: turns.Memory | None = None
) -> ChatRequest | None:
    """Read a body around a tool list that was read before; None where that is not its list, or anything is wrong.

    Raises:
        TooLong: There are more than `most` elements around the list.
        OutOfTime: As `check` does.
    """
    found = _KEY.search(body)
    start = found.end() if found else 0
    if not body.startswith(tools, start):
        return None
    end = start + len(tools)
    _check_size(body, most, (start, end))
    try:
        around = _members(body[:start] + _STAND_IN + body[end:])
        # Only there is it the top level's; anywhere else it is a part of something.
        if around.get("tools") != members.Member(_STAND_IN, start, start + len(_STAND_IN)):
            return None
        reading = _Reading(check, memory, _text_of(most))
        return _request(body, around | {"tools": members.Member(tools, start, end)}, reading)
    except TooLong:
        raise
    except (Unreadable, AmbiguousBody):
        return None


def has_more(body: bytes, most: int, known: tuple[int, int] = (0, 0)) -> bool:
    """Return whether a body has more elements than that beside a span that is known.

    They are counted by the signs before them, those in texts among them.
    """
    start, end = known
    return len(body) - (end - start) > 2 * most and any(  # an element has two bytes at least
        body.count(sign, 0, start) + body.count(sign, end) >= most for sign in (b",", b"[", b"{")
    )


def _check_size(body: bytes, most: int, known: tuple[int, int] = (0, 0)) -> None:
    if has_more(body, most, known):
        raise TooLong(f"there are more than {most} elements in it")


def _members(body: bytes) -> dict[str, members.Member]:
    try:
        return members.read(body, _LISTS)
    except members.DuplicateKeys as error:
        hidden = sorted(error.keys & _READ_KEYS)
        if hidden:
            raise AmbiguousBody(f"the key {hidden[0]!r} stands more than once in the request") from error
    except members.NotAnObject as error:
        raise Unreadable(str(error)) from error
    try:
        return members.read_last(body)
    except members.NotAnObject as error:
        raise Unreadable(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the messages are read: see `turns.conversation`."""

    check: Check
    memory: turns.Memory | None
    most: int


def _text_of(most: int) -> int:
    """Return how many characters of messages may be read where so many elements may."""
    return sys.maxsize if most >= MAX_ELEMENTS else _TEXT_AN_ELEMENT * most


def _request(body: bytes, found: dict[str, members.Member], reading: _Reading) -> ChatRequest:
    tools, functions = _list(found, "tools"), _list(found, "functions")
    key = "functions" if functions is not None and tools is None else "tools"
    _check(found, key)
    choice = _choice(found)
    both = tools is not None and functions is not None
    empty = any(member is not None and _EMPTY.fullmatch(member.raw) for member in (tools, functions))
    left = "two-lists" if both else "empty-list" if empty else "tool-choice" if choice == "none" else ""
    place = found.get(key)
    demanding = choice == "required" or (place is None and any(_stands(found, name) for name in _NEED_TOOLS))
    return ChatRequest(
        body=body,
        conversation=_conversation(found, reading, needy=demanding),
        list_key=key,
        tools=_raw(functions if key == "functions" else tools),
        span=(place.start, place.end) if place else None,
        forced=_forced(choice),
        routable=not left,
        demanding=demanding,
        forces=isinstance(choice, dict) and choice.get("type") not in _WORDS,
        structured=_structured(found),
        left=left,
    )


def _check(found: dict[str, members.Member], key: str) -> None:
    """Make sure that the lists are UTF-8 but the one under `key`: `read_tools` decodes it, once for many requests."""
    try:
        for name in _LISTS - {key}:
            if name in found:
                members.check(found[name].raw)
    except members.NotAnObject as error:
        raise Unreadable(str(error)) from error


def read_tools(request: ChatRequest, check: Check = never) -> tuple[Tool, ...]:
    """Read the client's tool list; `check` is called for each tool. One without a name is kept as it is.

    Raises:
        Unreadable: An entry is not an object, or not UTF-8.
        OutOfTime: As `check` does.
    """
    if request.tools is None:
        return ()
    read = tool_object.read_function if request.list_key == "functions" else tool_object.read
    try:
        return tuple(_tool(bytes(entry), read) for entry in checked(_LIST.decode(request.tools), check))
    except (msgspec.MsgspecError, tool_object.MalformedTool) as error:
        raise Unreadable(f"{request.list_key}: {error}") from error


def _tool(raw: bytes, read: Callable[[bytes], Tool]) -> Tool:
    try:
        return read(raw)
    except tool_object.NamelessTool:
        return tool_object.nameless(raw)


def splice(request: ChatRequest, tools: Sequence[Tool], own: Sequence[Tool]) -> bytes:
    """Give the client's bytes with `tools` as its tool list; `own` is the list that it had."""
    if not tools:
        raise ValueError("a tool list is never made empty")
    text = b"[" + b",".join(_marked(tools, own, legacy=request.list_key == "functions")) + b"]"
    body = request.body
    if request.span is not None:
        start, end = request.span
        view = memoryview(body)
        return b"".join((view[:start], text, view[end:]))
    end = body.rindex(b"}")
    separator = b"" if body[:end].rstrip().endswith(b"{") else b","
    return body[:end] + separator + b'"' + request.list_key.encode() + b'":' + text + body[end:]


def _marked(tools: Sequence[Tool], own: Sequence[Tool], *, legacy: bool) -> list[bytes]:
    """Return the definitions; the markers of the client's tools that go move to the last that stay and have none.

    Providers refuse more markers than a few: there are never more than the client set, so a registered tool has none.
    """
    kept = {id(tool) for tool in tools}
    homeless = [tool.marker for tool in own if tool.marker is not None and id(tool) not in kept]
    definitions = [tool.definition for tool in tools]
    if legacy or any(b"cache_control" in one or b"\\u00" in one for one in definitions):  # or escaped
        mine = {id(tool) for tool in own}
        definitions = [
            one if id(tool) in mine else _lent(one, legacy=legacy) for tool, one in zip(tools, definitions, strict=True)
        ]
    for i in range(len(tools) - 1, -1, -1):
        if not homeless:
            break
        marked = tool_object.with_marker(definitions[i], homeless[-1])
        if marked is not definitions[i]:
            definitions[i] = marked
            homeless.pop()
    return definitions


def _lent(definition: bytes, *, legacy: bool) -> bytes:
    """Return a registered tool in the form of the client's list."""
    plain = tool_object.without_markers(definition)
    return tool_object.as_function(plain) if legacy else plain


def _raw(member: members.Member | None) -> bytes | None:
    return None if member is None else member.raw


def _stands(found: dict[str, members.Member], key: str) -> bool:
    return key in found and found[key].raw != b"null"


def _list(found: dict[str, members.Member], key: str) -> members.Member | None:
    member = found.get(key)
    if member is None or member.raw == b"null":
        return None
    if not member.raw.startswith(b"["):
        raise Unreadable(f"{key} is not a list")
    return member


def _conversation(found: dict[str, members.Member], reading: _Reading, *, needy: bool) -> Conversation:
    member = found.get("messages")
    if member is None:
        raise Unreadable("there are no messages")
    try:
        said = messages.read(members.paired(member.raw))
        return turns.conversation(said, reading.check, needy=needy, memory=reading.memory, most=reading.most)
    except messages.NotMessages as error:
        raise Unreadable(f"messages: {error}") from error
    except turns.TooMuchText as error:
        raise TooLong(str(error)) from error


def _choice(found: dict[str, members.Member]) -> object:
    given = (found.get(key) for key in ("tool_choice", "function_call"))
    member = next((one for one in given if one is not None and one.raw != b"null"), None)
    return None if member is None else _decoded(member.raw)


def _decoded(raw: bytes | msgspec.Raw) -> object:
    """Give a value.

    Raises:
        Unreadable: A number in it is too large to be read.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def _structured(found: dict[str, members.Member]) -> bool:
    """Return whether the form of the answer is given: a schema, a grammar, or a text that is foretold."""
    if any(_stands(found, name) for name in _FORMS):
        return True
    try:
        form = (
            msgspec.json.decode(found["response_format"].raw, type=_Form | None) if "response_format" in found else None
        )
    except (msgspec.MsgspecError, RecursionError):
        return False
    return form is not None and form.type != "text"


def _forced(choice: object) -> tuple[str, ...]:
    """Give the names that a `tool_choice` or `function_call` demands, in their order."""
    if not isinstance(choice, dict):
        return ()
    allowed = choice.get("allowed_tools")
    listed = allowed.get("tools") if isinstance(allowed, dict) else None
    entries = [choice, *(listed if isinstance(listed, list) else ())]
    names = [_name(entry) for entry in entries if isinstance(entry, dict)]
    return tuple(dict.fromkeys(name for name in names if name))


def _name(entry: dict[str, Any]) -> str:
    for inner in (entry.get("function"), entry.get("custom"), entry):
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(name, str):
            return name
    return ""
