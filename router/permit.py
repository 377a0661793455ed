"""Who may be offered what: grants -> boolean[n]. Applied before retrieval, never after; never fails open."""

from __future__ import annotations

from router.catalog import Catalog
from router.types import Grants, Kind, Mask, Reason, Risk, Tool

# Of a caller of whom nothing is known: everything that belongs to no tenant, as far as its risk is allowed.
ANYONE = Grants(frozenset(Risk))


def permitted(catalog: Catalog, grants: Grants, kinds: frozenset[Kind]) -> Mask:
    """Tell for every tool of the catalogue whether this caller may be offered it, `bool[n]`."""
    return catalog.rights.mask(grants, kinds)


def refusal(tool: Tool, grants: Grants) -> Reason | None:
    """Say why a registered tool may not be offered, or None when it may. Dangerous tools never may."""
    if not tool.enabled:
        return Reason.DISABLED
    if tool.risk is Risk.DANGEROUS or tool.risk not in grants.risks:
        return Reason.NOT_PERMITTED
    if tool.tenant and tool.tenant not in grants.tenants:
        return Reason.NOT_PERMITTED
    if any(tags and tags.isdisjoint(tool.tags) for tags in (grants.tags, grants.wanted)):
        return Reason.NOT_PERMITTED
    if grants.sources and tool.source not in grants.sources:
        return Reason.NOT_PERMITTED
    return None
