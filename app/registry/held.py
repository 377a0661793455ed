"""The gate on tools that wait for approval. Whatever writes tools passes it, in the transaction that writes.

Law: while something of a tool waits, the tool is not enabled. Approval takes what waits away, and then writes the tool:
it needs no exception here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Conflict
from app.registry import rows, schema
from router.types import Risk, Tool

_CHUNK = 500  # names in a statement
_SHOWN = 5  # names in a message
_TOOL_COLUMNS = [schema.tools.c[name] for name in rows.TOOL_COLUMNS]
_ORIGIN = schema.provenance.c


LeftOut = frozenset[str]
GUARDED: LeftOut = frozenset({"enabled", "risk", "tenant"})
_RISKS = list(Risk)  # from harmless to dangerous


class Pending(msgspec.Struct):
    """What waits for an operator. `enabled` is what the tool becomes when it is approved.

    `since`: when it was found at the source; of what waits from before that was noted it is not known.
    """

    digest: str
    base: str
    enabled: bool
    binding: str = ""
    since: datetime | None = None


async def check(connection: AsyncConnection, written: Iterable[rows.Row]) -> None:
    """Refuse to enable what waits for approval.

    Raises:
        Conflict: One of the rows would.
    """
    if held := await _waiting(connection, [row["name"] for row in written if row["enabled"]]):
        names = ", ".join(map(repr, sorted(held)[:_SHOWN])) + (f" and {len(held) - _SHOWN} more" * (len(held) > _SHOWN))
        raise Conflict(
            f"The source of {names} has another definition, which waits for approval: approve it. Nothing was changed"
        )


async def as_guarded(
    connection: AsyncConnection, fresh: dict[str, rows.Row], tools: Mapping[str, Tool], left_out: Mapping[str, LeftOut]
) -> tuple[dict[str, rows.Row], list[str]]:
    """Return rows in which what a record leaves out is not looser than what is registered, and the names of those.

    A tool that was disabled stays so, its risk is not lowered, and whose it is does not become everyone's.
    """
    guarded: dict[str, Tool] = {}
    for chunk in _chunks([name for name, fields in left_out.items() if fields & GUARDED]):
        query = select(*_TOOL_COLUMNS).where(schema.tools.c.name.in_(chunk))
        for found in (await connection.execute(query)).all():
            before = rows.to_tool(found)
            kept = _kept(before, tools[before.name], left_out[before.name])
            if kept != tools[before.name]:
                guarded[before.name] = kept
    again = await asyncio.to_thread(rows.fresh, list(guarded.values()))
    return fresh | again, sorted(guarded)


def _kept(before: Tool, tool: Tool, left_out: LeftOut) -> Tool:
    if "enabled" in left_out and not before.enabled:
        tool = replace(tool, enabled=False)
    if "risk" in left_out:
        tool = replace(tool, risk=max(before.risk, tool.risk, key=_RISKS.index))
    return replace(tool, tenant=before.tenant) if "tenant" in left_out else tool


async def note_disabled(connection: AsyncConnection, names: Sequence[str]) -> None:
    """Note that an operator wants tools disabled, so that an approval does not enable them."""
    for name, waiting in (await _waiting(connection, names)).items():
        found = msgspec.json.decode(waiting, type=Pending)
        if found.enabled:
            off = msgspec.json.encode(msgspec.structs.replace(found, enabled=False)).decode()
            await connection.execute(update(schema.provenance).where(_ORIGIN.tool == name).values(pending=off))


async def holds(connection: AsyncConnection) -> dict[str, tuple[str, str]]:
    """Return the source of each tool of which something waits, and what that is."""
    query = select(_ORIGIN.tool, _ORIGIN.source, _ORIGIN.pending).where(_ORIGIN.pending.is_not(None))
    return {tool: (source, waiting) for tool, source, waiting in (await connection.execute(query)).all()}


async def hold_again(connection: AsyncConnection, before: dict[str, tuple[str, str]]) -> None:
    """Hold what was held before the rows were replaced, but for what was approved in them; disable what is held."""
    known = {row.tool: row for row in (await connection.execute(select(schema.provenance))).all()} if before else {}
    for name, (source, waiting) in before.items():
        row = known.get(name)
        if row is None or row.source != source or row.pending is not None:
            continue
        found = msgspec.json.decode(waiting, type=Pending)
        if found.digest != row.digest:
            await connection.execute(update(schema.provenance).where(_ORIGIN.tool == name).values(pending=waiting))
    await _disable(connection)


async def _disable(connection: AsyncConnection) -> None:
    tools = schema.tools.c
    query = (
        select(*_TOOL_COLUMNS)
        .join(schema.provenance, _ORIGIN.tool == tools.name)
        .where(_ORIGIN.pending.is_not(None), tools.enabled.is_(True))
    )
    for found in (await connection.execute(query)).all():
        row = rows.from_tool(replace(rows.to_tool(found), enabled=False))
        values = {"enabled": False, "digest": row["digest"]}
        await connection.execute(update(schema.tools).where(tools.name == row["name"]).values(values))


async def _waiting(connection: AsyncConnection, names: Sequence[str]) -> dict[str, str]:
    """Return what waits of those tools that are registered and of which something does, by name."""
    found: dict[str, str] = {}
    for chunk in _chunks(names):
        query = (
            select(_ORIGIN.tool, _ORIGIN.pending)
            .join(schema.tools, schema.tools.c.name == _ORIGIN.tool)
            .where(_ORIGIN.tool.in_(chunk), _ORIGIN.pending.is_not(None))
        )
        found |= dict((await connection.execute(query)).all())
    return found


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK))
