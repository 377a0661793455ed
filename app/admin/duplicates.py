"""Near-duplicates of registered tools, told in names. Nothing is refused for being one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from app.errors import BadRequest
from router import duplicates
from router.catalog import Catalog
from router.duplicates import Embedded
from router.types import Tool

FEW = 64  # as many written tools are compared before a write is answered
TOLD = 20


class Duplicate(TypedDict):
    """Two tools; `similarity` is null where one has no vector yet."""

    name: str
    like: str
    similarity: float | None
    same_description: bool


class Duplicates(TypedDict):
    """The likest pairs, and how many there are."""

    duplicates: list[Duplicate]
    total: int


def of_written(catalog: Catalog, names: Sequence[str], threshold: float) -> list[Duplicate] | None:
    """Give what is like the tools that were just written; None where they are many, or have no vectors yet."""
    if any(not space.index.at_hand for space in catalog.spaces):
        return None  # all vectors would have to be fetched
    embedded = _embedded(catalog)
    rows = [row for name in names for row in catalog.by_name.get(name, ())]
    if len(names) > FEW or not embedded.ready[rows].all():
        return None
    return among(embedded, rows, threshold, TOLD)["duplicates"]


def of_catalog(catalog: Catalog, source: str | None, threshold: float, limit: int) -> Duplicates:
    """Give the near-duplicates in a catalogue, or those of the tools of one source.

    Raises:
        BadRequest: They are too many to compare.
    """
    return among(_embedded(catalog), rows_of(catalog.tools, source), threshold, limit)


def rows_of(tools: Sequence[Tool], source: str | None) -> list[int]:
    """Give the rows of a source, or all."""
    return [row for row, tool in enumerate(tools) if source is None or tool.source == source]


def among(embedded: Embedded, rows: Sequence[int], threshold: float, limit: int) -> Duplicates:
    """Compare the tools of some rows with all.

    Raises:
        BadRequest: They are too many.
    """
    tools = embedded.tools
    if not duplicates.takes_seconds(len(rows), len(tools)):
        raise BadRequest(
            f"{len(rows):,} tools are too many to compare with {len(tools):,}: name one source, with fewer tools."
        )
    asked = np.asarray(sorted(rows), dtype=np.int64)
    found = duplicates.find(embedded, asked, threshold=threshold, limit=limit)
    return {"duplicates": [_named(pair, tools) for pair in found.pairs], "total": found.total}


def _embedded(catalog: Catalog) -> Embedded:
    """Give the tools with the vectors of the first encoder; a catalogue that is not loaded has none."""
    if not catalog.spaces:
        return Embedded(catalog.tools, np.zeros((len(catalog), 1), np.float32), np.zeros(len(catalog), np.bool_))
    return Embedded(catalog.tools, catalog.spaces[0].index.take(np.arange(len(catalog))), catalog.spaces[0].ready)


def _named(pair: duplicates.Pair, tools: Sequence[Tool]) -> Duplicate:
    return {
        "name": tools[pair.row].name,
        "like": tools[pair.like].name,
        "similarity": None if pair.similarity is None else round(pair.similarity, 3),
        "same_description": pair.same_description,
    }
