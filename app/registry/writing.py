"""What writes tools: the steps of a transaction that is already begun."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.registry import held, rows, schema

CHUNK = 2_000  # rows a statement: a few milliseconds of the event loop, and far below SQLite's limit of variables
_KEPT_CHANGES = 10_000  # generations; who comes from before them reads everything

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PutResult:
    """What became of the tools, by name, in the order in which they were given.

    `guarded`: those in which what was left out stayed as it was, as it would have been looser.
    """

    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    guarded: tuple[str, ...] = ()


async def put_in(connection: AsyncConnection, fresh: Mapping[str, rows.Row]) -> PutResult:
    """Create or update tools of `rows.fresh` in a transaction that writes.

    Raises:
        Conflict: It would enable what waits for approval.
    """
    await held.check(connection, fresh.values())
    known = await _digests(connection, list(fresh))
    created, updated, unchanged = await asyncio.to_thread(rows.compared, fresh, known)
    if created or updated:
        stamp = {"revision": await raise_generation(connection)}
    for names in chunks(created):
        await connection.execute(insert(schema.tools), [fresh[name] | stamp for name in names])
    for names in chunks(updated):
        await overwrite(connection, [fresh[name] | stamp for name in names])
    return PutResult(tuple(created), tuple(updated), tuple(unchanged))


async def remove_in(connection: AsyncConnection, name: str) -> bool:
    """Remove a tool in a transaction that writes, with where it was from; tell whether there was one."""
    removed = await connection.execute(delete(schema.tools).where(schema.tools.c.name == name))
    await connection.execute(delete(schema.provenance).where(schema.provenance.c.tool == name))
    if removed.rowcount:
        await raise_generation(connection, removed=name)
    return removed.rowcount > 0


async def overwrite(connection: AsyncConnection, changed: Sequence[rows.Row]) -> None:
    """Write rows over those of the same name; their ids and `created_at` stay.

    Raises:
        Conflict: It would enable what waits for approval.
    """
    await held.check(connection, changed)
    written = [column for column in changed[0] if column not in ("name", "created_at")]
    statement = (
        update(schema.tools)
        .where(schema.tools.c.name == bindparam("old_name"))
        .values({column: bindparam(f"new_{column}") for column in written})
    )
    parameters = [{"old_name": row["name"]} | {f"new_{column}": row[column] for column in written} for row in changed]
    await connection.execute(statement, parameters)


async def raise_generation(connection: AsyncConnection, removed: str | None = None) -> int:
    """Begin a generation, of which the changes to come are; give its number."""
    await connection.execute(update(schema.generation).values(value=schema.generation.c.value + 1))
    number = await generation(connection)
    change = {"generation": number, "token": uuid4().hex, "removed": removed}
    await connection.execute(insert(schema.changes), change)
    await connection.execute(delete(schema.changes).where(schema.changes.c.generation <= number - _KEPT_CHANGES))
    return number


async def generation(connection: AsyncConnection) -> int:
    """Give the number of the newest generation."""
    value: int = (await connection.execute(select(schema.generation.c.value))).scalar_one()
    return value


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Give as many at a time as a statement takes."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


async def _digests(connection: AsyncConnection, names: Sequence[str]) -> dict[str, str]:
    """Give the digests of those names that are registered."""
    found: dict[str, str] = {}
    tools = schema.tools.c
    for chunk in chunks(names):
        query = select(tools.name, tools.digest).where(tools.name.in_(chunk))
        found |= dict((await connection.execute(query)).all())
    return found
