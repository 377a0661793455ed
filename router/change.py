"""A catalogue -> the next one, at the cost of what changed. It equals a catalogue that is built anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router import text
from router.catalog import Catalog, Space
from router.postings import Postings
from router.types import Positions, Tool


@dataclass(frozen=True)
class Change:
    """What a next catalogue is made of.

    Row i is what row `places[i]` was, `int64[n]`, or is new where that is -1; kept rows keep their order. `tools` are
    the new ones, and what kept rows have become, by row.
    """

    places: Positions
    tools: Mapping[int, Tool]


def changed(catalog: Catalog, change: Change, version: str, spaces: Sequence[Space] = ()) -> Catalog:
    """Give the next catalogue; requests go on with the one they hold."""
    places, fresh, before = change.places, change.tools, catalog.tools
    tokens = np.append(catalog.tokens, 0)[places]  # -1 takes the last
    tokens[list(fresh)] = [text.estimate_tokens(tool.definition) for tool in fresh.values()]
    kept = np.setdiff1d(np.flatnonzero(places >= 0), list(fresh))
    now_at = np.full(len(before), -1, dtype=np.int32)
    now_at[places[kept]] = kept
    gone = [before[row] for row in np.flatnonzero(now_at < 0).tolist()]
    after = Catalog(
        version=version,
        tools=tuple(tools_after(catalog, change)),
        postings=_postings(catalog.postings, before, change, text.document),
        names=_postings(catalog.names, before, change, text.named),
        spellings=catalog.spellings.changed(now_at, fresh),
        spaces=tuple(spaces),
        tokens=tokens,
    )
    # Made when first asked for elsewhere; here they follow from what is known.
    vars(after)["rights"] = catalog.rights.changed(places, now_at, gone, fresh)
    vars(after)["by_phrase"] = catalog.by_phrase.changed(
        now_at,
        (word for tool in gone for word in text.keywords(tool)),
        {row: text.keywords(tool) for row, tool in fresh.items()},
    )
    return after


def tools_after(catalog: Catalog, change: Change) -> list[Tool]:
    """Give the tools of the next catalogue."""
    before, fresh = catalog.tools, change.tools
    return [fresh[row] if row in fresh else before[place] for row, place in enumerate(change.places.tolist())]


def _postings(
    postings: Postings, before: Sequence[Tool], change: Change, tokens_of: Callable[[Tool], list[str]]
) -> Postings:
    places, documents = change.places.copy(), []
    for row, tool in sorted(change.tools.items()):
        place, tokens = int(places[row]), tokens_of(tool)
        if place < 0 or tokens_of(before[place]) != tokens:
            places[row] = -1
            documents.append(tokens)
    if not documents and np.array_equal(places, np.arange(len(postings))):
        return postings
    return postings.changed(places, documents, text.terms_of)
