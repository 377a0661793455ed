"""What a source says about one tool, before it has a name in the catalogue."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from router.types import Risk

MOST_CHARACTERS = 1_024  # of a description; providers refuse longer ones

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A tool of a source.

    `original` names it there, `wish` is the name it should have here. `tool` is an OpenAI tool object without a name.
    `digest` is of everything the source says about it: another digest is another definition.
    """

    original: str
    wish: str
    tool: JSON
    digest: str
    tags: tuple[str, ...] = ()
    risk: Risk = Risk.READ
    extra: JSON | None = None  # further fields of a record

    def record(self, name: str, source: str, tenant: str = "") -> bytes:
        """Give the record of this tool under a name, for everyone or for one tenant."""
        kind = self.tool["type"]
        named = self.tool | {kind: {"name": name} | self.tool[kind]}
        fields = {"tool": named, "tags": list(self.tags), "risk": self.risk.value} | (self.extra or {})
        belongs = {"source": source} | ({"tenant": tenant} if tenant else {})
        return json.dumps(fields | belongs, ensure_ascii=False, sort_keys=False).encode()


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
