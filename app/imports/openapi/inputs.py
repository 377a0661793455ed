"""What an operation takes: one object for the model, and where at the API each part of it goes.

Parameters of path, query, header and cookie and the properties of an object body become one object; a body that is no
object becomes the parameter `body`. Every parameter is there, under a name of its own (`names.parameter_names`).

Source: OpenAPI Specification 3.1.1, 4.8.12 to 4.8.15; Swagger 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.imports.bounds import mapping, words
from app.imports.found import JSON, UnusableTool
from app.imports.names import BODY, parameter_names
from app.imports.openapi.operation import Operation, clean
from app.imports.openapi.references import Document
from app.imports.openapi.schemas import Schemas

_STEPS = 8  # that a parameter costs, beside its schema
_NAMING = 1_000  # characters of a media type that are looked at
_MOST_TYPES = 20  # of a body
_MOST_PARAMETERS = 1_000
_PLACES = ("path", "query", "header", "cookie")
_NOT_PARAMETERS = frozenset(("accept", "content-type", "authorization"))  # OpenAPI 3.1.1, 4.8.12.1: to be ignored
_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json\b|\*/\*")
_IN_FORM = ("formData", BODY)  # places of Swagger 2 that are the body's


@dataclass(frozen=True, slots=True)
class Part:
    """One parameter: its name and place there, its schema, and how it is written; `whole`: it is the body itself."""

    wire: str
    place: str
    schema: JSON
    required: bool
    how: JSON = field(default_factory=dict)
    whole: bool = False


def taken(document: Document, schemas: Schemas, operation: Operation) -> tuple[JSON, JSON]:
    """Return the schema of what an operation takes, and the part of its binding that says where that goes.

    Raises:
        UnusableTool: A parameter cannot be read, so that a call would lack it, or there are too many.
    """
    content, parts = _body(document, schemas, operation)
    parts = [*_parameters(schemas, document, operation), *parts]
    if len(parts) > _MOST_PARAMETERS:
        raise UnusableTool(f"it has {len(parts):,} parameters, more than {_MOST_PARAMETERS:,}")
    names = parameter_names([(part.place, BODY if part.whole else part.wire) for part in parts])
    shown = list(zip(names, parts, strict=True))
    needed = [name for name, part in shown if part.required]
    schema: JSON = {"type": "object", "properties": {name: _told(name, part) for name, part in shown}}
    listed = [_listed(name, part) for name, part in shown]
    return schema | ({"required": needed} if needed else {}), {"parameters": listed} | (
        {"body": content} if content else {}
    )


def _told(name: str, part: Part) -> JSON:
    """Give the schema of a parameter; where its name could not stay, its description says what it is called."""
    if part.whole or name in (part.wire, f"{part.wire}__{part.place}"):
        return part.schema
    description = words(part.schema.get("description"))
    return part.schema | {"description": f"{part.wire}: {description}" if description else part.wire}


def _listed(name: str, part: Part) -> JSON:
    entry: JSON = {"name": name, "in": part.place}
    if not part.whole:
        entry["wire"] = part.wire
    return entry | ({"required": True} if part.required else {}) | part.how


def _parameters(schemas: Schemas, document: Document, operation: Operation) -> Iterator[Part]:
    for one in operation.parameters:
        name, place = one["name"], words(one.get("in"))
        if place in _IN_FORM:
            continue
        if place not in _PLACES:
            raise UnusableTool(
                f"its parameter {name[:80]!r} is in {str(one.get('in'))[:80]!r}, which is not a known place"
            )
        document.work.step(_STEPS)
        if place == "header" and name.lower() in _NOT_PARAMETERS:
            continue
        schema, kind = _schema(one)
        written = schemas.written(schema)
        if description := clean(words(one.get("description"))):
            written |= schemas.written({"description": description})
        yield Part(name, place, written, place == "path" or one.get("required") is True, _style(one, place, kind))


def _schema(one: JSON) -> tuple[object, str]:
    """Give the schema of a parameter, and the media type that it is written in, if it is one's."""
    content = mapping(one.get("content"))
    if "schema" in one:
        return one["schema"], ""
    for kind, media in content.items():
        return mapping(media).get("schema"), str(kind)
    if "type" in one:  # Swagger 2: the parameter is the schema
        return {key: value for key, value in one.items() if key not in ("name", "in", "required", "description")}, ""
    return None, ""


def _style(one: JSON, place: str, kind: str) -> JSON:
    """Give how a parameter is written into its place, with what holds where the document says nothing."""
    if kind:
        return {"content_type": kind[:_NAMING]}
    usual = "form" if place in ("query", "cookie") else "simple"
    style = words(one.get("style")) or usual
    explode = one["explode"] if isinstance(one.get("explode"), bool) else style == "form"
    if collected := words(one.get("collectionFormat")) or ("csv" if one.get("type") == "array" else ""):
        styles = {"ssv": "spaceDelimited", "pipes": "pipeDelimited", "tsv": "tabDelimited"}
        style, explode = styles.get(collected, usual), collected == "multi"
    how: JSON = {"style": style[:_NAMING], "explode": explode}
    return how | ({"allow_reserved": True} if one.get("allowReserved") is True else {})


def _body(document: Document, schemas: Schemas, operation: Operation) -> tuple[JSON, list[Part]]:
    """Give what is known of the body, and its parts."""
    body, schema, content, encoding = _content(document, operation)
    if body is None:
        return {}, []
    needed = body.get("required") is True
    content |= {"required": True} if needed else {}
    flat = schemas.flat(schema)
    if _is_object(flat):
        properties, required = schemas.properties(flat)
        if len(properties) <= _MOST_PARAMETERS:
            return content | {"as": "properties"}, [
                Part(name, BODY, one, needed and name in required, _encoded(encoding.get(name)))
                for name, one in properties.items()
            ]
    return content | {"as": "whole"}, [Part("", BODY, schemas.written(schema), needed, whole=True)]


def _content(document: Document, operation: Operation) -> tuple[JSON | None, object, JSON, JSON]:
    """Give the body, its schema, the media types it can have, and how its fields are written; None: there is none."""
    if operation.body.get("requestBody") is not None:
        body = document.found(operation.body["requestBody"], "its requestBody")
        listed = body.get("content")
        if not isinstance(listed, dict):
            raise UnusableTool("its requestBody has no content that can be read")
        document.work.step(len(listed))
        if listed:
            kind = next((kind for kind in listed if _JSON_TYPE.match(str(kind)[:_NAMING])), next(iter(listed)))
            media = mapping(listed[kind])
            return body, media.get("schema", {}), _types(kind, [*listed]), mapping(media.get("encoding"))
    form = [one for one in operation.parameters if one.get("in") == "formData"]
    consumed = operation.body.get("consumes", document.whole.get("consumes"))
    types = [kind for kind in consumed if isinstance(kind, str)] if isinstance(consumed, list) else []
    for one in operation.parameters:  # Swagger 2
        if one.get("in") == BODY:
            return one, one.get("schema", {}), _types(next(iter(types), "application/json"), types), {}
    if not form:
        return None, None, {}, {}
    fields = {one["name"]: {k: v for k, v in one.items() if k not in ("name", "in", "required")} for one in form}
    usual = "multipart/form-data" if any(one.get("type") == "file" for one in form) else _FORM
    required = [one["name"] for one in form if one.get("required") is True]
    schema = {"type": "object", "properties": fields, "required": required}
    return {"required": True}, schema, _types(next(iter(types), usual), types), {}


_FORM = "application/x-www-form-urlencoded"


def _types(first: object, others: Sequence[object]) -> JSON:
    """Give the media type that the schema is of, and those that the API takes beside it."""
    names = [str(kind)[:_NAMING] for kind in (first, *others[:_MOST_TYPES])]
    return {"content_types": list(dict.fromkeys(names))}


def _encoded(value: object) -> JSON:
    """Give how a field of a form is written, where the document says so."""
    encoding, how = mapping(value), {}
    if kind := words(encoding.get("contentType")):
        how["content_type"] = kind[:_NAMING]
    if style := words(encoding.get("style")):
        how["style"] = style[:_NAMING]
    return how | ({"explode": encoding["explode"]} if isinstance(encoding.get("explode"), bool) else {})


def _is_object(schema: JSON) -> bool:
    """Tell whether the properties of a schema are all there is to it."""
    return "properties" in schema and not {"oneOf", "anyOf"} & schema.keys()
