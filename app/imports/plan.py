"""What an import changes: what a source says now against what is known of it. Pure.

Laws: what an operator has changed on an imported tool stays (tags, keywords, risk, whether it is enabled); only a
risk that the source itself raises is raised, and none that was raised by hand is lowered. A definition that is held
back is not offered: neither the new one nor the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from app.admin import records
from app.registry.held import Pending
from app.registry.sources import Known, Provenance, pending
from router.types import Risk, Tool

_RISKS = list(Risk)  # from harmless to dangerous
_OWNED = ("tags", "keywords", "examples", "pinned", "enabled", "tenant")  # what an operator may have changed
_DEFINITION = ("definition", "kind", "description", "parameters")


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as its source has it now: checked, with its name here, the record it was made of, and its digest.

    `binding` is what a caller needs to call it (JSON), `earlier` its digest as it was made before there were bindings.
    `notes` is what should be told of it.
    """

    original: str
    tool: Tool
    base: str
    digest: str
    binding: str = ""
    earlier: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the tools of an import are from, and the moment."""

    source: str
    kind: str
    url: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """What has to be approved before it is offered."""

    new: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference, in names. `changed` tells which fields; `held` are new or changed and wait for approval.

    `waiting` were held back at an earlier import. `written` is what has to be stored for all that.
    """

    new: tuple[str, ...]
    changed: dict[str, tuple[str, ...]]
    gone: tuple[str, ...]
    unchanged: tuple[str, ...]
    held: tuple[str, ...]
    waiting: tuple[str, ...]
    written: tuple[Known, ...]


def plan(offers: Sequence[Offer], known: Sequence[Known], origin: Origin, hold: Hold) -> Plan:
    """Compare what a source offers with what is known of it."""
    before = {one.provenance.original: one for one in known}
    found: dict[str, list[str]] = {kind: [] for kind in ("new", "unchanged", "held", "waiting")}
    changed: dict[str, tuple[str, ...]] = {}
    written: list[Known] = []
    for offer in offers:
        known_one = before.get(offer.original)
        kind, after = _new(offer, origin, hold) if known_one is None else _again(offer, known_one, origin, hold)
        name = offer.tool.name
        if known_one is not None and kind in ("changed", "held"):
            changed[name] = _fields(offer.tool, known_one.tool)
        if kind != "changed":
            found[kind].append(name)
        if known_one is None and kind == "held":
            found["new"].append(name)
        if after is not None:
            written.append(after)
    originals = {offer.original for offer in offers}
    gone = tuple(one.tool.name for original, one in before.items() if original not in originals)
    lists = {kind: tuple(names) for kind, names in found.items()}
    return Plan(changed=changed, gone=gone, written=tuple(written), **lists)


def approved(known: Known, at: datetime) -> Known:
    """Take what waits: the tool as its source has it now, with what the operator has changed on it."""
    origin = known.provenance
    waiting = pending(known)
    fresh = replace(records.read(waiting.base.encode()), enabled=waiting.enabled)
    base = replace(records.read(origin.base.encode()), enabled=known.tool.enabled)
    tool = merged(fresh, base, known.tool)
    after = replace(
        origin, digest=waiting.digest, base=waiting.base, binding=waiting.binding, pending=None, imported_at=at
    )
    return Known(tool, after)


def merged(fresh: Tool, base: Tool, now: Tool) -> Tool:
    """Give the fresh tool with what was changed on the present one since its `base` was taken."""
    kept: dict[str, Any] = {name: getattr(now, name) for name in _OWNED if getattr(now, name) != getattr(base, name)}
    if now.definition != base.definition and fresh.definition == base.definition:
        kept |= {name: getattr(now, name) for name in _DEFINITION}
    if now.risk != base.risk:
        kept["risk"] = max(fresh.risk, now.risk, key=_RISKS.index) if _raised(fresh, base) else now.risk
    return replace(fresh, **kept)


def _new(offer: Offer, origin: Origin, hold: Hold) -> tuple[str, Known]:
    if not hold.new:
        return "new", Known(offer.tool, _provenance(offer, origin))
    unapproved = replace(_provenance(offer, origin), digest="", pending=_pending(offer, offer.tool.enabled, origin.at))
    return "held", Known(replace(offer.tool, enabled=False), unapproved)


def _again(offer: Offer, known: Known, origin: Origin, hold: Hold) -> tuple[str, Known | None]:
    """Compare one tool that is known with what is offered."""
    before = known.provenance
    waiting = None if before.pending is None else pending(known)
    if _is_approved(offer, before):
        if waiting is None and offer.base == before.base:
            return "unchanged", _bound(offer, known)
        # The source says again what was approved, or we read the same words in another way than we did.
        return "changed", _taken(offer, known, origin, waiting)
    if waiting is not None and waiting.digest == offer.digest and hold.changed:
        if waiting.base == offer.base and not known.tool.enabled:
            return "waiting", None
        again = replace(before, pending=_pending(offer, waiting.enabled, waiting.since))
        return "waiting", Known(replace(known.tool, enabled=False), again)
    if hold.changed:
        enabled = known.tool.enabled if waiting is None else waiting.enabled
        held = replace(before, pending=_pending(offer, enabled, origin.at))
        return "held", Known(replace(known.tool, enabled=False), held)
    return "changed", _taken(offer, known, origin, waiting)


def _is_approved(offer: Offer, before: Provenance) -> bool:
    """Return whether a definition is the one that was taken last, also where that was before there were bindings."""
    earlier = offer.earlier if before.digest and not before.binding else offer.digest
    return before.digest in (offer.digest, earlier)


def _bound(offer: Offer, known: Known) -> Known | None:
    """Give a tool that is as it was with its binding, where it was imported before there were any."""
    if (offer.digest, offer.binding) == (known.provenance.digest, known.provenance.binding):
        return None
    return replace(known, provenance=replace(known.provenance, digest=offer.digest, binding=offer.binding))


def _taken(offer: Offer, known: Known, origin: Origin, waiting: Pending | None) -> Known:
    now = known.tool if waiting is None else replace(known.tool, enabled=waiting.enabled)
    tool = merged(offer.tool, records.read(known.provenance.base.encode()), now)
    return Known(tool, _provenance(offer, origin))


def _provenance(offer: Offer, origin: Origin) -> Provenance:
    return Provenance(
        tool=offer.tool.name,
        source=origin.source,
        kind=origin.kind,
        origin=origin.url,
        original=offer.original,
        imported_at=origin.at,
        digest=offer.digest,
        base=offer.base,
        binding=offer.binding,
    )


def _pending(offer: Offer, enabled: bool, since: datetime | None) -> str:
    return msgspec.json.encode(Pending(offer.digest, offer.base, enabled, offer.binding, since)).decode()


def _raised(fresh: Tool, base: Tool) -> bool:
    return _RISKS.index(fresh.risk) > _RISKS.index(base.risk)


def _fields(fresh: Tool, now: Tool) -> tuple[str, ...]:
    """Name what differs, in the words of people."""
    found = [
        field for field in ("description", "risk", "tags", "tenant") if getattr(fresh, field) != getattr(now, field)
    ]
    if _parameters(fresh) != _parameters(now):
        found.append("parameters")
    return tuple(found)


def _parameters(tool: Tool) -> object:
    body = msgspec.json.decode(tool.definition)
    return body.get(tool.kind, {}).get("parameters")
