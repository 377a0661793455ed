"""What providers are known to refuse of a tool's parameters: told of a definition, and made acceptable when it is sent.

Laws: what is stored is never changed; a definition that has nothing of what is refused goes out byte for byte; one
that is changed means the same to a model, as far as its provider lets one say it: what a schema may not say any more
stands in the description.

Sources: errors of OpenAI ("schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top
level"), Anthropic ("input_schema does not support oneOf, allOf, or anyOf at the top level"; "Property keys should match
pattern '^[a-zA-Z0-9_.-]{1,64}$'") and Gemini (formats, `$ref`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from app.settings.upstream import Refusal

JSON = dict[str, Any]

_UNIONS = ("anyOf", "oneOf", "allOf")
_COMBINATORS = (*_UNIONS, "enum", "not")
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_FORMATS = ("enum", "date-time")  # that Gemini takes of a text
_DEEPEST = 10  # levels that OpenAI's strict mode takes
_MOST_PROPERTIES = 5_000  # that it takes
_MOST_NODES = 20_000  # schemas that are looked at
_MOST_WRITTEN = 2_000  # schemas, where references are written out
_MOST_UNIONS = 5  # levels of unions in unions
_MOST_PARTS = 500  # of all of them
_SHOWN = 3  # examples in a sentence
_SAID = 200  # characters of a schema in a description
# Keywords whose value is a schema, a list of them, and schemas by name.
_ONE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
_MANY = (*_UNIONS, "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def refusals(schema: object) -> tuple[str, ...]:
    """Return what is known to be refused of a schema of parameters: `what it is: details`, one sentence each."""
    if not isinstance(schema, dict):
        return ()
    nodes = list(_nodes(schema))
    return tuple(sentence for tell in _TELL for sentence in tell(schema, nodes))


def acceptable(definition: bytes, refused: Collection[Refusal]) -> bytes:
    """Return a tool object without what its provider refuses; byte for byte what it was where it has nothing of it."""
    if not refused or not any(sign in definition for what in refused for sign in _SIGNS[what]):
        return definition
    tool = msgspec.json.decode(definition)
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(schema := function.get("parameters"), dict):
        return definition
    try:
        changed, said = _changed(schema, refused)
    except RecursionError:
        return definition
    if changed == schema:
        return definition
    told = "\n".join(text for text in (function.get("description"), said) if text)
    described = {"description": told} if told else {}
    return msgspec.json.encode(tool | {"function": function | described | {"parameters": changed}})


def _changed(schema: JSON, refused: Collection[Refusal]) -> tuple[JSON, str]:
    changed, said = schema, ""
    if Refusal.REFERENCES in refused:
        changed = _Inliner(schema).inlined()
    if Refusal.TOP_LEVEL_COMBINATORS in refused:
        changed, said = _merged(changed)
    if Refusal.FORMATS in refused:
        changed = _mapped(changed, _without_format)
    return changed, said


_SIGNS = {
    Refusal.TOP_LEVEL_COMBINATORS: tuple(f'"{key}"'.encode() for key in _COMBINATORS),
    Refusal.REFERENCES: (b'"$ref"', b'"$defs"', b'"definitions"'),
    Refusal.FORMATS: (b'"format"',),
}


def _combinators(schema: JSON, _: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    if found := [key for key in _COMBINATORS if key in schema]:
        yield (
            f"combinators at the top of parameters: {', '.join(found)}; OpenAI and Anthropic refuse every request with "
            "it, unless upstream.refuses has top_level_combinators"
        )


def _type(schema: JSON, _: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    if schema.get("type") != "object" and not any(key in schema for key in _UNIONS):
        yield f"parameters that are not of type object: {str(schema.get('type', 'none'))[:_SAID]}; all refuse that"


def _names(schema: JSON, _: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    properties = schema.get("properties")
    names = [name for name in properties if not _PROPERTY.fullmatch(name)] if isinstance(properties, dict) else []
    if names:
        yield f"names of parameters that Anthropic refuses: {_some(names)}; it takes {_PROPERTY.pattern}"


def _items(_: JSON, nodes: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    if any(node.get("type") == "array" and not {"items", "prefixItems"} & node.keys() for node, _ in nodes):
        yield "arrays without items: OpenAI and Gemini refuse them"


def _references(schema: JSON, nodes: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    found = [node["$ref"] for node, _ in nodes if isinstance(node.get("$ref"), str)]
    if not found:
        return
    if _Inliner(schema).holds_itself():
        yield "a schema that holds itself: Gemini refuses it, unless upstream.refuses has references"
    else:
        yield f"references: {_some(found)}; some providers refuse them, unless upstream.refuses has references"


def _formats(_: JSON, nodes: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    found = [node["format"] for node, _ in nodes if node.get("type") == "string" and _is_odd(node.get("format"))]
    if found:
        yield f"formats of texts: {_some(found)}; Gemini refuses them, unless upstream.refuses has formats"


def _size(_: JSON, nodes: Sequence[tuple[JSON, int]]) -> Iterator[str]:
    if (deepest := max((level for _, level in nodes), default=0)) > _DEEPEST:
        yield f"nesting: {deepest} levels; OpenAI takes {_DEEPEST} where it is strict"
    properties = sum(len(node["properties"]) for node, _ in nodes if isinstance(node.get("properties"), dict))
    if properties > _MOST_PROPERTIES:
        yield f"properties: {properties:,}; OpenAI takes {_MOST_PROPERTIES:,} where it is strict"


_TELL: tuple[Callable[[JSON, Sequence[tuple[JSON, int]]], Iterator[str]], ...] = (
    _combinators, _type, _names, _items, _references, _formats, _size,
)  # fmt: skip


def _is_odd(form: object) -> bool:
    return isinstance(form, str) and form not in _FORMATS


def _some(texts: Sequence[str]) -> str:
    unique = list(dict.fromkeys(text[:80] for text in texts))
    return ", ".join(unique[:_SHOWN]) + (f" and {len(unique) - _SHOWN:,} more" if len(unique) > _SHOWN else "")


def _nodes(schema: JSON) -> Iterator[tuple[JSON, int]]:
    """Yield a schema and those in it, each with its level from 1, `_MOST_NODES` at most."""
    waiting: list[tuple[JSON, int]] = [(schema, 1)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        node, level = waiting.pop()
        yield node, level
        waiting += [(inner, level + 1) for inner in _inside(node)]


def _inside(node: JSON) -> Iterator[JSON]:
    listed = [node.get(key) for key in _ONE]
    listed += [one for key in _MANY if isinstance(node.get(key), list) for one in node[key]]
    listed += [one for key in _NAMED if isinstance(node.get(key), dict) for one in node[key].values()]
    return (one for one in listed if isinstance(one, dict))


def _mapped(node: JSON, change: Callable[[JSON], JSON]) -> JSON:
    """Return a schema with every schema in it changed, from the inside."""

    def inner(value: Any) -> Any:
        return _mapped(value, change) if isinstance(value, dict) else value

    result = dict(node)
    for key, value in node.items():
        if key in _ONE:
            result[key] = inner(value)
        elif key in _MANY and isinstance(value, list):
            result[key] = [inner(one) for one in value]
        elif key in _NAMED and isinstance(value, dict):
            result[key] = {name: inner(one) for name, one in value.items()}
    return change(result)


def _without_format(node: JSON) -> JSON:
    """Return a schema of texts without a format that Gemini does not know; its description says it."""
    form = node.get("format")
    if node.get("type") != "string" or not _is_odd(form):
        return node
    described = " ".join(text for text in (node.get("description"), f"({form})") if isinstance(text, str))
    return {key: value for key, value in node.items() if key != "format"} | {"description": described}


def _merged(schema: JSON) -> tuple[JSON, str]:
    """Return a schema of parameters without combinators at its top, and in words what those demanded."""
    if not any(key in schema for key in _COMBINATORS):
        return schema, ""
    merger = _Merger(schema)
    flat = merger.flat(schema, _MOST_UNIONS)
    return {"type": "object", "properties": {}} | flat | {"type": "object"}, " ".join(dict.fromkeys(merger.said))


class _Merger:
    """Puts the parts of a schema together to one object. `said` is what that cannot say any more, in words."""

    def __init__(self, root: JSON) -> None:
        self.said: list[str] = []
        self._root = root
        self._parts = 0

    def flat(self, schema: JSON, levels: int) -> JSON:
        """Return a schema as one object: all properties of all its parts, and what all of those demand."""
        self._parts += 1
        found = _target(schema, self._root) if self._parts <= _MOST_PARTS else {}
        result = {key: value for key, value in found.items() if key not in _COMBINATORS}
        properties = dict(found["properties"]) if isinstance(found.get("properties"), dict) else {}
        required = dict.fromkeys(_texts(found.get("required")))
        for union in _UNIONS:
            flat = [self.flat(part, levels - 1) for part in _parts(found.get(union)) if levels]
            for part in flat:
                properties = _together(properties, part.get("properties", {}))
            required |= self._demanded(union, [_texts(part.get("required")) for part in flat], required)
        for key in ("enum", "not"):
            if key in found:
                word = "one of" if key == "enum" else "not"
                self.said.append(f"The arguments are {word}: {msgspec.json.encode(found[key]).decode()[:_SAID]}.")
        return result | ({"properties": properties} if properties else {}) | _required(list(required))

    def _demanded(self, union: str, needed: Sequence[list[str]], before: Collection[str]) -> dict[str, None]:
        """Return what is needed whichever part fits, and say what the parts differ in."""
        if union == "allOf" or not needed:
            return dict.fromkeys(name for names in needed for name in names)
        common = dict.fromkeys(name for name in needed[0] if all(name in names for names in needed))
        self.said += _choice(union, needed, {*before, *common})
        return common


def _parts(listed: object) -> list[JSON]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _required(names: list[str]) -> JSON:
    return {"required": names} if names else {}


def _target(schema: JSON, root: JSON) -> JSON:
    """Return what a schema refers to within its document, with what stands beside the reference."""
    for _ in range(_MOST_UNIONS):
        reference = schema.get("$ref")
        there = _at(root, reference) if isinstance(reference, str) else None
        if not isinstance(there, dict):
            return schema
        schema = there | {key: value for key, value in schema.items() if key != "$ref"}
    return {}


def _at(root: JSON, reference: str) -> Any:
    """Look a JSON pointer up. Source: RFC 6901, section 6."""
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if reference.startswith("#") else None


def _together(some: JSON, others: JSON) -> JSON:
    """Return the properties of two parts; one that they have different schemas for takes either."""
    result = dict(some)
    for name, schema in others.items():
        if name not in result or result[name] == schema:
            result[name] = schema
        else:
            before = result[name]
            either = before["anyOf"] if isinstance(before, dict) and before.keys() == {"anyOf"} else [before]
            result[name] = {"anyOf": either if schema in either else [*either, schema]}
    return result


def _choice(union: str, needed: Sequence[Sequence[str]], required: Collection[str]) -> list[str]:
    """Say what is demanded where one of several parts has to fit."""
    ways = [" and ".join(name for name in names if name not in required) for names in needed]
    ways = list(dict.fromkeys(way or "none of them" for way in ways))
    if len(ways) < 2:
        return []
    return [f"Give {'exactly one' if union == 'oneOf' else 'at least one'} of: {'; or '.join(ways)}."]


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


class _Inliner:
    """Writes out the references of a schema. Where one leads back into itself, the inside is left open."""

    def __init__(self, root: JSON) -> None:
        self._root = root
        self._written = 0
        self._again = False

    def inlined(self) -> JSON:
        whole: JSON = self._write(self._root, ())
        return whole

    def holds_itself(self) -> bool:
        self.inlined()
        return self._again

    def _write(self, node: Any, above: tuple[str, ...]) -> Any:
        if not isinstance(node, dict):
            return node
        self._written += 1
        reference = node.get("$ref")
        if isinstance(reference, str):
            there = _at(self._root, reference)
            beside = {key: value for key, value in node.items() if key != "$ref"}
            if reference in above or self._written > _MOST_WRITTEN or not isinstance(there, dict):
                self._again = self._again or reference in above
                return {key: there[key] for key in ("type", "description") if isinstance(there, dict) and key in there}
            return self._write(there | beside, (*above, reference))
        result = {key: value for key, value in node.items() if key not in ("$defs", "definitions")}
        for key in result.keys() & {*_ONE, *_MANY, *_NAMED}:
            value = result[key]
            if isinstance(value, list):
                result[key] = [self._write(one, above) for one in value]
            elif key in _NAMED and isinstance(value, dict):
                result[key] = {name: self._write(one, above) for name, one in value.items()}
            else:
                result[key] = self._write(value, above)
        return result
