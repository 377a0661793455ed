"""Schema objects of OpenAPI -> JSON Schema 2020-12 that stands by itself.

References are written out: some providers refuse `$ref`. Where a schema would be written out within itself, or
becomes too long, its inside is left open. What is not a keyword, or has not its form, is left out, so that a sloppy
document still gives a valid schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from app.imports.bounds import Work, mapping, words
from app.imports.found import JSON, shortened
from app.imports.openapi.references import Document

_MOST_SCHEMAS = 300  # in what is written out for one body or parameter
_MOST_BYTES = 16_384  # of it: some 4,000 tokens
_DEPTHS = (8, 5, 3, 2, 1)  # levels that are tried until it is short enough
_MOST_CHARACTERS = 500  # of a description within a schema
_MOST_BARE = 80  # of one where there are very many
_MOST_VALUES = 100  # of an enum
_STEPS = 8  # that writing a schema costs, beside what stands in it

_TYPES = frozenset(("string", "number", "integer", "boolean", "array", "object", "null"))
_NUMBERS = ("minimum", "maximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_UNIONS = ("allOf", "anyOf", "oneOf")


class _TooLong(Exception):
    """More schemas than one tool should have."""


class Schemas:
    """Writes out the schemas of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._work = document.work
        self._parts = 0  # that were put together for one schema

    def written(self, schema: object) -> JSON:
        """Give a schema that stands by itself."""
        for depth in _DEPTHS:
            try:
                whole = _Writer(self._document).write(schema, depth, ())
            except _TooLong:
                continue
            size = len(json.dumps(whole))
            self._work.text(size)
            if size <= _MOST_BYTES:
                return whole
        return _open(self._document.resolved(schema)[0], self._work)

    def properties(self, flat: JSON) -> tuple[dict[str, JSON], frozenset[str]]:
        """Return the properties of a schema of `flat`, written out, and which of them have to be there.

        Where all of them together are too long, each is written with less inside; none is left out.
        """
        whole = self.written(flat)
        listed = {str(name): one for name, one in mapping(flat.get("properties")).items() if not _read_only(one)}
        required = frozenset(_names(flat.get("required"), self._work))
        written = mapping(whole.get("properties"))
        if written.keys() == listed.keys():
            return written, required
        for depth in (2, 1, 0):
            try:
                written = {name: _Writer(self._document).write(one, depth, ()) for name, one in listed.items()}
            except _TooLong:
                continue
            size = len(json.dumps(written))
            self._work.text(size)
            if size <= _MOST_BYTES:
                return written, required
        return {name: _bare(self._document.resolved(one)[0], self._work) for name, one in listed.items()}, required

    def flat(self, schema: object) -> JSON:
        """Give a schema as one level: references followed, the parts of `allOf` put together."""
        self._parts = 0
        return self._flat(schema, ())

    def _flat(self, schema: object, above: tuple[str, ...]) -> JSON:
        found, path = self._document.resolved(schema)
        self._parts += 1
        self._work.step(len(found) + len(above))
        if set(path) & set(above) or self._parts > _MOST_SCHEMAS:
            return {}
        parts = found.get("allOf")
        if not isinstance(parts, list):
            return found
        inner = [self._flat(part, (*above, *path)) for part in parts]
        whole: JSON = {}
        properties: JSON = {}
        needed: dict[str, None] = {}
        for one in (*reversed(inner), {key: value for key, value in found.items() if key != "allOf"}):
            own, names = mapping(one.get("properties")), _names(one.get("required"), self._work)
            self._work.step(len(one) + len(own))
            whole |= one
            properties |= own  # what comes later wins, and stands where the name was first
            needed |= dict.fromkeys(names)
        whole |= {"properties": properties} if properties else {}
        return whole | ({"required": list(needed)} if needed else {})


class _Writer:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._written = 0

    def write(self, schema: object, depth: int, above: tuple[str, ...]) -> JSON:
        if schema is False:
            return {"not": {}}
        work = self._document.work
        found, path = self._document.resolved(schema)
        self._written += 1
        work.step(_STEPS + len(found) + len(above))
        if self._written > _MOST_SCHEMAS:
            raise _TooLong
        if set(path) & set(above) or depth == 0:
            return _open(found, work)

        def inside(value: object) -> JSON:
            return self.write(value, depth - 1, (*above, *path))

        return _plain(found, work) | _structure(found, inside, work)


def _plain(found: JSON, work: Work) -> JSON:
    """Give the keywords that hold no schema; what alone is too long for one is left out."""
    result: JSON = {}
    if types := _types(found, work):
        result["type"] = types[0] if len(types) == 1 else types
    if description := shortened(words(found.get("description")), _MOST_CHARACTERS):
        result["description"] = description
    values = found.get("enum")
    if isinstance(values, list) and 0 < len(values) <= _MOST_VALUES and _fits(values, work):
        unique = {repr(value): value for value in values}
        result["enum"] = [*unique.values(), *([None] if _nullable(found) and None not in values else [])]
    result |= {key: found[key] for key in ("const", "default") if key in found and _fits(found[key], work)}
    result |= {key: found[key] for key in ("format",) if words(found.get(key)) and _fits(found[key], work)}
    result |= {
        key: found[key] for key in _NUMBERS if _is_number(found.get(key)) and (key != "multipleOf" or found[key] > 0)
    }
    result |= {key: found[key] for key in _COUNTS if _is_count(found.get(key))}
    if found.get("uniqueItems") is True:
        result["uniqueItems"] = True
    return result | _exclusive(found, result)


def _structure(found: JSON, inside: Callable[[object], JSON], work: Work) -> JSON:
    """Give the keywords that hold schemas."""
    result: JSON = {}
    listed = mapping(found.get("properties"))
    work.step(len(listed))
    properties = {str(name): value for name, value in listed.items() if not _read_only(value)}
    if len(properties) > _MOST_SCHEMAS:
        raise _TooLong
    if properties:
        result["properties"] = {name: inside(value) for name, value in properties.items()}
        needed = [name for name in _names(found.get("required"), work) if name in properties]
        result |= {"required": needed} if needed else {}
    elif "object" in _types(found, work):
        result["properties"] = {}  # some providers refuse an object without it
    if "items" in found or "array" in _types(found, work):
        items = found.get("items")
        result["items"] = {} if isinstance(items, list) else inside(items)
    extra = found.get("additionalProperties")
    if extra is False or (isinstance(extra, dict) and extra):
        result["additionalProperties"] = extra and inside(extra)
    for union in _UNIONS:
        members = found.get(union)
        if isinstance(members, list) and members:
            result[union] = [inside(member) for member in members]
    return result


def _open(found: JSON, work: Work) -> JSON:
    """Give a schema without its inside."""
    result = {key: value for key, value in _plain(found, work).items() if key in ("type", "description", "enum")}
    if result.get("type") == "object":
        result["properties"] = {}
    if result.get("type") == "array":
        result["items"] = {}
    return result


def _bare(found: JSON, work: Work) -> JSON:
    """Give a schema without its inside and its long texts."""
    result = _open(found, work)
    result.pop("enum", None)
    if description := words(result.get("description")):
        result["description"] = shortened(description, _MOST_BARE)
    return result


def _types(found: JSON, work: Work) -> list[str]:
    given = found.get("type")
    types = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    work.step(len(types))
    types = ["string" if one == "file" else one for one in types]  # Swagger 2
    known = [one for one in dict.fromkeys(filter(_is_text, types)) if one in _TYPES]
    if not known and "properties" in found:
        known = ["object"]
    return [*known, "null"] if known and _nullable(found) and "null" not in known else known


def _nullable(found: JSON) -> bool:
    return found.get("nullable") is True


def _exclusive(found: JSON, plain: JSON) -> JSON:
    """Give exclusive bounds as numbers; 3.0 and Swagger 2 have them as marks on the others."""
    result: JSON = {}
    for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value = found.get(key)
        if value is True and bound in plain:
            result[key] = plain.pop(bound)
        elif _is_number(value):
            result[key] = value
    return result


def _fits(value: object, work: Work) -> bool:
    """Tell whether a value can be written at all; no more of it is looked at than that takes."""
    waiting, least = [value], 0
    while waiting and least <= _MOST_BYTES:
        one = waiting.pop()
        least += len(one) if isinstance(one, str | dict | list) else 1
        if isinstance(one, dict | list) and least <= _MOST_BYTES:
            work.step(len(one))
            waiting += one if isinstance(one, list) else [*one, *one.values()]
    return least <= _MOST_BYTES


def _names(value: object, work: Work) -> list[str]:
    listed = value if isinstance(value, list) else []
    work.step(len(listed))
    return [name for name in listed if isinstance(name, str)]


def _read_only(schema: object) -> bool:
    return mapping(schema).get("readOnly") is True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
