"""What all requests share that have the same tools to draw from, the same rights and the same budget.

An agent loop, and many users of one application, send the same list again and again: this is made once for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import getsizeof
from typing import Self

import numpy as np

from router import cut, footprint
from router.catalog import Pool
from router.types import Budget, Grants, Kind, Mask, Reason, RouteRequest, Source

KEY_BYTES = 768  # of a key's tuples, versions and kinds
_POSITION_BYTES = 32

FrameKey = tuple[
    tuple[str, str, Source], tuple[Grants, frozenset[Kind], Budget], tuple[tuple[str, ...], frozenset[int]]
]


@dataclass(frozen=True, slots=True)
class Frame:
    """Which tools of a pool count, `bool[n]`.

    `registered` are those of the catalogue that the grants reach. Retrieval may see `permitted` ones: trimmable tools
    of the client and permitted ones of the catalogue. A tool choice may name `demandable` ones. `kept` ones are sent
    in any case, `choosable` are the permitted others, `chooses` says whether there is one. `offered` are all that
    could be sent, `available` their number, `tokens` theirs together. `scope` names what a set in force depends on,
    but for the conversation, its owner and the tools: a list is known by its tools, whatever its bytes are.
    """

    registered: Mask
    permitted: Mask
    demandable: Mask
    kept: dict[int, Reason]
    choosable: Mask
    chooses: bool
    offered: Mask
    available: int
    tokens: int
    scope: bytes

    @classmethod
    def build(cls, pool: Pool, request: RouteRequest, registered: Mask, named: frozenset[int] = frozenset()) -> Self:
        """Build for a pool; `registered` is `permit.permitted` of its catalogue, `bool[n]`.

        `named` are the positions of the client's tools that its instructions name.
        """
        permitted = demandable = _permitted(pool, request, registered)
        if request.source is Source.FORCED:
            permitted = demandable.copy()
            permitted[len(pool.own) :] = False
        kept = cut.invariants(pool, permitted, request.source, request.budget, request.keep, named)
        choosable = permitted.copy()
        choosable[list(kept)] = False
        offered = permitted.copy()
        if request.source is not Source.REGISTRY:
            offered[: len(pool.own)] = True
        return cls(
            registered=registered,
            permitted=permitted,
            demandable=demandable,
            kept=kept,
            choosable=choosable,
            chooses=bool(choosable.any()),
            offered=offered,
            available=int(offered.sum()),
            tokens=int(pool.tokens()[offered].sum()),
            scope=repr(_scope(request)).encode(),
        )

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        masks = (self.registered, self.permitted, self.demandable, self.choosable, self.offered)
        different = {id(mask): mask.nbytes for mask in masks}
        return sum(different.values()) + getsizeof(self.kept) + _POSITION_BYTES * len(self.kept) + 1_024


def frame_key(pool: Pool, request: RouteRequest, named: frozenset[int]) -> FrameKey:
    """Return what a frame depends on."""
    return (
        (pool.own.version, pool.registered.version, request.source),
        (request.grants, request.kinds, request.budget),
        (request.keep, named),
    )


def frame_size(key: FrameKey, frame: Frame) -> int:
    """Return what a frame and its key take in memory."""
    _, (grants, _, budget), (keep, named) = key
    names = sum(footprint.texts(texts) for texts in (budget.trusted, keep, [frame.scope]))
    return KEY_BYTES + footprint.of_grants(grants) + names + _POSITION_BYTES * 2 * len(named) + frame.nbytes


def _permitted(pool: Pool, request: RouteRequest, registered: Mask) -> Mask:
    """Tell what retrieval may see.

    A name in both is the client's definition; with the registry as the only source it is in as far as the
    catalogue's is permitted.
    """
    own, by_name = pool.own, pool.registered.by_name
    shadowed = [i for name in own.by_name for i in by_name.get(name, ())]
    every = request.source is not Source.REGISTRY
    offered = {pool.registered.tools[i].name for i in shadowed if registered[i]}
    trimmable = ((every or tool.name in offered) and not tool.fixed for tool in own.tools)
    mask = np.fromiter(trimmable, np.bool_, count=len(own))
    if shadowed:
        registered = registered.copy()
        registered[shadowed] = False
    return np.concatenate([mask, registered])


def _scope(request: RouteRequest) -> tuple[object, ...]:
    grants, budget = request.grants, request.budget
    return (
        *(sorted(getattr(grants, name)) for name in Grants.__slots__),  # all there are: none can be forgotten
        sorted(request.kinds),
        request.source,
        request.keep,
        (budget.initial, budget.most, budget.source_share),
        sorted(budget.trusted),
    )
