"""OpenAPI documents -> tools: one for each operation. One that cannot be taken costs no other.

Source: OpenAPI Specification 3.1.1, 4.8 to 4.12; Swagger 2.0; names as FastMCP gives them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from app.errors import SourceRefused
from app.imports.bounds import Work, mapping, words
from app.imports.found import (
    MOST_BINDING,
    Found,
    Refused,
    UnusableTool,
    canonical,
    described,
    digest_of_texts,
    function,
    is_lost,
    keywords,
)
from app.imports.names import is_telling, legal
from app.imports.openapi import inputs
from app.imports.openapi.operation import Operation, called, clean, operations, parameters
from app.imports.openapi.references import Document
from app.imports.openapi.schemas import Schemas
from app.settings.imports import SourceSpec
from router.types import Risk

_MOST_CHARACTERS = 56  # of a name, without what is put before it
_MOST_TAGS = 100
_MOST_NOTES = 5
_NAMING = 1_000  # characters that a name is made of
_SHOWN = 200  # of a name in a reason


def read(document: object, spec: SourceSpec, most: int, work: Work) -> list[Found | Refused]:
    """Give the tools of a document, those that the source's filters let through; one more than `most` is enough.

    Raises:
        SourceRefused: It is no OpenAPI document, or costs more work than one may.
    """
    whole = mapping(document)
    if not words(whole.get("openapi")).startswith("3.") and str(whole.get("swagger")) != "2.0":
        raise SourceRefused(
            "This is not an OpenAPI document: neither 'openapi: 3.…' nor 'swagger: 2.0' stands at its top"
        )
    reader = _Reader(Document(whole, work), spec)
    found: list[Found | Refused] = []
    for one in reader.wanted():
        if len(found) > most:
            break
        found.append(one if isinstance(one, Refused) else reader.tool(one))
    return found


class _Reader:
    """Makes tools of the operations of one document."""

    def __init__(self, document: Document, spec: SourceSpec) -> None:
        self._document = document
        self._spec = spec
        self._schemas = Schemas(document)
        whole = document.whole
        self._servers = canonical(whole.get("servers") or [whole.get("host"), whole.get("basePath")])
        self._wishes: dict[str, int] = {}

    def wanted(self) -> Iterator[Operation | Refused]:
        """Give the operations that the filters let through, and what is none and may have been one."""
        for one in operations(self._document):
            if _may_be_wanted(one, self._spec) if isinstance(one, Refused) else _is_wanted(one, self._spec):
                yield one

    def tool(self, operation: Operation) -> Found | Refused:
        """Give the tool of an operation, or why it cannot be one."""
        self._document.work.text(sum(len(words(operation.body.get(key))) for key in _NAMES))
        wish = _wish(operation)
        self._wishes[wish] = self._wishes.get(wish, 0) + 1
        number = f"_{self._wishes[wish]}" if self._wishes[wish] > 1 else ""
        try:
            return self._found(operation, wish + number)
        except UnusableTool as error:
            return Refused(operation.original[:_SHOWN], str(error))

    def _found(self, operation: Operation, wish: str) -> Found:
        work, tags = self._document.work, _tags(operation)
        listed = parameters(self._document, operation)
        operation = Operation(operation.method, operation.path, operation.item, operation.body, listed)
        self._document.missing.clear()
        schema, places = inputs.taken(self._document, self._schemas, operation)
        notes = tuple(f"{one} is not in the document: its inside is left open" for one in self._document.missing)
        tool, binding = function(_description(operation), schema), called(self._document, operation) | places
        said = (canonical(tool), canonical(operation.original), self._servers, canonical(tags))
        bound = canonical(binding)
        if len(bound) > MOST_BINDING:
            raise UnusableTool(f"what a caller has to know of it takes more than {MOST_BINDING:,} characters")
        work.text(2 * sum(map(len, said)) + len(bound))
        return Found(
            operation.original,
            wish,
            tool,
            digest_of_texts(*said, bound),
            tags,
            _risk(operation, self._spec),
            keywords([words(operation.body.get(key))[:_NAMING] for key in ("operationId", "summary")]) or None,
            binding,
            earlier=digest_of_texts(*said),
            notes=notes[:_MOST_NOTES],
        )


_NAMES = ("operationId", "summary", "description")


def _is_wanted(operation: Operation, spec: SourceSpec) -> bool:
    return (
        (not spec.methods or operation.method in spec.methods)
        and (not spec.paths or any(fnmatchcase(operation.path, pattern) for pattern in spec.paths))
        and (not spec.tags or not set(spec.tags).isdisjoint(_tags(operation)))
    )


def _may_be_wanted(one: Refused, spec: SourceSpec) -> bool:
    """Return whether the filters would let through what is no operation, or a path whose operations are not known."""
    method, _, path = one.original.rpartition(" ")
    return (
        not spec.tags
        and (not method or not spec.methods or method.lower() in spec.methods)
        and (not spec.paths or any(fnmatchcase(path, pattern) for pattern in spec.paths))
    )


def _wish(operation: Operation) -> str:
    """Give the name that an operation should have: its id, else its summary, else method and path."""
    named = words(operation.body.get("operationId")).split("__")[0].strip()
    for given in (named, words(operation.body.get("summary")).strip(), f"{operation.method} {operation.path}"):
        wish = legal(given[:_NAMING]).strip("_")[:_MOST_CHARACTERS].rstrip("_")
        if is_telling(wish):
            return wish
    return operation.method


def _description(operation: Operation) -> str:
    summary, text = words(operation.body.get("summary")), words(operation.body.get("description"))
    beginning = _folded(text)
    if all(next(beginning, "") == character for character in _folded(summary)):
        summary = ""
    joined = "\n".join(part for part in (clean(summary), clean(text)) if part)
    named = words(operation.body.get("operationId"))[:_NAMING]
    return (described(joined, "", named) if is_lost(named) else joined) or operation.original


def _folded(text: str) -> Iterator[str]:
    return filter(str.isalnum, text.casefold())


def _tags(operation: Operation) -> tuple[str, ...]:
    listed = operation.body.get("tags")
    tags = [tag.strip() for tag in listed[:_MOST_TAGS] if isinstance(tag, str)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(filter(None, tags)))


def _risk(operation: Operation, spec: SourceSpec) -> Risk:
    """Give what an operation can do, by its method, unless the source's settings say otherwise."""
    usual = {"get": Risk.READ, "head": Risk.READ, "options": Risk.READ, "delete": Risk.DANGEROUS}
    by_method = spec.risks.get(operation.method, spec.risk)
    return by_method or usual.get(operation.method, Risk.WRITE)
