"""Catalogue entries from outside -> Tool, with a reason where that fails. Shared by the admin API and the importer.

An entry is a full record, `{"tool": {...}, "tags": [...], ...}`, or a bare OpenAI tool object. The tool object is kept
byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jsonschema_rs
import msgspec

from app.errors import BadRequest, InvalidRecords, Problem
from app.wire import tool_object
from router.types import Kind, Risk, Tool

NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}\Z")
MAX_ENTRIES = 100_000


class InvalidEntry(ValueError):
    """An entry that cannot be taken; the text says why."""


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A registered tool as the admin API speaks of it."""

    tool: msgspec.Raw
    tags: list[str] = []
    keywords: list[str] = []
    examples: list[str] = []
    pinned: bool = False
    enabled: bool = True
    risk: Risk = Risk.READ
    source: str = ""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What a PATCH may hold: any of a record's fields."""

    tool: msgspec.Raw = msgspec.Raw(b"null")
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    keywords: list[str] | msgspec.UnsetType = msgspec.UNSET
    examples: list[str] | msgspec.UnsetType = msgspec.UNSET
    pinned: bool | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    risk: Risk | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET


_RECORD = msgspec.json.Decoder(Record)
_CHANGE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(raw: bytes) -> Tool:
    """Read one entry.

    Raises:
        InvalidEntry: It cannot be taken.
    """
    try:
        keys = _OBJECT.decode(raw).keys()
        record = _RECORD.decode(raw) if "tool" in keys else Record(msgspec.Raw(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidEntry(str(error)) from error
    tool = _definition(bytes(record.tool))
    return replace(
        tool,
        tags=_words(record.tags, "tags"),
        keywords=_words(record.keywords, "keywords"),
        examples=_words(record.examples, "examples"),
        pinned=record.pinned,
        enabled=record.enabled,
        risk=record.risk,
        source=record.source,
    )


def read_all(entries: Sequence[bytes]) -> list[Tool]:
    """Read many entries, all or none.

    Raises:
        InvalidRecords: With every entry that cannot be taken, and why.
    """
    tools: list[Tool] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, raw in enumerate(entries):
        try:
            tool = read(raw)
        except InvalidEntry as error:
            problems.append(Problem(index, _name_of(raw), str(error)))
            continue
        if tool.name in first:
            reason = f"the name stands in entry {first[tool.name]} already"
            problems.append(Problem(index, tool.name, reason))
        first.setdefault(tool.name, index)
        tools.append(tool)
    if problems:
        raise InvalidRecords(problems)
    return tools


def split(body: bytes) -> list[bytes]:
    """Split a batch, `[...]` or `{"tools": [...]}`, into its entries.

    Raises:
        BadRequest: It is neither, or holds too many.
    """
    try:
        text = body.lstrip()
        if text.startswith(b"{"):
            found = _OBJECT.decode(text)
            if set(found) != {"tools"}:
                raise BadRequest('A batch is a JSON array of records, or {"tools": [records]}.')
            text = bytes(found["tools"])
        entries = [bytes(entry) for entry in _ENTRIES.decode(text)]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The batch is not a JSON array of records: {error}") from error
    if len(entries) > MAX_ENTRIES:
        raise BadRequest(f"A batch holds at most {MAX_ENTRIES} records; this one has {len(entries)}.")
    return entries


def changed(tool: Tool, body: bytes) -> Tool:
    """Apply a PATCH.

    Raises:
        InvalidEntry: It cannot be applied.
    """
    try:
        fields = _CHANGE.decode(body)
        values = msgspec.json.decode(body, type=Change)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidEntry(str(error)) from error
    edits: dict[str, Any] = {name: getattr(values, name) for name in fields if name != "tool"}
    for name in {"tags", "keywords", "examples"} & edits.keys():
        edits[name] = _words(edits[name], name)
    if "tool" in fields:
        fresh = _definition(bytes(fields["tool"]))
        edits |= {
            "name": fresh.name,
            "definition": fresh.definition,
            "kind": fresh.kind,
            "description": fresh.description,
            "parameters": fresh.parameters,
        }
    return replace(tool, **edits)


def as_record(tool: Tool) -> Record:
    """Give a tool in the form of the admin API."""
    return Record(
        tool=msgspec.Raw(tool.definition),
        tags=list(tool.tags),
        keywords=list(tool.keywords),
        examples=list(tool.examples),
        pinned=tool.pinned,
        enabled=tool.enabled,
        risk=tool.risk,
        source=tool.source,
    )


def _definition(raw: bytes) -> Tool:
    """Read and check the tool object of an entry."""
    try:
        tool = tool_object.read(raw.strip())
        body = msgspec.json.decode(raw)
    except (tool_object.MalformedTool, msgspec.MsgspecError) as error:
        raise InvalidEntry(f"tool: {error}") from error
    if tool.kind is Kind.OTHER or "type" not in body:
        raise InvalidEntry("tool: its type is 'function' or 'custom', with an object of that name beside it")
    if not NAME.match(tool.name):
        raise InvalidEntry(f"tool: the name {tool.name[:80]!r} does not follow ^[a-zA-Z0-9_-]{{1,64}}$")
    if tool.kind is Kind.FUNCTION:
        _check_schema(body["function"].get("parameters"))
    return replace(tool, marker=None, fixed=False)


def _check_schema(schema: object) -> None:
    if schema is None:
        return
    if not isinstance(schema, dict):
        raise InvalidEntry("tool: parameters is not a JSON Schema object")
    try:
        jsonschema_rs.meta.validate(schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        text = getattr(error, "message", str(error))
        raise InvalidEntry(f"tool: parameters is not a valid JSON Schema: {text[:300]}") from error


def _words(values: list[str], field: str) -> tuple[str, ...]:
    stripped = [value.strip() for value in values]
    if not all(stripped):
        raise InvalidEntry(f"{field}: holds an empty text")
    return tuple(dict.fromkeys(stripped))


def _name_of(raw: bytes) -> str:
    try:
        entry = msgspec.json.decode(raw)
        tool = entry.get("tool", entry)
        body = tool.get(tool.get("type", "function"), tool)
        return str(body.get("name", ""))[:80]
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        return ""
