"""Catalogue entries from outside -> Tool, with a reason where that fails. The admin API and the importer read by it.

An entry is a full record, `{"tool": {...}, "tags": [...], ...}`, or a bare OpenAI tool object. The tool object is
kept byte for byte. What could be read in two ways is refused, so that the gateway and a provider never differ about a
name or a risk; and so is text that people do not see (`hidden`). Nothing is fetched: a schema's own schema is one of
the published ones, or the record is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from app.admin import hidden
from app.errors import BadRequest, InvalidRecords, Problem
from app.wire import members, tool_object
from router.types import Kind, Risk, Tool

NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}\Z")
MAX_ENTRIES = 100_000
# No model reads two million tokens about one tool, and checking more at a time would hold up others.
MAX_RECORD_BYTES = 8 * 2**20
_SHOWN = 3  # places of hidden text that a reason names
# What `$schema` may say. The validator would look up any other address on the network.
DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
)


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
    tenant: str = ""


class _Entry(Record):
    """A record as it comes. What `GET` gives of a tool is one, too: its binding is its source's to say."""

    binding: msgspec.Raw = msgspec.Raw(b"null")


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
    tenant: str | msgspec.UnsetType = msgspec.UNSET


_RECORD = msgspec.json.Decoder(_Entry)
_CHANGE = msgspec.json.Decoder(Change)
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])


def read(raw: bytes) -> Tool:
    """Read one entry.

    Raises:
        InvalidEntry: It cannot be taken.
    """
    _check_size(raw)
    try:
        record = _RECORD.decode(raw) if "tool" in _members(raw) else _Entry(msgspec.Raw(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidEntry(str(error)) from error
    tool = _definition(bytes(record.tool))
    _refuse_hidden(hidden.in_value(record.source, "source"))
    _refuse_hidden(hidden.in_value(record.tenant, "tenant"))
    return replace(
        tool,
        tags=_words(record.tags, "tags"),
        keywords=_words(record.keywords, "keywords"),
        examples=_words(record.examples, "examples"),
        pinned=record.pinned,
        enabled=record.enabled,
        risk=record.risk,
        source=record.source,
        tenant=record.tenant,
    )


def left_out(raw: bytes) -> frozenset[str]:
    """Return the fields that an entry of `read` does not say."""
    said = _members(raw).keys()
    return frozenset(Record.__struct_fields__) - (said if "tool" in said else set())


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
        text = body.strip()
        if text.startswith(b"{"):
            found = _members(text)
            if found.keys() != {"tools"}:
                raise BadRequest('A batch is a JSON array of records, or {"tools": [records]}.')
            text = found["tools"].raw
        entries = [bytes(entry) for entry in _ENTRIES.decode(text)]
    except (InvalidEntry, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The batch is not a JSON array of records: {error}") from error
    if len(entries) > MAX_ENTRIES:
        raise BadRequest(f"A batch holds at most {MAX_ENTRIES:,} records; this one has {len(entries):,}.")
    return entries


def changed(tool: Tool, body: bytes) -> Tool:
    """Apply a PATCH.

    Raises:
        InvalidEntry: It cannot be applied.
    """
    _check_size(body)
    try:
        fields = _members(body)
        values = _CHANGE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidEntry(str(error)) from error
    edits: dict[str, Any] = {name: getattr(values, name) for name in fields if name != "tool"}
    for name in {"tags", "keywords", "examples"} & edits.keys():
        edits[name] = _words(edits[name], name)
    for name in {"source", "tenant"} & edits.keys():
        _refuse_hidden(hidden.in_value(edits[name], name))
    if "tool" in fields:
        fresh = _definition(fields["tool"].raw)
        edits |= {
            "name": fresh.name,
            "definition": fresh.definition,
            "kind": fresh.kind,
            "description": fresh.description,
            "parameters": fresh.parameters,
        }
    return replace(tool, **edits)


def enables(body: bytes) -> bool | None:
    """Tell whether a PATCH enables or disables the tool; None: neither.

    Raises:
        InvalidEntry: It cannot be read.
    """
    try:
        enabled = _CHANGE.decode(body).enabled
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidEntry(str(error)) from error
    return None if isinstance(enabled, msgspec.UnsetType) else enabled


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
        tenant=tool.tenant,
    )


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_RECORD_BYTES:
        raise InvalidEntry(f"it has {len(raw):,} bytes, and a record has {MAX_RECORD_BYTES:,} at most")


def _members(raw: bytes) -> dict[str, members.Member]:
    """Give the members of an object whose keys stand there once each."""
    try:
        return members.read(raw)
    except members.DuplicateKeys as error:
        raise InvalidEntry(f"a key stands there more than once: {error}") from error
    except members.NotAnObject as error:
        raise InvalidEntry(f"not a JSON object: {error}") from error


def _definition(raw: bytes) -> Tool:
    """Read and check the tool object of an entry."""
    try:
        return _checked(raw.strip())
    except (tool_object.MalformedTool, InvalidEntry, msgspec.MsgspecError) as error:
        raise InvalidEntry(f"tool: {error}") from error


def _checked(raw: bytes) -> Tool:
    outer = _members(raw)
    tool = tool_object.read(raw)
    if tool.kind is Kind.OTHER or "type" not in outer:
        raise InvalidEntry("its type is 'function' or 'custom', with an object of that name beside it")
    inner = outer[tool.kind].raw
    _members(inner)
    _check(tool, msgspec.json.decode(inner))
    _refuse_hidden(hidden.in_json(raw))
    return replace(tool, marker=None, fixed=False)


def _check(tool: Tool, body: dict[str, Any]) -> None:
    if not NAME.match(tool.name):
        raise InvalidEntry(f"the name {tool.name[:80]!r} does not follow ^[a-zA-Z0-9_-]{{1,64}}$")
    if not isinstance(body.get("description", ""), str):
        raise InvalidEntry("description is not a text")
    if tool.kind is Kind.FUNCTION:
        _check_schema(body.get("parameters"))


def _check_schema(schema: object) -> None:
    if schema is None:
        return
    if not isinstance(schema, dict):
        raise InvalidEntry("parameters is not a JSON Schema object")
    dialect = schema.get("$schema", DIALECTS[0])
    if not isinstance(dialect, str) or dialect.removesuffix("#") not in DIALECTS:
        raise InvalidEntry(f"parameters: $schema is none of {', '.join(DIALECTS)}")
    try:
        jsonschema_rs.meta.validate(schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        text = getattr(error, "message", str(error))
        raise InvalidEntry(f"parameters is not a valid JSON Schema: {text[:300]}") from error


def _refuse_hidden(found: Iterator[str]) -> None:
    try:
        *shown, more = *islice(found, _SHOWN), next(found, None)
    except RecursionError as error:
        raise InvalidEntry("it is nested too deeply") from error
    if shown:
        raise InvalidEntry(f"text that people do not see: {'; '.join(shown)}{'; and more' if more else ''}")


def _words(values: list[str], field: str) -> tuple[str, ...]:
    _refuse_hidden(hidden.in_value(values, field))
    stripped = [value.strip() for value in values]
    if not all(stripped):
        raise InvalidEntry(f"{field}: holds an empty text")
    return tuple(dict.fromkeys(stripped))


def _name_of(raw: bytes) -> str:
    """Give the name of an entry that cannot be taken, where it has one."""
    try:
        entry = msgspec.json.decode(raw)
        tool = entry.get("tool", entry)
        kind = "custom" if tool.get("type") == Kind.CUSTOM else "function"
        name = tool.get(kind, tool).get("name", "")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, AttributeError):
        return ""
    return name[:80] if isinstance(name, str) else ""
