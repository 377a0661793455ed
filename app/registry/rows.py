"""Tools as rows, rows as tools: exact both ways but for `fixed` and `marker`, which belong to a request.

Everything here is CPU work without I/O; the store runs it in threads.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import ColumnElement, func, or_

from app.errors import BadRequest, Conflict
from router import text
from router.types import Kind, Parameter, Risk, Tool, Vectors

Row = dict[str, Any]

# The columns that make a tool, in the order in which `to_tool` takes them.
TOOL_COLUMNS = (
    "name",
    "definition",
    "kind",
    "description",
    "parameters",
    "tags",
    "keywords",
    "examples",
    "pinned",
    "enabled",
    "risk",
    "source",
    "tenant",
)
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\uff0d\N{SOFT HYPHEN}", "-"))
# `tenant` is hashed where there is one: records of before there were tenants keep their digests.
_HASHED = (*TOOL_COLUMNS[:-1], "text_digest")

_EMPTY = "[]"
_KINDS = {kind.value: kind for kind in Kind}
_RISKS = {risk.value: risk for risk in Risk}
_ENCODER = msgspec.json.Encoder()
_WORDS = msgspec.json.Decoder(tuple[str, ...])
_PARAMETERS = msgspec.json.Decoder(tuple[Parameter, ...])


def from_tool(tool: Tool) -> Row:
    """Give the row of a tool, without its id and times.

    Raises:
        BadRequest: A text of the tool cannot be stored: it holds half a surrogate pair, or a NUL.
    """
    if any("\0" in given for given in (tool.name, tool.description, tool.source, *tool.tags)):
        raise BadRequest(f"{tool.name!a}: a text of this tool holds a NUL")
    row: Row = {
        "name": tool.name,
        "definition": tool.definition,
        "kind": tool.kind.value,
        "description": tool.description,
        "parameters": _json(tool.name, tool.parameters),
        "tags": _json(tool.name, tool.tags),
        "keywords": _json(tool.name, tool.keywords),
        "examples": _json(tool.name, tool.examples),
        "pinned": tool.pinned,
        "enabled": tool.enabled,
        "risk": tool.risk.value,
        "source": tool.source,
        "tenant": tool.tenant,
        "folded": fold(f"{tool.name}\n{tool.description}"),
        "text_digest": text.digest(tool),
    }
    # The text digest is hashed along: after a change of its recipe an import brings the rows up to date.
    hashed = _json(tool.name, [row[name] for name in _HASHED] + [tool.tenant] * bool(tool.tenant))
    return row | {"digest": hashlib.blake2b(hashed.encode(), digest_size=16).hexdigest()}


def from_tools(tools: Iterable[Tool]) -> list[Row]:
    """Give the rows of tools, stamped with the present moment."""
    now = datetime.now(UTC)
    return [from_tool(tool) | {"created_at": now, "updated_at": now} for tool in tools]


def fresh(tools: Sequence[Tool]) -> dict[str, Row]:
    """Give the tools' rows by name.

    Raises:
        Conflict: One name twice among the tools.
    """
    found = {row["name"]: row for row in from_tools(tools)}
    if len(found) < len(tools):
        twice = next(name for name, times in Counter(tool.name for tool in tools).items() if times > 1)
        raise Conflict(f"The tool {twice!r} is there twice; nothing was changed")
    return found


def compared(fresh: Mapping[str, Row], known: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Give the names that are new, that differ from the `known` digests, and that do not."""
    created: list[str] = []
    updated: list[str] = []
    unchanged: list[str] = []
    for name, row in fresh.items():
        if name not in known:
            created.append(name)
        elif row["digest"] != known[name]:
            updated.append(name)
        else:
            unchanged.append(name)
    return created, updated, unchanged


def to_tool(row: Sequence[Any]) -> Tool:
    """Give the tool of a row of `TOOL_COLUMNS`."""
    (
        name,
        definition,
        kind,
        description,
        parameters,
        tags,
        keywords,
        examples,
        pinned,
        enabled,
        risk,
        source,
        tenant,
    ) = row
    return Tool(
        name=name,
        definition=definition,
        kind=_KINDS[kind],
        description=description,
        parameters=() if parameters == _EMPTY else _PARAMETERS.decode(parameters),
        tags=_words(tags),
        keywords=_words(keywords),
        examples=_words(examples),
        pinned=pinned,
        enabled=enabled,
        risk=_RISKS[risk],
        source=source,
        tenant=tenant,
    )


def to_tools(rows: Iterable[Sequence[Any]]) -> list[Tool]:
    """Give the tools of rows of `TOOL_COLUMNS`."""
    return [to_tool(row) for row in rows]


def to_digested(rows: Iterable[Sequence[Any]]) -> tuple[list[Tool], list[str], dict[str, str]]:
    """Give the tools of rows of `TOOL_COLUMNS` and `text_digest`, their digests, and those by name that are new.

    A digest of today's recipe is taken as stored: making 100,000 of them anew takes most of a second.
    """
    tools: list[Tool] = []
    digests: list[str] = []
    stale: dict[str, str] = {}
    for *columns, stored in rows:
        tool = to_tool(columns)
        digest = stored
        if not stored.startswith(text.DIGESTS_BEGIN):
            digest = stale[tool.name] = text.digest(tool)
        tools.append(tool)
        digests.append(digest)
    return tools, digests, stale


def from_vectors(encoder: str, vectors: Iterable[tuple[str, Vectors]]) -> list[Row]:
    """Give the rows of vectors by digest, stamped with the present moment."""
    now = datetime.now(UTC)
    return [
        {
            "digest": digest,
            "encoder": encoder,
            "learned_at": now,
            "vector": np.asarray(vector, dtype="<f4").tobytes(),
        }
        for digest, vector in vectors
    ]


def to_vectors(rows: Iterable[tuple[str, bytes]]) -> dict[str, Vectors]:
    """Give vectors, `float32[d]` and read-only, by digest."""
    return {digest: np.frombuffer(vector, dtype="<f4").astype(np.float32, copy=False) for digest, vector in rows}


def fold(words: str) -> str:
    """Return a text without its differences of case, and with one kind of hyphen, as `find` compares it."""
    return words.casefold().translate(_HYPHENS)


def is_written_like(folded: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Return the condition that a folded text holds a text, however it writes hyphens: `e-mail`, `email`, `e mail`.

    `_` and a blank are the same, as names are made of words.
    """
    asked = fold(text)
    ways = [folded.contains(given, autoescape=True) for given in dict.fromkeys((asked, text.casefold()))]
    if asked.strip("-_ "):  # nothing else is in every text
        joined = func.replace(folded, "-", "")
        if any(sign in asked for sign in "-_ "):
            apart = " " + _in_words(folded)
            start = " " if "-" in asked else ""  # `e-mail` is a word, and not in `the mailbox`
            ways.append(apart.contains(start + asked.replace("-", " ").replace("_", " "), autoescape=True))
            joined, asked = func.replace(joined, "_", " "), asked.replace("-", "").replace("_", " ")
        ways.append(joined.contains(asked, autoescape=True))
    return or_(*ways)


def _in_words(folded: ColumnElement[str]) -> ColumnElement[str]:
    """Return a folded text with blanks for hyphens, underscores and line breaks."""
    return func.replace(func.replace(func.replace(folded, "-", " "), "_", " "), "\n", " ")


def _json(name: str, value: object) -> str:
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{name!a}: a text of this tool holds half a surrogate pair") from error


def _words(stored: str) -> tuple[str, ...]:
    return () if stored == _EMPTY else _WORDS.decode(stored)
