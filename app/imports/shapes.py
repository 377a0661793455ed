"""Tool definitions of other frameworks, recognised by their shape. See docs/imports.md for one of each."""

from __future__ import annotations

import re

from app.errors import SourceRefused
from app.imports.bounds import Work, mapping, words
from app.imports.found import JSON, Found, digest_of, function
from app.settings.imports import SourceSpec
from router.types import Kind, Risk

_SCHEMA = re.compile("schema|param|arg", re.IGNORECASE)
_FIELDS = frozenset(("tags", "risk", "keywords", "examples", "pinned", "enabled"))


def read(document: object, spec: SourceSpec, work: Work) -> list[Found]:
    """Give the tools of a document: a list, `{"tools": [...]}`, or a single one.

    Raises:
        SourceRefused: An entry has no shape that is known.
    """
    listed = document["tools"] if isinstance(document, dict) and isinstance(document.get("tools"), list) else document
    entries = listed if isinstance(listed, list) else [listed]
    found = [_found(entry, number, spec, work) for number, entry in enumerate(entries, start=1)]
    return [one for one in found if not spec.tags or not set(spec.tags).isdisjoint(one.tags)]


def _found(entry: object, number: int, spec: SourceSpec, work: Work) -> Found:
    work.step()
    whole = mapping(entry)
    record = whole if "tool" in whole else {}
    inner = mapping(record.get("tool", whole))
    name, tool = _tool(inner)
    if not name:
        raise SourceRefused(
            f"Entry {number} is no tool that is known: it has the keys {', '.join(map(str, inner))[:200]}"
        )
    listed = record.get("tags")
    tags = tuple(filter(words, listed)) if isinstance(listed, list) else ()
    kept = _FIELDS if spec.risk is None else _FIELDS - {"risk"}
    extra = {key: record[key] for key in record.keys() & kept}  # looked at where every record is
    return Found(name, name, tool, digest_of(entry), tags, spec.risk or Risk.READ, extra)


def _tool(entry: JSON) -> tuple[str, JSON]:
    """Give the name and the OpenAI tool object of an entry; '' where it has no known shape."""
    kind = entry.get("type")
    if kind in (Kind.FUNCTION, Kind.CUSTOM) and isinstance(entry.get(kind), dict):  # Chat Completions
        inner = {key: value for key, value in entry[kind].items() if key != "name"}
        return words(entry[kind].get("name")), {"type": kind, kind: inner}
    name, description = words(entry.get("name")), words(entry.get("description"))
    for key in ("input_schema", "inputSchema", "parameters", "args_schema", "fn_schema"):  # see docs/imports.md
        if isinstance(entry.get(key), dict):
            schema = mapping(entry[key].get("json")) or entry[key]  # Bedrock's has a level more
            return name, function(description, schema)
    if isinstance(entry.get("args"), dict):  # LangChain's `tool.args`: the properties alone
        return name, function(description, {"type": "object", "properties": entry["args"]})
    for key in ("metadata", "toolSpec"):  # LlamaIndex, Bedrock
        if inner := mapping(entry.get(key)):
            return _tool(inner)
    if "title" in entry and "properties" in entry:  # a schema that is a function: LangChain's and pydantic's
        schema = {key: value for key, value in entry.items() if key not in ("title", "description")}
        return words(entry["title"]), function(description, schema)
    # What has parameters, and says them in a way that is not known, is not one without.
    unknown = any(value and _SCHEMA.search(str(key)) for key, value in entry.items())
    return (name, function(description, None)) if name and description and not unknown else ("", {})
