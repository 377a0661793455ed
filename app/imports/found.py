"""What a source says about one tool, before it has a name in the catalogue."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from router.types import Risk

MOST_CHARACTERS = 1_024  # of a description; providers refuse longer ones
MOST_BINDING = 131_072  # characters of what a caller needs; a thousand parameters have room

_MOST_KEYWORD = 100  # characters
_MOST_SHOWN, _MOST_REASON = 200, 1_000

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A tool of a source.

    `original` names it there, `wish` is the name it should have here. `tool` is an OpenAI tool object without a name.
    `digest` is of everything the source says about it: another digest is another definition. `earlier` is the digest
    by the recipe of before there were bindings, where that is another one. `binding` is what a caller needs to call it
    at its source: see docs/imports.md. `notes` tell what of it could not be taken as it is.
    """

    original: str
    wish: str
    tool: JSON
    digest: str
    tags: tuple[str, ...] = ()
    risk: Risk = Risk.READ
    extra: JSON | None = None  # further fields of a record
    binding: JSON = field(default_factory=dict)
    earlier: str = ""
    notes: tuple[str, ...] = ()

    def record(self, name: str, source: str, tenant: str = "") -> bytes:
        """Give the record of this tool under a name, for everyone or for one tenant."""
        kind = self.tool["type"]
        named = self.tool | {kind: {"name": name} | self.tool[kind]}
        fields = {"tool": named, "tags": list(self.tags), "risk": self.risk.value} | (self.extra or {})
        belongs = {"source": source} | ({"tenant": tenant} if tenant else {})
        return json.dumps(fields | belongs, ensure_ascii=False, sort_keys=False).encode()


class Refused(msgspec.Struct):
    """A tool that cannot be taken: its name at the source, or its place where it has none, and why."""

    original: str
    reason: str

    def __post_init__(self) -> None:
        """Make both fit to be shown: a source may have written anything."""
        self.original, self.reason = shown(self.original, _MOST_SHOWN), shown(self.reason, _MOST_REASON)


class UnusableTool(ValueError):
    """One tool of a source that cannot be taken; the text says why. The others can."""


def shown(text: str, most: int) -> str:
    """Return a text of a source as an answer can have it: cut, and a question mark for half a character."""
    return text[:most].encode("utf-8", "replace").decode()


def function(description: str, parameters: JSON | None) -> JSON:
    """Give a function tool without a name."""
    body: JSON = {"description": shortened(description, MOST_CHARACTERS)} if description else {}
    if parameters is not None:
        body["parameters"] = parameters
    return {"type": "function", "function": body}


def digest_of(*said: object) -> str:
    """Give the digest of JSON values; the order of keys does not count."""
    return digest_of_texts(*map(canonical, said))


def canonical(said: object) -> str:
    """Give a JSON value as text; the order of keys does not count."""
    return json.dumps(said, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def digest_of_texts(*said: str) -> str:
    """Give the digest of JSON values that are `canonical` already."""
    return hashlib.sha256(f"[{','.join(said)}]".encode()).hexdigest()


def shortened(text: str, most: int) -> str:
    """Cut a text that is too long, between two words."""
    text = text.strip()
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    return re.sub(r"\s+\S*\Z", "", cut) + "…" if re.search(r"\s", cut[most // 2 :]) else cut + "…"


def described(description: str, title: str, original: str) -> str:
    """Return the text that a tool is found by: what of its title and its own name is said nowhere else goes before it.

    A name in ASCII is the tool's name here; of one in another script nothing is left in that.
    """
    before: list[str] = []
    known = [folded(description)] + ([] if is_lost(original) else [folded(original)])
    for text in (original if is_lost(original) else "", title):
        said = folded(text)
        if said and not any(said in one for one in known):
            before.append(text.strip())
            known.append(said)
    return "\n".join([*before, *([description] if description.strip() else [])])


def keywords(originals: Iterable[str]) -> JSON:
    """Return the fields of a record that make a tool findable by names and titles that its name cannot hold."""
    names = list(dict.fromkeys(text.strip()[:_MOST_KEYWORD] for text in originals if is_lost(text)))
    return {"keywords": names} if names else {}


def is_lost(name: str) -> bool:
    """Return whether letters of a name are gone where it is written in ASCII."""
    return any(character.isalnum() and not character.isascii() for character in name)


def folded(text: str) -> str:
    """Return a text without its differences of case, blanks and punctuation."""
    return "".join(filter(str.isalnum, text.casefold()))
