"""What is kept back from models, in words: which tools, what keeps them, and what to do to have them offered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.errors import RegistryError
from app.registry.sources import Sources
from router.permit import barriers
from router.types import Barrier, Candidate, Grants, Risk, RouteRequest, Selection, Tool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tool whose definition waits for approval: from which source, and since when, where that is known."""

    source: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a tool is kept back, and what to do about it: of this tool, and of all that are kept back for the same."""

    reason: str
    remedy: str = ""
    group: str = ""
    group_remedy: str = ""

    @property
    def kind(self) -> tuple[str, str]:
        """Return the words for all that are kept back for the same."""
        return self.group or self.reason, self.group_remedy or self.remedy


Holds = Mapping[str, Waiting]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What configuration and registry keep back: `safety.allow`, and by name the tools that wait for approval."""

    allow: frozenset[Risk]
    holds: Holds = field(default_factory=dict)


async def keeping(sources: Sources, allow: frozenset[Risk]) -> Keeping:
    """Return what is kept back; what waits for approval is not known while the registry cannot be read."""
    try:
        return Keeping(allow, {name: Waiting(*hold) for name, hold in (await sources.holds()).items()})
    except RegistryError:
        return Keeping(allow)


def told(tool: Tool, found: Iterable[Barrier], grants: Grants, keeping: Keeping) -> list[Withheld]:
    """Say in words what keeps a tool back from a caller with these grants."""
    return [_words(barrier, tool, grants, keeping) for barrier in found]


def of_decision(
    rows: Sequence[Candidate], selection: Selection, request: RouteRequest, keeping: Keeping
) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """Say of a decision's tools, by position, what keeps them back and whether they would be sent; and all together."""
    words = {row.position: told(row.tool, row.barriers, request.grants, keeping) for row in rows if row.barriers}
    first = {row.position for row in rows if row.would_be and row.would_be.rank <= request.budget.initial}
    relevance = selection.unrestricted.relevance if selection.unrestricted else None
    sent = first if relevance is None or relevance >= 0 else set()
    sent |= {row.position for row in rows if row.named}  # whatever the floor says
    of_each = {
        position: {
            "reasons": [one.reason for one in reasons],
            "do": [one.remedy for one in reasons if one.remedy],
            "would_be_sent": position in sent,
        }
        for position, reasons in words.items()
    }
    return of_each, {"tools": len(words), "would_be_sent": len(sent & words.keys()), "by": summary(words.values())}


def summary(kept: Iterable[Sequence[Withheld]]) -> list[dict[str, Any]]:
    """Count tools by what keeps them back, most first."""
    groups = Counter(tuple(one.kind for one in reasons) for reasons in kept)
    return [
        {
            "tools": number,
            "reason": "; ".join(reason for reason, _ in kinds),
            "do": "; ".join(remedy for _, remedy in kinds if remedy),
        }
        for kinds, number in sorted(groups.items(), key=lambda item: (-item[1], item[0]))
    ]


def offering(tools: Sequence[Tool], keeping: Keeping) -> dict[str, Any]:
    """Say how many tools can be offered under `safety.allow`, what keeps the others, and which tenants theirs are.

    A tool of a tenant can be offered: to callers whose key names it.
    """
    tenants = Counter(tool.tenant for tool in tools if tool.tenant)
    grants = Grants(keeping.allow, tenants=frozenset(tenants))
    kept = [words for tool in tools if (words := told(tool, barriers(tool, grants), grants, keeping))]
    return {
        "tools": len(tools),
        "now": len(tools) - len(kept),
        "withheld": summary(kept),
        "tenants": dict(sorted(tenants.items())),
    }


def _words(barrier: Barrier, tool: Tool, grants: Grants, keeping: Keeping) -> Withheld:
    match barrier:
        case Barrier.DISABLED:
            words = _disabled(tool, keeping.holds.get(tool.name))
        case Barrier.DANGEROUS:
            words = Withheld("risk dangerous, which is never offered")
        case Barrier.RISK if tool.risk not in keeping.allow:
            words = Withheld(f"risk {tool.risk}, not in safety.allow", f"add {tool.risk} to safety.allow")
        case Barrier.RISK:
            words = Withheld(f"risk {tool.risk}, not granted by the key", f"a key that grants the risk {tool.risk}")
        case Barrier.TENANT:
            named = "which the key does not name" if grants.tenants else "only for callers whose key names it"
            words = Withheld(f"tenant {tool.tenant}, {named}", f"ask as a key that names the tenant {tool.tenant}")
        case Barrier.TAGS:
            words = Withheld(f"none of the key's tags: {_listed(grants.tags)}", "a key for one of its tags")
        case Barrier.WANTED:
            words = Withheld(f"none of the tags that the request asks for: {_listed(grants.wanted)}")
        case Barrier.SOURCE:
            named = f"source {tool.source}" if tool.source else "no source"
            words = Withheld(f"{named}, and the key is for {_listed(grants.sources)}", "a key for tools of any source")
        case Barrier.KIND:
            words = Withheld(f"a {tool.kind} tool, which this request's form of tool list cannot hold")
    return words


def _disabled(tool: Tool, hold: Waiting | None) -> Withheld:
    if hold is None:
        return Withheld("disabled", "enable it: PATCH /admin/tools/NAME with enabled: true")
    since = f" since {hold.since:%Y-%m-%d %H:%M}" if hold.since is not None else ""
    return Withheld(
        f"waits for approval{since} (source {hold.source})",
        f"toolfunnel tools approve {tool.name}",
        f"waiting for approval (source {hold.source})",
        f"toolfunnel tools approve --source {hold.source}",
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
