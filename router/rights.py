"""What decides about permission, as arrays: for every tool its risk, its kind, its tags and its source.

Immutable. A tool that may be offered to nobody, disabled or dangerous, has no risk that can be granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.types import Grants, Kind, Mask, Risk, Tool

_RISKS = {risk: 1 << bit for bit, risk in enumerate(Risk)}
_KINDS = {kind: 1 << bit for bit, kind in enumerate(Kind)}

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rights:
    """One bit a tool in `risks` and `kinds`, `uint8[n]`; the rows of each tag and source, rising."""

    risks: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    tags: dict[str, Rows]
    sources: dict[str, Rows]

    @classmethod
    def build(cls, tools: Sequence[Tool]) -> Rights:
        """Build for tools, in order."""
        return cls(
            risks=np.fromiter(map(_risk, tools), dtype=np.uint8, count=len(tools)),
            kinds=np.fromiter((_KINDS[tool.kind] for tool in tools), dtype=np.uint8, count=len(tools)),
            tags=_rows(tool.tags for tool in tools),
            sources=_rows((tool.source,) for tool in tools),
        )

    def mask(self, grants: Grants, kinds: frozenset[Kind]) -> Mask:
        """Tell for every tool whether these grants reach it and a list of these kinds can hold it, `bool[n]`."""
        risks = np.uint8(sum(_RISKS[risk] for risk in grants.risks))
        mask: Mask = (self.risks & risks).astype(np.bool_)
        mask &= (self.kinds & np.uint8(sum(_KINDS[kind] for kind in kinds))).astype(np.bool_)
        for wanted, held in ((grants.tags, self.tags), (grants.sources, self.sources)):
            if wanted:
                mask &= _any_of(wanted, held, len(mask))
        return mask


def _risk(tool: Tool) -> int:
    return _RISKS[tool.risk] if tool.enabled and tool.risk is not Risk.DANGEROUS else 0


def _rows(words: Iterable[Iterable[str]]) -> dict[str, Rows]:
    found: dict[str, list[int]] = {}
    for row, held in enumerate(words):
        for word in held:
            found.setdefault(word, []).append(row)
    return {word: np.asarray(rows, dtype=np.int32) for word, rows in found.items()}


def _any_of(wanted: Iterable[str], held: dict[str, Rows], n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    for word in wanted:
        if word in held:
            mask[held[word]] = True
    return mask
