"""One tool object of the Chat Completions dialect: `tools[i]`, or a legacy entry of `functions`.

Reads what routing needs and keeps the bytes. Unknown types are kept as they are (`Tool.fixed`); only an entry that
claims to be a function or custom tool and has no name is malformed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.wire import members, parameters
from router.types import Kind, Tool

# Schemas beyond this size are not searched: their words would say little, and reading them holds up others.
_MAX_READ_BYTES = 256 * 2**10
_LEVELS = 2  # the tool object, and the function in it
_DEEPEST = 8  # so many levels down a value that cannot be read is told from those that can
_MARKER = "cache_control"
_NESTED = (Kind.FUNCTION.value, Kind.CUSTOM.value)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MalformedTool(ValueError):
    """A tool object that no provider would take; the text says what is wrong."""


class NamelessTool(MalformedTool):
    """An object that is a tool but for its name."""


def read(raw: bytes) -> Tool:
    """Read one entry of `tools`.

    Raises:
        MalformedTool: It is not an object.
        NamelessTool: It is a function or custom tool without a name.
    """
    entry = _object(raw)
    kind = entry.get("type", "function")
    marker = _marker(raw) if _MARKER in entry else None
    if kind not in (Kind.FUNCTION, Kind.CUSTOM):
        name = entry.get("name")
        return Tool(name if isinstance(name, str) else "", raw, Kind.OTHER, fixed=True, marker=marker)
    body = entry.get(kind)
    if not isinstance(body, dict):
        raise NamelessTool(f"there is no object {kind!r} in it")
    return _tool(raw, Kind(kind), body, fixed=bool(entry.get("defer_loading")), marker=marker)


def read_function(raw: bytes) -> Tool:
    """Read one entry of the legacy list `functions`.

    Raises:
        MalformedTool: It is not an object.
        NamelessTool: It has no name.
    """
    entry = _object(raw)
    return _tool(raw, Kind.FUNCTION, entry, marker=_marker(raw) if _MARKER in entry else None)


def nameless(raw: bytes) -> Tool:
    """Return a tool that says nothing of itself and is never trimmed: what it is, is between client and provider."""
    return Tool("", raw, Kind.OTHER, fixed=True)


def as_function(definition: bytes) -> bytes:
    """Give the inner object of a function tool, byte for byte: the form that `functions` holds."""
    return members.read(definition)["function"].raw


def with_marker(definition: bytes, marker: bytes) -> bytes:
    """Return a definition with a `cache_control` member at its end; as it is where it has one, or cannot be read."""
    if not _can_carry(definition):
        return definition
    end = definition.rindex(b"}")
    separator = b"" if definition[:end].rstrip().endswith(b"{") else b","
    return definition[:end] + separator + b'"cache_control":' + marker + definition[end:]


def without_markers(definition: bytes) -> bytes:
    """Return a definition without `cache_control`, in itself and in what it holds: markers are the client's to set."""
    if _MARKER.encode() not in definition and b"\\u" not in definition:
        return definition
    try:
        for name in _NESTED:
            inner = members.read(definition).get(name)
            if inner is not None and inner.raw.startswith(b"{"):
                plain = members.without(inner.raw, _MARKER)
                definition = definition[: inner.start] + plain + definition[inner.end :]
        return members.without(definition, _MARKER)
    except ValueError:  # keys that stand there twice
        return definition


def _can_carry(definition: bytes) -> bool:
    """Return whether a definition has no marker, neither in itself nor in its `function` or `custom`."""
    try:
        found = members.read(definition)
        nested = (found[name].raw for name in _NESTED if name in found)
        return _MARKER not in found and not any(_MARKER in members.read(raw) for raw in nested if raw.startswith(b"{"))
    except ValueError:
        return False


def _object(raw: bytes) -> dict[str, Any]:
    try:
        entry = _value(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedTool(f"not valid JSON: {error}") from error
    if not isinstance(entry, dict):
        raise MalformedTool("it is not a JSON object")
    return entry


def _value(raw: bytes, level: int = 0) -> Any:
    """Read a value; what is too large, or a number that no double holds, is left out and all else is there."""
    large = len(raw) > _MAX_READ_BYTES
    if not large:
        try:
            return msgspec.json.decode(raw)
        except msgspec.MsgspecError:
            if level == 0 and not raw.startswith(b"{"):
                raise
    if level == (_LEVELS if large else _DEEPEST) or not raw.startswith(b"{"):
        return None
    return {key: _value(bytes(value), level + 1) for key, value in _MEMBERS.decode(raw).items()}


def _tool(raw: bytes, kind: Kind, body: dict[str, Any], *, fixed: bool = False, marker: bytes | None) -> Tool:
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise NamelessTool("it has no name")
    description = body.get("description")
    return Tool(
        name=name,
        definition=raw,
        kind=kind,
        description=description if isinstance(description, str) else "",
        parameters=parameters.read(body.get("parameters")),
        fixed=fixed,
        marker=marker,
    )


def _marker(raw: bytes) -> bytes | None:
    try:
        return members.read(raw)[_MARKER].raw
    except ValueError:  # duplicate keys: nothing that could be moved safely
        return None
