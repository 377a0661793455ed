"""What a registry tells of its changes -> what the next catalogue is made of. CPU work without I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.registry.store import Changes
from router.catalog import Catalog, Space
from router.change import Change
from router.index.choice import index_of
from router.types import Positions, Tool, Vectors


@dataclass(frozen=True)
class Draft:
    """A next catalogue before it has vectors: its change of the one in use, and the digest of each row's vectors.

    `held` is the row of the one in use with the same content, `int64[n]`; -1 where there is none: the rows `new`. Row
    by content, valid only for a space that is still what it was. Vectors in this process are; those in a database may
    have gone and come back as others, except where nobody wrote to the row.
    """

    change: Change
    digests: list[str]
    held: Positions
    new: list[int]

    @property
    def wanted(self) -> dict[str, Tool]:
        """The tools whose vectors must be looked up where the others are held, by digest."""
        return {self.digests[row]: self.change.tools[row] for row in self.new}

    @property
    def written(self) -> dict[str, Tool]:
        """The tools that were written since, by digest: all of them where that is not known."""
        return {self.digests[row]: tool for row, tool in self.change.tools.items()}


def drafted(catalog: Catalog, digests: list[str], changes: Changes) -> Draft:
    """Plan the next catalogue from the one in use, whose digests these are."""
    change = _change(catalog, changes)
    after = _after(digests, change, changes)
    rows = {digest: row for row, digest in enumerate(digests)}
    held = np.fromiter((rows.get(digest, -1) for digest in after), dtype=np.int64, count=len(after))
    return Draft(change, after, held, [row for row in change.tools if held[row] < 0])


def filled(space: Space, draft: Draft, found: dict[str, Vectors]) -> Space:
    """Give the next vectors of an encoder: what is held, and what was found."""
    ready = (draft.held >= 0) & np.append(space.ready, False)[draft.held]  # which -1 takes
    coming = [row for row in np.flatnonzero(~ready).tolist() if draft.digests[row] in found]
    if not coming and np.array_equal(draft.held, np.arange(len(space.ready))):
        return space
    if len(space.ready):
        vectors = space.index.take(np.maximum(draft.held, 0))  # one copy: at 100,000 tools that is 200 MB
        vectors[~ready] = 0
    else:
        vectors = np.zeros((len(ready), space.index.take(draft.held[:0]).shape[1]), dtype=np.float32)
    for row in coming:
        vectors[row] = found[draft.digests[row]]
    ready[coming] = True
    return Space(space.key, index_of(vectors), ready)


def _change(catalog: Catalog, changes: Changes) -> Change:
    """Find the rows of what was written: a known tool keeps its place, a new one comes behind."""
    if changes.whole:
        return Change(np.full(len(changes.tools), -1, dtype=np.int64), dict(enumerate(changes.tools)))
    gone = [row for name in changes.removed for row in catalog.by_name.get(name, ())]
    kept = np.delete(np.arange(len(catalog)), gone)
    rows = dict(zip(kept.tolist(), range(len(kept)), strict=True)) if gone else range(len(catalog))
    fresh: dict[int, Tool] = {}
    end = len(kept)
    for tool in changes.tools:
        known = catalog.by_name.get(tool.name) if tool.name not in changes.removed else None
        fresh[rows[known[0]] if known else end] = tool
        end += known is None
    return Change(np.append(kept, np.full(end - len(kept), -1)), fresh)


def _after(digests: list[str], change: Change, changes: Changes) -> list[str]:
    written = {tool.name: digest for tool, digest in zip(changes.tools, changes.digests, strict=True)}
    fresh = change.tools
    return [
        written[fresh[row].name] if row in fresh else digests[place] for row, place in enumerate(change.places.tolist())
    ]
