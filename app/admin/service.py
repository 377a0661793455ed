"""What the admin API does, without HTTP: writes that the next request sees, decisions laid open, figures.

Nothing here that grows with the catalogue, or with a body, runs on the event loop: chat requests never wait for the
operator.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import msgspec

from app.admin import duplicates, records
from app.admin.duplicates import Duplicate, Duplicates
from app.admin.withheld import Keeping, keeping, of_decision
from app.errors import BadRequest, Conflict, NotFound, RegistryError
from app.registry import held
from app.registry.snapshot import Snapshots
from app.registry.sources import Sources
from app.registry.store import Registry
from app.registry.writing import PutResult
from app.routing import Explained, Options, Routing
from app.settings import Settings
from app.telemetry import Telemetry
from app.wire.views import Piece
from router import explain
from router.catalog import EMPTY, Pool
from router.types import KEYWORDS, LEXICAL, NAMES, Candidate, Place, Reason, Risk, Selection, Source, Tool

# Why a tool of the catalogue is not sent with a request whose list stays as it came.
LEFT_AS_IT_CAME = "request left as it came"
_MOST_PIECES = 100  # of a message
_BEGINS = 60  # characters
_WORDS = (LEXICAL, NAMES, KEYWORDS)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tools to list; see `Registry.find`."""

    tag: str | None = None
    q: str | None = None
    enabled: bool | None = None
    risk: Risk | None = None
    tenant: str | None = None
    limit: int = 100
    after: str | None = None


class AdminService:
    """The operator's side of the gateway."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        snapshots: Snapshots,
        routing: Routing,
        telemetry: Telemetry,
    ) -> None:
        self.settings = settings
        self._registry = registry
        self._sources = Sources(registry)
        self._snapshots = snapshots
        self._routing = routing
        self._telemetry = telemetry
        self._comparing = asyncio.Lock()  # comparisons take a core for seconds: one at a time

    def follow(self, settings: Settings, routing: Routing) -> None:
        """Go by a new configuration."""
        self.settings, self._routing = settings, routing

    async def aside(self, work: Callable[[], T]) -> T:
        """Do work that grows with what an operator sends, or with the catalogue, in a thread of its own."""
        return await self._routing.aside(work)

    async def put(self, name: str, body: bytes) -> tuple[Tool, bool, list[Duplicate] | None]:
        """Create or replace one tool; tell whether it is new, and what it is like.

        Raises:
            BadRequest: The record cannot be taken.
            Conflict: The tool object has another name, or would be enabled while it waits for approval.
        """
        tool = await self.aside(partial(_entry, body))
        if tool.name != name:
            raise Conflict(f"The path says {name!r}, the tool object says {tool.name!r}; they must be the same.")
        result = await self._registry.put([tool])
        await self.show()
        return tool, bool(result.created), await self._like([name])

    async def put_many(self, body: bytes) -> tuple[PutResult, list[Duplicate] | None]:
        """Create or replace many tools, all or none; tell what the written ones are like.

        Raises:
            BadRequest: The body is no batch.
            InvalidRecords: Entries cannot be taken; with every one of them.
            Conflict: One would be enabled that waits for approval.
        """
        tools = await self.aside(lambda: records.read_all(records.split(body)))
        result = await self._registry.put(tools)
        await self.show()
        return result, await self._like([*result.created, *result.updated])

    async def duplicates(self, source: str | None, threshold: float | None, limit: int) -> Duplicates:
        """Give the near-duplicates in the catalogue, or those of the tools of one source.

        Raises:
            BadRequest: They are too many to compare.
        """
        threshold = threshold or self.settings.safety.duplicate_similarity
        async with self._comparing:
            catalog = self._snapshots.catalog
            return await self.aside(partial(duplicates.of_catalog, catalog, source, threshold, limit))

    async def get(self, name: str) -> Tool:
        """Give one tool.

        Raises:
            NotFound: There is none of this name.
        """
        tool = await self._registry.get(name)
        if tool is None:
            raise _no_tool(name)
        return tool

    async def binding(self, name: str) -> dict[str, Any] | None:
        """Return what a caller needs to call an imported tool at its source; None where that is not known."""
        known = await self._sources.provenance(name)
        binding = known.provenance.binding if known is not None else ""
        return msgspec.json.decode(binding, type=dict[str, Any]) if binding else None

    async def change(self, name: str, body: bytes) -> Tool:
        """Change some fields of a tool.

        Raises:
            NotFound: There is none of this name.
            BadRequest: The change cannot be applied.
            Conflict: It would enable what waits for approval.
        """
        try:
            enabled = await self.aside(partial(records.enables, body))
            also = partial(held.note_disabled, names=[name]) if enabled is False else None
            tool = await self._registry.change(name, lambda tool: records.changed(tool, body), also)
        except records.InvalidEntry as error:
            raise BadRequest(f"The change cannot be applied: {error}") from error
        await self.show()
        return tool

    async def delete(self, name: str) -> None:
        """Remove a tool.

        Raises:
            NotFound: There is none of this name.
        """
        if not await self._registry.delete(name):
            raise _no_tool(name)
        await self.show()

    async def find(self, wanted: Filter) -> list[Tool]:
        """List tools by name."""
        return await self._registry.find(**asdict(wanted))

    async def explain(self, body: bytes, options: Options, limit: int | None = None) -> dict[str, Any]:
        """Decide about a chat request without sending it, and say everything about the decision.

        Raises:
            BadRequest: The body is not a chat request.
        """
        explained = await self._routing.explain(body, self._snapshots.catalog, options)
        kept = await keeping(self._sources, self.settings.safety.allow)
        return await self.aside(partial(decision, explained, kept, off=options.off, limit=limit))

    def stats(self) -> dict[str, Any]:
        """Give this process's figures since its start."""
        snapshots, stats = self._snapshots, self._telemetry.stats
        return {
            "catalog": {
                "tools": len(snapshots.catalog),
                "pending": snapshots.pending,
                "ready": snapshots.ready,
            },
            "requests": stats.requests,
            "outcomes": stats.outcomes,
            "modes": stats.modes,
            "tools": {"available": stats.tools_available, "sent": stats.tools_sent},
            "tokens": {"before": stats.tokens_before, "saved": stats.tokens_saved},
            "route_ms": {k: round(v, 3) for k, v in self._telemetry.route_percentiles().items()},
            "failures": stats.failures,
        }

    @property
    def snapshots(self) -> Snapshots:
        """The catalogue in use, for the probes."""
        return self._snapshots

    @property
    def telemetry(self) -> Telemetry:
        """The figures, for Prometheus."""
        return self._telemetry

    async def _like(self, names: list[str]) -> list[Duplicate] | None:
        """Give what is like tools that were just written; None where that takes long or cannot be told yet."""
        threshold = self.settings.safety.duplicate_similarity
        return await self.aside(partial(duplicates.of_written, self._snapshots.catalog, names, threshold))

    async def show(self) -> None:
        """Make a stored change visible to the next request.

        Raises:
            RegistryError: It is stored, but the registry cannot be read; the next poll makes up for it.
        """
        try:
            await self._snapshots.refresh()
        except RegistryError as error:
            raise type(error)(f"The change is stored but not in use yet. {error}") from error


def decision(explained: Explained, keeping: Keeping, *, off: bool = False, limit: int | None = None) -> dict[str, Any]:
    """Lay a decision open: the query, the figures, and every tool with scores, ranks and reason.

    `off`: the caller asked for no routing; the rest is what would have been. `limit`: list at most so many tools.
    """
    request, pool = explained.request, explained.pool
    if request.source is Source.REQUEST:
        pool = Pool(pool.own, EMPTY)
    left = off or not explained.routable or not explained.selection.tools
    selection = _untouched(pool, explained.selection) if left else explained.selection
    rows = explain.candidates(pool, selection, request.grants, request.kinds, request.budget)
    changed = selection.changed and not left
    withheld, together = of_decision(rows, selection, request, keeping)
    return {
        "query": [
            {"text": text, "weight": weight}
            for text, weight in zip(selection.query.texts, selection.query.weights, strict=True)
        ],
        "message": [_piece(one) for one in explained.message[:_MOST_PIECES]],
        "mode": selection.mode if changed else "off" if off else "untouched",
        "source": {"used": explained.decided.source, "why": explained.decided.why},
        "sent": [tool.name for tool in selection.tools],
        "relevance": _relevance(selection),
        "available": selection.available,
        "tokens": {"before": selection.tokens_before, "after": selection.tokens_after},
        "timings_ms": {name: round(value, 3) for name, value in selection.timings_ms.items()},
        "withheld": together,
        "tools": [
            _row(row, own=pool.is_own(row.position), left=left) | {"withheld": withheld.get(row.position)}
            for row in rows[:limit]
        ],
    }


def _piece(one: Piece) -> dict[str, Any]:
    """Return what was decided about a block of the last message."""
    begins = " ".join(one.text[: 2 * _BEGINS].split())[:_BEGINS]
    return {
        "part": one.part + 1,
        "characters": len(one.text),
        "begins": begins,
        "role": one.role,
        "why": one.why,
    }


def _untouched(pool: Pool, selection: Selection) -> Selection:
    """Give the selection of a request that goes out as it came."""
    own = pool.own
    tokens = int(own.tokens.sum())
    return replace(
        selection,
        tools=own.tools,
        positions=tuple(range(len(own))),
        reasons=tuple(Reason.FIXED if tool.fixed else Reason.OWN for tool in own.tools),
        changed=False,
        tokens_before=tokens,
        tokens_after=tokens,
    )


def _row(row: Candidate, *, own: bool, left: bool) -> dict[str, Any]:
    why = LEFT_AS_IT_CAME if left and row.reason in (Reason.OVER_BUDGET, Reason.IRRELEVANT) else row.reason
    return {
        "name": row.tool.name,
        "from": "client" if own else "catalogue",
        "chosen": row.chosen,
        "why": why,
        "named": row.named,
        "fused": _score(row.fused),
        "would_be": _score(row.would_be),
        "dense": _score(next((place for name, place in row.channels.items() if name not in _WORDS), None)),
        "lexical": _score(row.channels.get(LEXICAL)),
        "channels": {name: _score(place) for name, place in row.channels.items()},
        "description": row.tool.description,
    }


def _relevance(selection: Selection) -> dict[str, Any] | None:
    margin = selection.relevance
    return None if margin is None else {"margin": round(margin, 3), "relevant": margin >= 0}


def _score(place: Place | None) -> dict[str, float | int] | None:
    if place is None:
        return None
    return {"score": round(place.score, 4), "rank": place.rank, "adds": round(place.adds, 4)}


def _entry(body: bytes) -> Tool:
    try:
        return records.read(body)
    except records.InvalidEntry as error:
        raise BadRequest(f"The record cannot be taken: {error}") from error


def _no_tool(name: str) -> NotFound:
    return NotFound(f"There is no tool {name!r} in the catalogue.")
