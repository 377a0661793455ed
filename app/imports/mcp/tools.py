"""One tool of an MCP server, as JSON -> what an import takes of it.

It is read leniently: what nobody needs (`outputSchema`, icons, fields that are not known) is not looked at, and what
makes one tool unusable is told of that tool. What a server says of itself may raise the risk of a tool and never lower
it. Source: MCP 2026-07-28, server/tools.
"""

from __future__ import annotations

import math
from typing import Any

from mcp.shared.inbound import find_invalid_x_mcp_header

from app.imports.bounds import MOST_DEPTH, is_deeper, mapping, words
from app.imports.found import JSON, Found, Refused, UnusableTool, described, digest_of, function, keywords
from app.settings.imports import SourceSpec
from router.types import Risk

_RISKS = list(Risk)  # from harmless to dangerous
_SHOWN = 200  # characters of a name in a reason
_MOST_TITLE = 200
# What a digest is of, for a tool and for its hints: what a model or an operator goes by, where it is not null.
_SAID = ("name", "title", "description", "inputSchema", "execution", "outputSchema", "annotations")
_HINTS = ("title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def read(entry: object, number: int, spec: SourceSpec, *, modern: bool) -> Found | Refused:
    """Return a tool of a list, or why it cannot be taken. `modern`: headers that a call has are the schema's to say."""
    name = words(mapping(entry).get("name")).strip()
    original = name or f"tool {number}"
    try:
        return _found(entry, spec, modern=modern)
    except UnusableTool as error:
        return Refused(original, str(error))


def _found(entry: object, spec: SourceSpec, *, modern: bool) -> Found:
    """Take over a tool. Its digest is of all that a model or an operator goes by, and of where the server is."""
    if not isinstance(entry, dict):
        raise UnusableTool("it is not an object")
    if is_deeper(entry, MOST_DEPTH):
        raise UnusableTool(f"it is nested more than {MOST_DEPTH} levels deep")
    name = _name(entry)
    schema = _schema(entry)
    if modern and (reason := find_invalid_x_mcp_header(schema)) is not None:
        raise UnusableTool(f"a header that its calls would have cannot be sent: {reason}")
    if not _is_finite(entry):
        raise UnusableTool("it holds a number that JSON does not have, or one of hundreds of digits")
    hints = mapping(entry.get("annotations"))
    said = {key: entry[key] for key in _SAID if entry.get(key) is not None}
    if "annotations" in said and hints:
        said["annotations"] = {key: hints[key] for key in _HINTS if hints.get(key) is not None}
    title = (words(entry.get("title")) or words(hints.get("title")))[:_MOST_TITLE]
    description = described(words(entry.get("description")), title, name)
    binding: JSON = {"kind": "mcp", "server": spec.origin, "tool": name} | ({"title": title} if title else {})
    return Found(
        name,
        name,
        function(description, schema),
        digest_of(said, spec.origin),
        (),
        risk(hints, spec),
        keywords([name, title]) or None,
        binding,
        notes=_notes(entry),
    )


def _is_finite(entry: JSON) -> bool:
    waiting: list[Any] = [entry]
    while waiting:
        one = waiting.pop()
        if isinstance(one, float) and not math.isfinite(one):
            return False
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return True


def _name(entry: JSON) -> str:
    name = entry.get("name")
    if name is None:
        raise UnusableTool("it has no name")
    if not isinstance(name, str):
        raise UnusableTool("its name is not a text")
    if not name.strip():
        raise UnusableTool("its name is empty")
    return name


def _schema(entry: JSON) -> JSON:
    """Give the schema of the arguments, as an object that every provider takes for one."""
    schema: Any = entry.get("inputSchema")
    if schema is None:
        raise UnusableTool("it has no inputSchema, so that nobody can tell what it takes")
    if not isinstance(schema, dict):
        raise UnusableTool("its inputSchema is not an object")
    kind = schema.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise UnusableTool(f"its inputSchema is of type {str(kind)[:_SHOWN]}, and arguments are an object")
    # Some providers refuse an object without properties, and one whose type is a list.
    return schema | {"type": "object"} | ({} if "properties" in schema else {"properties": {}})


def _notes(entry: JSON) -> tuple[str, ...]:
    """Tell what has not the form that it should have, and was left out."""
    forms = {"description": str, "title": str, "annotations": dict}
    wrong = [key for key, form in forms.items() if entry.get(key) is not None and not isinstance(entry[key], form)]
    return tuple(f"its {key} has another form than it should have, and is not looked at" for key in wrong)


def risk(hints: JSON, spec: SourceSpec) -> Risk:
    """Give the risk of the source, `write` unless it is configured, raised by what the server says of the tool.

    That a hint is not there says nothing, though the protocol takes it for destructive: else no tool of a server
    without hints could ever be offered. What is neither true nor false of `destructiveHint` counts as true.
    """
    least = spec.risk or Risk.WRITE
    if hints.get("readOnlyHint") is True:
        return least
    if hints.get("destructiveHint") not in (None, False):
        return Risk.DANGEROUS
    return max(least, Risk.WRITE, key=_RISKS.index) if hints.get("readOnlyHint") is False else least
