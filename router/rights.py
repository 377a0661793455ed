"""What decides about permission, as arrays: for every tool its risk, its kind, its tags, its source and its tenant.

Immutable. A tool that may be offered to nobody, disabled or dangerous, has no risk that can be granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.lookup import Lookup, Rows
from router.types import Grants, Kind, Mask, Positions, Risk, Tool

_RISKS = {risk: 1 << bit for bit, risk in enumerate(Risk)}
_KINDS = {kind: 1 << bit for bit, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Rights:
    """One bit a tool in `risks` and `kinds`, `uint8[n]`; the rows of each tag, source and tenant, rising."""

    risks: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    tags: Lookup
    sources: Lookup
    tenants: Lookup

    @classmethod
    def build(cls, tools: Sequence[Tool]) -> Rights:
        """Build for tools, in order."""
        return cls(
            risks=np.fromiter(map(_risk, tools), dtype=np.uint8, count=len(tools)),
            kinds=np.fromiter(map(_kind, tools), dtype=np.uint8, count=len(tools)),
            tags=Lookup.build(tool.tags for tool in tools),
            sources=Lookup.build((tool.source,) for tool in tools),
            tenants=Lookup.build((tool.tenant,) for tool in tools),
        )

    def changed(self, places: Positions, now_at: Rows, gone: Sequence[Tool], fresh: Mapping[int, Tool]) -> Rights:
        """Give the rights of other tools: row i is row `places[i]` of these, or one of `fresh` by its row.

        `now_at[j]` is where row j went, -1 for a tool of `gone`.
        """
        risks, kinds = np.append(self.risks, np.uint8(0))[places], np.append(self.kinds, np.uint8(0))[places]
        for row, tool in fresh.items():
            risks[row], kinds[row] = _risk(tool), _kind(tool)
        return Rights(
            risks=risks,
            kinds=kinds,
            tags=self.tags.changed(
                now_at, (tag for tool in gone for tag in tool.tags), {row: tool.tags for row, tool in fresh.items()}
            ),
            sources=self.sources.changed(
                now_at, (tool.source for tool in gone), {row: (tool.source,) for row, tool in fresh.items()}
            ),
            tenants=self.tenants.changed(
                now_at, (tool.tenant for tool in gone), {row: (tool.tenant,) for row, tool in fresh.items()}
            ),
        )

    def mask(self, grants: Grants, kinds: frozenset[Kind]) -> Mask:
        """Tell for every tool whether these grants reach it and a list of these kinds can hold it, `bool[n]`."""
        risks = np.uint8(sum(_RISKS[risk] for risk in grants.risks))
        mask: Mask = (self.risks & risks).astype(np.bool_)
        mask &= (self.kinds & np.uint8(sum(_KINDS[kind] for kind in kinds))).astype(np.bool_)
        mask &= _any_of({"", *grants.tenants}, self.tenants, len(mask))
        for wanted, held in ((grants.tags, self.tags), (grants.wanted, self.tags), (grants.sources, self.sources)):
            if wanted:
                mask &= _any_of(wanted, held, len(mask))
        return mask


def _risk(tool: Tool) -> int:
    return _RISKS[tool.risk] if tool.enabled and tool.risk is not Risk.DANGEROUS else 0


def _kind(tool: Tool) -> int:
    return _KINDS[tool.kind]


def _any_of(wanted: Iterable[str], held: Lookup, n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    for word in wanted:
        if word in held:
            mask[held[word]] = True
    return mask
