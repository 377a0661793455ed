"""`$ref` within one document. What leads out of it, nowhere, or in a circle counts as nothing, and is noted."""

from __future__ import annotations

from urllib.parse import unquote

from app.digits import whole
from app.imports.bounds import Work, mapping
from app.imports.found import JSON, UnusableTool

_MOST_STEPS = 20
_SHOWN = 200  # characters of a reference in a reason


class Document:
    """A document that refers to itself, and what reading it costs."""

    def __init__(self, whole: JSON, work: Work) -> None:
        self.whole = whole
        self.work = work
        self.missing: dict[str, None] = {}  # references that led nowhere, in their order; who reads them empties it

    def found(self, value: object, what: str) -> JSON:
        """Return what a value is or refers to.

        Raises:
            UnusableTool: It is no object, or refers to nothing in this document.
        """
        if not isinstance(value, dict):
            raise UnusableTool(f"{what} is not an object")
        missing, self.missing = self.missing, {}
        found, path = self.resolved(value)
        nowhere, self.missing = self.missing, missing
        if nowhere:
            raise UnusableTool(f"{what} refers to {next(iter(nowhere))}, which is not in the document")
        if path and not found:
            raise UnusableTool(f"{what} refers to {path[0][:_SHOWN]}, which is nothing or refers to itself")
        return found

    def resolved(self, value: object) -> tuple[JSON, tuple[str, ...]]:
        """Follow `$ref` until it is none; give what is there, and the references that led to it.

        What stands beside a reference (3.1) wins over what it leads to.
        """
        found = mapping(value)
        self.work.step()
        path: list[str] = []
        beside: list[JSON] = []
        while isinstance(found.get("$ref"), str):
            reference = found["$ref"]
            if reference in path or len(path) == _MOST_STEPS:
                return {}, tuple(path)
            path.append(reference)
            self.work.step(len(found))
            self.work.text(len(reference))
            beside.append({key: inner for key, inner in found.items() if key != "$ref"})
            there = _at(self.whole, reference)
            if there is None:
                self.missing[reference[:_SHOWN]] = None
            found = mapping(there)
        for extra in filter(None, reversed(beside)):
            self.work.step(len(found))
            found = found | extra
        return found, tuple(path)


def _at(document: JSON, reference: str) -> object:
    """Look a JSON pointer up. Source: RFC 6901, section 6."""
    if not reference.startswith("#"):
        return None
    found: object = document
    for part in reference[1:].split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and (index := whole(key, len(found))) is not None and index < len(found):
            found = found[index]
        else:
            return None
    return found
