"""JSON Schema -> the parameters that it describes, in whatever form it describes them.

Laws. What stands nearer to the top comes first: of a large schema the end is left out. A `$ref` is followed within its
own document. Every schema is read once, and a bounded number of them: a circle ends, and so does a schema made to be
large. What is not a schema is passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

from app.digits import whole
from router.types import Parameter

_MOST = 100
_MOST_SCHEMAS = 1_000
_MOST_FORMS = 32  # of one parameter: what it is by `$ref`, and its branches
_MOST_VALUES = 40
_MOST_STEPS = 16  # of one pointer
_MOST_ELEMENTS = 999  # a pointer reaches no further into a list
_BRANCHES = ("allOf", "anyOf", "oneOf")
_ELEMENTS = ("items", "prefixItems", "contains")
_PARTS = (*_ELEMENTS, "then", "else", "additionalProperties", "unevaluatedProperties")
_NAMED_PARTS = ("patternProperties", "dependentSchemas")

_Schema = dict[str, Any]


def read(schema: object) -> tuple[Parameter, ...]:
    """Return the parameters of a schema, at most 100: the outermost first, those of one object in its order."""
    found: dict[Parameter, None] = {}
    for name, value in _properties(schema):
        found[_parameter(name, value, schema)] = None
        if len(found) >= _MOST:
            break
    return tuple(found)


def _properties(root: object) -> Iterator[tuple[str, object]]:
    """Give each property with its schema, level by level."""
    waiting, seen = deque([root]), set[int]()
    while waiting and len(seen) < _MOST_SCHEMAS:
        for form in _forms(waiting.popleft(), root):
            if id(form) in seen:
                continue
            seen.add(id(form))
            for name, value in _members(form, "properties"):
                yield name, value
                waiting.append(value)
            waiting += _parts(form, _PARTS)
            waiting += [value for key in _NAMED_PARTS for _, value in _members(form, key)]


def _forms(schema: object, root: object) -> list[_Schema]:
    """Return a schema with what it refers to and the branches that it is made of."""
    waiting, found = deque([schema]), dict[int, _Schema]()
    while waiting and len(found) < _MOST_FORMS:
        form = waiting.popleft()
        if not isinstance(form, dict) or id(form) in found:
            continue
        found[id(form)] = form
        if isinstance(form.get("$ref"), str):
            waiting.append(_referred(form["$ref"], root))
        waiting += _parts(form, _BRANCHES)
    return list(found.values())


def _parameter(name: str, schema: object, root: object) -> Parameter:
    """Return a parameter with the first description and the values of its forms, or else of its elements."""
    forms = _forms(schema, root)
    parts = (part for form in forms for part in _parts(form, _ELEMENTS))
    elements = list(islice((form for part in parts for form in _forms(part, root)), _MOST_FORMS))
    told = (form.get("description") for form in (*forms, *elements))
    description = next((text for text in told if isinstance(text, str) and text), "")
    return Parameter(name, description, _values(forms) or _values(elements))


def _parts(form: _Schema, keys: tuple[str, ...]) -> list[_Schema]:
    """Return the schemas under some keys, which hold one or a list of them."""
    held = (form[key] for key in keys if key in form)
    listed = (one[:_MOST_FORMS] if isinstance(one, list) else [one] for one in held)
    return [part for parts in listed for part in parts if isinstance(part, dict)]


def _values(forms: list[_Schema]) -> tuple[str, ...]:
    values = [value for form in forms for value in _choices(form)]
    return tuple(dict.fromkeys(values))[:_MOST_VALUES]


def _choices(form: _Schema) -> list[str]:
    listed = form.get("enum")
    values = listed[:_MOST_VALUES] if isinstance(listed, list) else []
    if "const" in form:
        values = [*values, form["const"]]
    return [str(value) for value in values if value is not None]


def _members(form: _Schema, key: str) -> list[tuple[str, object]]:
    inner = form.get(key)
    return list(inner.items())[:_MOST_SCHEMAS] if isinstance(inner, dict) else []


def _referred(reference: str, root: object) -> object:
    """Return what a pointer into the same document points to; None of any other."""
    if not reference.startswith("#"):
        return None
    found = root
    for step in reference[1:].split("/", _MOST_STEPS)[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            place = whole(key, _MOST_ELEMENTS)
            found = found[place] if place is not None and place < len(found) else None
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found
