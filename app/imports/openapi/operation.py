"""One operation, with everything that its path says for it, and where it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.imports.bounds import mapping, words
from app.imports.found import JSON, Refused, UnusableTool
from app.imports.openapi.references import Document
from app.settings.imports import METHODS

_READ = 65_536  # characters of a description, before it is cleaned and cut
_SHOWN = 200  # characters of a name in a reason
_MOST_SERVERS = 10
_MOST_VARIABLES = 20
_MOST_VALUES = 20  # of a variable
_MOST_WAYS = 10  # to prove who calls
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BLANKS = re.compile(r"[^\S\n]+|\n\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `parameters` are its own and its path's, which it can replace."""

    method: str
    path: str
    item: JSON
    body: JSON
    parameters: tuple[JSON, ...] = ()

    @property
    def original(self) -> str:
        """Name it: no document has two of the same."""
        return f"{self.method.upper()} {self.path}"


def operations(document: Document) -> Iterator[Operation | Refused]:
    """Yield the operations of a document, without their parameters, and what is none."""
    for path, value in mapping(document.whole.get("paths")).items():
        if value is None or str(path).startswith("x-"):
            continue
        try:
            item = document.found(value, "its path item")
        except UnusableTool as error:
            yield Refused(str(path)[:_SHOWN], str(error))
            continue
        for method in METHODS:
            body = item.get(method)
            operation = Operation(method, str(path), item, mapping(body))
            if isinstance(body, dict):
                yield operation
            elif body is not None:
                yield Refused(operation.original[:_SHOWN], "it is not an object")


def parameters(document: Document, operation: Operation) -> tuple[JSON, ...]:
    """Return the parameters of an operation: its own take the place of its path's.

    Raises:
        UnusableTool: One of them cannot be read: a call would lack it.
    """
    theirs = _named(document, operation.item.get("parameters"))
    return tuple((theirs | _named(document, operation.body.get("parameters"))).values())


def _named(document: Document, listed: object) -> dict[tuple[str, str], JSON]:
    """Give parameters by name and place."""
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise UnusableTool("its parameters are not a list")
    named: dict[tuple[str, str], JSON] = {}
    for number, value in enumerate(listed, start=1):
        found = document.found(value, f"its parameter {number}")
        name = found.get("name")
        if not isinstance(name, str) or not name:
            raise UnusableTool(f"its parameter {number} has no name")
        document.work.text(len(name) + len(words(found.get("description"))))
        named[name, words(found.get("in"))] = found
    return named


def called(document: Document, operation: Operation) -> JSON:
    """Return where an operation is called, and how a caller proves who it is: a part of its binding."""
    binding: JSON = {"kind": "openapi", "method": operation.method.upper(), "path": operation.path}
    binding["servers"] = _servers(document.whole, operation)
    return binding | ({"security": security} if (security := _security(document, operation)) else {})


def _servers(whole: JSON, operation: Operation) -> list[JSON]:
    if "swagger" in whole:
        return _hosts(whole, operation)
    for listed in (operation.body.get("servers"), operation.item.get("servers"), whole.get("servers")):
        servers = [mapping(one) for one in listed[:_MOST_SERVERS]] if isinstance(listed, list) else []
        if found := [_server(one) for one in servers if words(one.get("url"))]:
            return found
    return [{"url": "/"}]  # OpenAPI 3.1.1, 4.8.1: where the document is


def _server(one: JSON) -> JSON:
    variables = {
        str(name): {"default": words(mapping(value).get("default"))} | _choices(mapping(value).get("enum"))
        for name, value in list(mapping(one.get("variables")).items())[:_MOST_VARIABLES]
    }
    return {"url": one["url"]} | ({"variables": variables} if variables else {})


def _choices(values: object) -> JSON:
    listed = [one for one in values[:_MOST_VALUES] if isinstance(one, str)] if isinstance(values, list) else []
    return {"enum": listed} if listed else {}


def _hosts(whole: JSON, operation: Operation) -> list[JSON]:
    """Give the servers of Swagger 2: of schemes, host and path."""
    base = words(whole.get("basePath")) or "/"
    host = words(whole.get("host"))
    listed = operation.body.get("schemes", whole.get("schemes"))
    schemes = [one for one in listed[:_MOST_SERVERS] if isinstance(one, str)] if isinstance(listed, list) else []
    if not host:
        return [{"url": base}]
    return [{"url": f"{scheme}://{host}{base}"} for scheme in schemes] or [{"url": f"//{host}{base}"}]


def _security(document: Document, operation: Operation) -> list[list[JSON]]:
    """Give the ways to prove who calls, any of which does: each as a list of all that is wanted together."""
    listed = operation.body.get("security", document.whole.get("security"))
    whole = document.whole
    schemes = mapping(mapping(whole.get("components")).get("securitySchemes", whole.get("securityDefinitions")))
    ways = [mapping(one) for one in listed[:_MOST_WAYS]] if isinstance(listed, list) else []
    return [[_scheme(document, name, schemes.get(name)) for name in list(way)[:_MOST_WAYS]] for way in ways]


def _scheme(document: Document, name: object, value: object) -> JSON:
    said, _ = document.resolved(value)
    kept = {key: words(said.get(key)) for key in ("type", "scheme", "in")} | {"wire": words(said.get("name"))}
    return {"name": str(name)} | {key: text for key, text in kept.items() if text}


def clean(text: str) -> str:
    """Take out of Markdown what nobody sees: comments, and blanks in a row."""
    return _BLANKS.sub(lambda found: "\n" if "\n" in found[0] else " ", _COMMENT.sub(" ", text[:_READ])).strip()
