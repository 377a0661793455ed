"""Operations -> tools.

Parameters of path, query and header and the properties of an object body become one object. A parameter with the name
of a body property gets its place behind its name (`id__path`); a body that is no object becomes the parameter `body`.

Source: OpenAPI Specification 3.1.1, 4.8 to 4.12; Swagger 2.0; names as FastMCP gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from app.errors import SourceRefused
from app.imports.bounds import Work, mapping, words
from app.imports.found import JSON, Found, canonical, digest_of_texts, function
from app.imports.names import legal
from app.imports.openapi.references import Document
from app.imports.openapi.schemas import Schemas
from app.settings.imports import METHODS, SourceSpec
from router.types import Risk

_MOST_CHARACTERS = 56  # of a name, without what is put before it
_MOST_TAGS = 100
_STEPS = 8  # that a parameter costs, beside its schema
_READ = 65_536  # characters of a description, before it is cleaned and cut
_NAMING = 1_000  # characters that a name is made of
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BLANKS = re.compile(r"[^\S\n]+|\n\s*\n\s*")
_PLACES = ("path", "query", "header")
_NOT_PARAMETERS = frozenset(("accept", "content-type", "authorization"))  # OpenAPI 3.1.1, 4.8.12.1: to be ignored
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.-]+")  # Anthropic's rule for names of properties
_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json\b|\*/\*")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation with everything that its path says for it."""

    method: str
    path: str
    body: JSON
    parameters: tuple[JSON, ...]

    @property
    def original(self) -> str:
        """Name it: no document has two of the same."""
        return f"{self.method.upper()} {self.path}"


def read(document: object, spec: SourceSpec, most: int, work: Work) -> list[Found]:
    """Give the tools of a document, those that the source's filters let through; one more than `most` is enough.

    Raises:
        SourceRefused: It is no OpenAPI document, or costs more work than one may.
    """
    whole = mapping(document)
    if not words(whole.get("openapi")).startswith("3.") and str(whole.get("swagger")) != "2.0":
        raise SourceRefused("This is no OpenAPI document: neither 'openapi: 3.…' nor 'swagger: 2.0' stands at its top")
    itself = Document(whole, work)
    schemas = Schemas(itself)
    servers = canonical(whole.get("servers") or [whole.get("host"), whole.get("basePath")])
    found: list[Found] = []
    wishes: dict[str, int] = {}
    for operation in _operations(itself):
        if len(found) > most:
            break
        if not _is_wanted(operation, spec):
            continue
        work.text(sum(len(words(operation.body.get(key))) for key in ("operationId", "summary", "description")))
        wish = _wish(operation)
        wishes[wish] = wishes.get(wish, 0) + 1
        number = f"_{wishes[wish]}" if wishes[wish] > 1 else ""
        tool, tags = function(_description(operation), _Input(itself, schemas).of(operation)), _tags(operation)
        said = (canonical(tool), canonical(operation.original), servers, canonical(tags))
        work.text(sum(map(len, said)))
        digest = digest_of_texts(*said)
        found.append(Found(operation.original, wish + number, tool, digest, tags, _risk(operation, spec)))
    return found


def _operations(document: Document) -> Iterator[Operation]:
    for path, value in mapping(document.whole.get("paths")).items():
        item, _ = document.resolved(value)
        for method in METHODS:
            body = item.get(method)
            if isinstance(body, dict):
                own = _parameters(document, body.get("parameters"))
                yield Operation(
                    method, str(path), body, tuple((_parameters(document, item.get("parameters")) | own).values())
                )


def _parameters(document: Document, listed: object) -> dict[tuple[str, str], JSON]:
    """Give parameters by name and place: an operation's own take the place of its path's."""
    found = [document.resolved(value)[0] for value in (listed if isinstance(listed, list) else [])]
    named = [one for one in found if words(one.get("name"))]
    document.work.text(sum(len(one["name"]) + len(words(one.get("description"))) for one in named))
    return {(one["name"], words(one.get("in"))): one for one in named}


def _is_wanted(operation: Operation, spec: SourceSpec) -> bool:
    return (
        (not spec.methods or operation.method in spec.methods)
        and (not spec.paths or any(fnmatchcase(operation.path, pattern) for pattern in spec.paths))
        and (not spec.tags or not set(spec.tags).isdisjoint(_tags(operation)))
    )


def _wish(operation: Operation) -> str:
    """Give the name that an operation should have: its id, else its summary, else method and path."""
    named = words(operation.body.get("operationId")).split("__")[0].strip()
    given = named or words(operation.body.get("summary")).strip() or f"{operation.method} {operation.path}"
    return legal(given[:_NAMING]).strip("_")[:_MOST_CHARACTERS].rstrip("_") or operation.method


def _description(operation: Operation) -> str:
    summary, text = words(operation.body.get("summary")), words(operation.body.get("description"))
    beginning = _folded(text)
    if all(next(beginning, "") == character for character in _folded(summary)):
        summary = ""
    joined = "\n".join(part for part in (clean(summary), clean(text)) if part)
    return joined or operation.original


def _folded(text: str) -> Iterator[str]:
    return filter(str.isalnum, text.casefold())


def clean(text: str) -> str:
    """Take out of Markdown what nobody sees: comments, and blanks in a row."""
    return _BLANKS.sub(lambda found: "\n" if "\n" in found[0] else " ", _COMMENT.sub(" ", text[:_READ])).strip()


def _tags(operation: Operation) -> tuple[str, ...]:
    listed = operation.body.get("tags")
    tags = [tag.strip() for tag in listed[:_MOST_TAGS] if isinstance(tag, str)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(filter(None, tags)))


def _risk(operation: Operation, spec: SourceSpec) -> Risk:
    """Give what an operation can do, by its method, unless the source's settings say otherwise."""
    usual = {"get": Risk.READ, "head": Risk.READ, "options": Risk.READ, "delete": Risk.DANGEROUS}
    by_method = spec.risks.get(operation.method, spec.risk)
    return by_method or usual.get(operation.method, Risk.WRITE)


class _Input:
    """What an operation takes, put together to one object."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas
        self._properties: JSON = {}
        self._required: dict[str, None] = {}  # an ordered set

    def of(self, operation: Operation) -> JSON:
        body, needed = self._body(operation)
        flat = self._schemas.flat(body) if body is not None else {}
        inner = mapping(flat.get("properties"))
        taken = {str(name) for name in inner}
        listed = [one for one in operation.parameters if one.get("in") in _PLACES]
        for one in listed:
            self._add_parameter(one, taken)
        if _is_object(flat):
            whole = self._schemas.written(flat)
            for name, schema in mapping(whole.get("properties")).items():
                self._add(name, schema, required=needed and name in whole.get("required", ()))
        elif body is not None:
            self._add("body", self._schemas.written(body), required=needed)
        return {"type": "object", "properties": self._properties} | (
            {"required": list(self._required)} if self._required else {}
        )

    def _add_parameter(self, one: JSON, taken: set[str]) -> None:
        name, place = one["name"], one["in"]
        self._document.work.step(_STEPS)
        if place == "header" and name.lower() in _NOT_PARAMETERS:
            return
        if name in taken or _property(name) in self._properties:
            name = f"{name}__{place}"
        content = next(iter(mapping(one.get("content")).values()), None)
        schema = one.get("schema", mapping(content).get("schema"))
        if schema is None and "type" in one:  # Swagger 2: the parameter is the schema
            schema = {key: value for key, value in one.items() if key not in ("name", "in", "required", "description")}
        written = self._schemas.written(schema)
        if description := clean(words(one.get("description"))):
            written |= self._schemas.written({"description": description})
        self._add(name, written, required=place == "path" or one.get("required") is True)

    def _add(self, name: str, schema: JSON, *, required: bool) -> None:
        key = _property(name)
        self._properties[key] = schema
        if required:
            self._required[key] = None

    def _body(self, operation: Operation) -> tuple[object, bool]:
        """Give the schema of the body, and whether it has to be there; None for no body."""
        body, _ = self._document.resolved(operation.body.get("requestBody"))
        content = mapping(body.get("content"))
        self._document.work.step(len(content))
        if content:
            kind = next((kind for kind in content if _JSON_TYPE.match(str(kind)[:_NAMING])), next(iter(content)))
            return mapping(content[kind]).get("schema", {}), body.get("required") is True
        for one in operation.parameters:  # Swagger 2
            if one.get("in") == "body":
                return one.get("schema", {}), one.get("required") is True
        form = [one for one in operation.parameters if one.get("in") == "formData"]
        if not form:
            return None, False
        fields = {one["name"]: {k: v for k, v in one.items() if k not in ("name", "in", "required")} for one in form}
        return {
            "type": "object",
            "properties": fields,
            "required": [o["name"] for o in form if o.get("required")],
        }, True


def _is_object(schema: JSON) -> bool:
    """Tell whether the properties of a schema are all there is to it."""
    return "properties" in schema and not {"oneOf", "anyOf"} & schema.keys()


def _property(name: str) -> str:
    return _ILLEGAL.sub("_", name[:_NAMING])[:64]
