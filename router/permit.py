"""Who may be offered what: grants -> boolean[n]. Applied before retrieval, never after; never fails open."""

from __future__ import annotations

from router.catalog import Catalog
from router.types import Barrier, Grants, Kind, Mask, Reason, Risk, Tool

# Of a caller of whom nothing is known: everything that belongs to no tenant, as far as its risk is allowed.
ANYONE = Grants(frozenset(Risk))


def permitted(catalog: Catalog, grants: Grants, kinds: frozenset[Kind]) -> Mask:
    """Tell for every tool of the catalogue whether this caller may be offered it, `bool[n]`."""
    return catalog.rights.mask(grants, kinds)


def refusal(tool: Tool, grants: Grants) -> Reason | None:
    """Say why a registered tool may not be offered, or None when it may. Dangerous tools never may."""
    found = barriers(tool, grants)
    if not found:
        return None
    return Reason.DISABLED if Barrier.DISABLED in found else Reason.NOT_PERMITTED


def barriers(tool: Tool, grants: Grants, kinds: frozenset[Kind] = frozenset(Kind)) -> tuple[Barrier, ...]:
    """Return all that keeps a registered tool from being offered; nothing where it may be."""
    held = {
        Barrier.DISABLED: not tool.enabled,
        Barrier.DANGEROUS: tool.risk is Risk.DANGEROUS,
        Barrier.RISK: tool.risk is not Risk.DANGEROUS and tool.risk not in grants.risks,
        Barrier.TENANT: bool(tool.tenant) and tool.tenant not in grants.tenants,
        Barrier.TAGS: bool(grants.tags) and grants.tags.isdisjoint(tool.tags),
        Barrier.WANTED: bool(grants.wanted) and grants.wanted.isdisjoint(tool.tags),
        Barrier.SOURCE: bool(grants.sources) and tool.source not in grants.sources,
        Barrier.KIND: tool.kind not in kinds,
    }
    return tuple(barrier for barrier, stands in held.items() if stands)
