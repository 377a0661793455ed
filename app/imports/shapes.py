"""Tool definitions of other frameworks, recognised by their shape. See docs/imports.md for one of each."""

from __future__ import annotations

import re
from collections.abc import Callable

from app.imports.bounds import Work, mapping, words
from app.imports.found import (
    JSON,
    Found,
    Refused,
    UnusableTool,
    described,
    digest_of,
    function,
    is_lost,
    keywords,
)
from app.settings.imports import SourceSpec
from router.types import Kind, Risk

Tool = tuple[str, JSON]  # a name, and the OpenAI tool object

_MOST_TITLE = 200  # characters
_SCHEMA = re.compile("schema|param|arg", re.IGNORECASE)
_FIELDS = frozenset(("tags", "risk", "keywords", "examples", "pinned", "enabled"))
_NOT_TAKEN = frozenset(
    ("tool", "source", "tenant", "binding")
)  # of a record: the import says whose it is and where it is from
_TYPES = (None, Kind.FUNCTION, Kind.CUSTOM, "object")  # of an entry; "object" is a schema's
# What stands beside name and description in some formats and holds no parameters: MCP's, Anthropic's, OpenAI's.
_BESIDE = frozenset((
    "annotations", "_meta", "icons", "execution", "outputSchema",
    "cache_control", "input_examples", "allowed_callers", "output_schema", "tags",
))  # fmt: skip


def read(document: object, spec: SourceSpec, work: Work) -> list[Found | Refused]:
    """Give the tools of a document: a list, `{"tools": [...]}`, or a single one.

    An entry that has no shape that is known is refused, and so is a record with a field that would be lost.
    """
    listed = document["tools"] if isinstance(document, dict) and isinstance(document.get("tools"), list) else document
    entries = listed if isinstance(listed, list) else [listed]
    found = [_found_or_refused(entry, number, spec, work) for number, entry in enumerate(entries, start=1)]
    return [
        one for one in found if isinstance(one, Refused) or not spec.tags or not set(spec.tags).isdisjoint(one.tags)
    ]


def _found_or_refused(entry: object, number: int, spec: SourceSpec, work: Work) -> Found | Refused:
    work.step()
    try:
        return _found(entry, spec)
    except UnusableTool as error:
        name = words(mapping(mapping(entry).get("tool", entry)).get("name"))[:80]
        return Refused(f"entry {number}" + (f" ({name})" if name else ""), str(error))


def _found(entry: object, spec: SourceSpec) -> Found:
    whole = mapping(entry)
    record = whole if "tool" in whole else {}
    inner = mapping(record.get("tool", whole))
    name, tool = _tool(inner)
    if not name.strip():
        raise UnusableTool("it has no name, or an empty one" if tool else _why_none(entry, inner))
    _check(record, spec)
    listed = record.get("tags")
    tags = tuple(filter(words, listed)) if isinstance(listed, list) else ()
    kept = _FIELDS if spec.risk is None else _FIELDS - {"risk"}
    extra = {key: record[key] for key in record.keys() & kept}  # looked at where every record is
    title = words(inner.get("title"))[:_MOST_TITLE] if inner.get("name") == name else ""
    return Found(
        name,
        name,
        _findable(tool, title, name),
        digest_of(entry),
        tags,
        spec.risk or Risk.READ,
        keywords([name]) | extra,
        {"kind": "tools", "tool": name} | ({"title": title} if title else {}),
    )


def _why_none(entry: object, inner: JSON) -> str:
    if not isinstance(entry, dict):
        return "it is not an object"
    if not inner:
        return "its tool is not an object, or an empty one"
    return f"it is not a tool of a known form: it has the keys {', '.join(map(str, inner))[:200]}"


def _findable(tool: JSON, title: str, name: str) -> JSON:
    """Give a tool with its title and its own name in its description, where they would be lost."""
    kind = tool["type"]
    description = tool[kind].get("description")
    if not (title or is_lost(name)) or not isinstance(description, str | None):
        return tool
    text = described(description or "", title, name)
    return tool | {kind: tool[kind] | ({"description": text} if text else {})}


def _check(record: JSON, spec: SourceSpec) -> None:
    """Refuse a record of which something would be lost: a tool could become everyone's, or be offered."""
    if unknown := [key for key in record if key not in _FIELDS | _NOT_TAKEN]:
        raise UnusableTool(f"a record has no field {str(unknown[0])[:80]!r}")
    if record.get("tenant") not in (None, "", spec.tenant):
        whose = f"those of the tenant {spec.tenant!r}" if spec.tenant else "everyone's"
        raise UnusableTool(f"its tenant is {str(record['tenant'])[:80]!r}, and the tools of {spec.name} are {whose}")


def _tool(entry: JSON) -> Tool:
    """Give the name and the OpenAI tool object of an entry; '' where it has no known shape."""
    if entry.get("type") not in _TYPES:
        return "", {}
    return next((tool for shape in _SHAPES if (tool := shape(entry))), ("", {}))


def _chat(entry: JSON) -> Tool | None:
    kind = entry.get("type")
    if kind not in (Kind.FUNCTION, Kind.CUSTOM) or not isinstance(entry.get(kind), dict):
        return None
    inner = {key: value for key, value in entry[kind].items() if key != "name"}
    return words(entry[kind].get("name")), {"type": kind, kind: inner}


def _with_schema(entry: JSON) -> Tool | None:
    for key in ("input_schema", "inputSchema", "parameters", "args_schema", "fn_schema"):
        if isinstance(entry.get(key), dict):
            return _function(entry, mapping(entry[key].get("json")) or entry[key])  # Bedrock's has a level more
    return None


def _with_args(entry: JSON) -> Tool | None:
    if not isinstance(entry.get("args"), dict):
        return None
    return _function(entry, {"type": "object", "properties": entry["args"]})


def _with_inputs(entry: JSON) -> Tool | None:
    """Read smolagents' `inputs`: all of them are required but those that may be null."""
    inputs = entry.get("inputs")
    if not isinstance(inputs, dict) or not all(isinstance(one, dict) for one in inputs.values()):
        return None
    needed = [name for name, one in inputs.items() if one.get("nullable") is not True]
    properties = {name: _input(one) for name, one in inputs.items()}
    schema = {"type": "object", "properties": properties} | ({"required": needed} if needed else {})
    return _function(entry, schema)


def _input(one: JSON) -> JSON:
    return {key: value for key, value in one.items() if key != "nullable" and (key, value) != ("type", "any")}


def _wrapped(entry: JSON) -> Tool | None:
    return next((_tool(inner) for key in ("metadata", "toolSpec") if (inner := mapping(entry.get(key)))), None)


def _schema(entry: JSON) -> Tool | None:
    """Read a schema that is a function: LangChain's and pydantic's have a title, others a name."""
    if "properties" not in entry:
        return None
    if "name" not in entry:
        schema = {key: value for key, value in entry.items() if key not in ("title", "description")}
        return words(entry.get("title")), function(words(entry.get("description")), schema)
    beside = {"name", "title", "description", "strict"} | _BESIDE
    return _function(entry, {key: value for key, value in entry.items() if key not in beside} | {"type": "object"})


def _custom(entry: JSON) -> Tool | None:
    """Read a custom tool of OpenAI Responses, whose grammar stands a level higher than that of Chat Completions."""
    if entry.get("type") != Kind.CUSTOM or not words(entry.get("name")) or _loses(entry, {"format"}):
        return None
    body = {key: entry[key] for key in ("description", "format") if entry.get(key)}
    form = mapping(entry.get("format"))
    if form.get("type") == "grammar" and "grammar" not in form:
        body["format"] = {"type": "grammar", "grammar": {key: form[key] for key in form if key != "type"}}
    return entry["name"], {"type": Kind.CUSTOM, "custom": body}


def _without_parameters(entry: JSON) -> Tool | None:
    described = words(entry.get("name")) and words(entry.get("description"))
    return _function(entry, None) if described and not _loses(entry, set()) else None


def _loses(entry: JSON, taken: set[str]) -> bool:
    """Tell whether there is more: what says its parameters in a way that is not known is not one without."""
    return any(
        value and (isinstance(value, dict | list) or _SCHEMA.search(str(key)))
        for key, value in entry.items()
        if key not in _BESIDE | taken
    )


def _function(entry: JSON, parameters: JSON | None) -> Tool:
    return words(entry.get("name")), function(words(entry.get("description")), parameters)


# The first that fits counts, and what none of them takes is refused. See docs/imports.md for one of each.
_SHAPES: tuple[Callable[[JSON], Tool | None], ...] = (
    _chat, _with_schema, _with_args, _with_inputs, _wrapped, _schema, _custom, _without_parameters,
)  # fmt: skip
