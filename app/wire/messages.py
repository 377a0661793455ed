"""The messages of a Chat Completions request, as far as routing reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from app.wire import turns


class NotMessages(ValueError):
    """They cannot be read."""


class _Message(msgspec.Struct):
    role: str
    content: msgspec.Raw = msgspec.Raw(b"null")
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    name: str | None = None


_MESSAGES = msgspec.json.Decoder(list[_Message])
_ODD = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ODD_KEYS = ("role", "tool_calls", "function_call", "name")
_SPEAKERS = frozenset({"user", "system", "assistant"})


def read(raw: bytes) -> Iterator[turns.Message]:
    """Read the messages of a request; of one that is not as it should be, what can be read.

    Raises:
        NotMessages: It is not a list, or a number in what somebody says is too large to be read.
    """
    try:
        return map(_message, _decoded_messages(raw))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotMessages(str(error)) from error


def _decoded_messages(raw: bytes) -> list[_Message]:
    try:
        return _MESSAGES.decode(raw)
    except msgspec.ValidationError:
        return [_odd_message(one) for one in _ODD.decode(raw)]


def _odd_message(raw: msgspec.Raw) -> _Message:
    """Return what can be read of a message; one without a role is nobody's."""
    found = _MEMBERS.decode(bytes(raw))
    role, calls, call, name = (_decoded(found.get(key, b"null")) for key in _ODD_KEYS)
    listed = [one for one in calls if isinstance(one, dict)] if isinstance(calls, list) else None
    return _Message(
        role=role if isinstance(role, str) else "",
        content=found.get("content", msgspec.Raw(b"null")),
        tool_calls=listed,
        function_call=call if isinstance(call, dict) else None,
        name=name if isinstance(name, str) else None,
    )


def _message(message: _Message) -> turns.Message:
    role = "system" if message.role == "developer" else message.role
    texts = tuple(_texts(message.content)) if role in _SPEAKERS else ()
    return turns.Message(role, texts, tuple(_called(message)))


def _texts(content: msgspec.Raw) -> list[str]:
    """Give a string, or the text parts of a list; other parts say nothing to search with."""
    value = _decoded(content)
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    parts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type", "text") == "text"]
    return [part for part in parts if isinstance(part, str)]


def _called(message: _Message) -> list[str]:
    """Give the names of the tools that a message of the history calls or answers for."""
    calls = [call.get(kind) for call in message.tool_calls or () for kind in ("function", "custom")]
    names = [call.get("name") for call in (*calls, message.function_call) if isinstance(call, dict)]
    if message.role == "function":
        names.append(message.name)
    return [name for name in names if isinstance(name, str) and name]


def _decoded(raw: bytes | msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotMessages(str(error)) from error
