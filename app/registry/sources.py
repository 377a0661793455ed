"""Where tools are imported from, and where each of them is from. Beside `Registry`, in the same database.

Laws: tools and what is known of their origin change in one transaction. A tool that was removed by hand is not known
here any more, whatever stands in the table: who asks gets what is registered.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Conflict, NotFound
from app.registry import rows, schema
from app.registry.held import Pending, holds
from app.registry.store import Registry
from app.registry.writing import put_in, remove_in
from router.types import Tool

T = TypeVar("T")
P = ParamSpec("P")

_CHUNK = 500  # names in a statement
_TOOL_COLUMNS = [schema.tools.c[name] for name in rows.TOOL_COLUMNS]


@dataclass(frozen=True, slots=True)
class Source:
    """Where tools are imported from. `spec` is what was asked for, as JSON; `error` why the last try failed."""

    name: str
    kind: str
    origin: str
    spec: str
    synced_at: datetime | None = None
    due_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a tool is from. `digest` and `base` are of what was taken last, `pending` is what waits for approval.

    `binding` is what a caller needs to call it there, as JSON; empty where nothing is known.
    """

    tool: str
    source: str
    kind: str
    origin: str
    original: str
    imported_at: datetime
    digest: str
    base: str
    pending: str | None = None
    binding: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A tool that is registered, and where it is from."""

    tool: Tool
    provenance: Provenance


def pending(known: Known) -> Pending:
    """Give what waits of a tool of which something does."""
    return msgspec.json.decode(known.provenance.pending or "", type=Pending)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an import writes. `before` is what it was planned from: the tools of the source that were known, by name."""

    before: Sequence[Known]
    written: Sequence[Known]
    removed: Sequence[str]


_SOURCE = [schema.sources.c[field.name] for field in fields(Source)]
_PROVENANCE = [schema.provenance.c[field.name] for field in fields(Provenance)]


def _to_its_end(
    method: Callable[Concatenate[Sources, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Sources, P], Coroutine[Any, Any, T]]:
    """Let a method finish in a task of its own when its caller is cancelled, as those of the registry do."""

    @functools.wraps(method)
    async def run(sources: Sources, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await sources.registry.shielded(method(sources, *args, **kwargs))

    return run


class Sources:
    """The sources of a registry and the origins of its tools."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    @_to_its_end
    async def counted(self) -> list[tuple[Source, int, int]]:
        """Give all sources by name, each with how many tools it has and how many of them wait for approval."""
        origin = schema.provenance.c
        counted = (
            select(origin.source, func.count().label("tools"), func.count(origin.pending).label("waiting"))
            .join(schema.tools, schema.tools.c.name == origin.tool)
            .group_by(origin.source)
            .subquery()
        )
        query = (
            select(*_SOURCE, func.coalesce(counted.c.tools, 0), func.coalesce(counted.c.waiting, 0))
            .join(counted, counted.c.source == schema.sources.c.name, isouter=True)
            .order_by(schema.sources.c.name)
        )
        async with self.registry.reading() as connection:
            found = (await connection.execute(query)).all()
        return [(_source(row[:-2]), row[-2], row[-1]) for row in found]

    @_to_its_end
    async def all(self) -> list[Source]:
        """Give all sources by name."""
        async with self.registry.reading() as connection:
            found = (await connection.execute(select(*_SOURCE).order_by(schema.sources.c.name))).all()
        return [_source(row) for row in found]

    @_to_its_end
    async def get(self, name: str) -> Source | None:
        """Give a source."""
        query = select(*_SOURCE).where(schema.sources.c.name == name)
        async with self.registry.reading() as connection:
            found = (await connection.execute(query)).one_or_none()
        return None if found is None else _source(found)

    @_to_its_end
    async def known(self, source: str) -> list[Known]:
        """Give the tools of a source by name."""
        async with self.registry.reading() as connection:
            return await _known(connection, schema.provenance.c.source == source)

    @_to_its_end
    async def waiting(self, names: Sequence[str] | None = None, source: str | None = None) -> list[Known]:
        """Give the tools with something that waits for approval: all, those named, or those of a source."""
        async with self.registry.reading() as connection:
            return await _waiting(connection, names, source)

    @_to_its_end
    async def holds(self) -> dict[str, tuple[str, datetime | None]]:
        """Give by tool what waits for approval: its source, and since when, where that is known."""
        async with self.registry.reading() as connection:
            found = await holds(connection)
        return {
            name: (source, msgspec.json.decode(waiting, type=Pending).since)
            for name, (source, waiting) in found.items()
        }

    @_to_its_end
    async def provenance(self, tool: str) -> Known | None:
        """Tell where a tool is from; None for one that was not imported."""
        async with self.registry.reading() as connection:
            found = await _known(connection, schema.provenance.c.tool == tool)
        return found[0] if found else None

    @_to_its_end
    async def foreign(self, source: str, names: Sequence[str]) -> set[str]:
        """Give those names that are registered and not from this source."""
        async with self.registry.reading() as connection:
            return await _foreign(connection, source, names)

    @_to_its_end
    async def exchange(self, source: Source, change: Exchange) -> None:
        """Write what an import changes, all or nothing, and that the source was synchronised.

        Raises:
            Conflict: The tools of the source are not the ones that the change was planned from, or one of the names has
                become another's since.
        """
        fresh = await asyncio.to_thread(rows.fresh, [one.tool for one in change.written])
        async with self.registry.changing() as connection:
            if await _known(connection, schema.provenance.c.source == source.name) != list(change.before):
                raise _changed_meanwhile(source.name)
            if taken := await _foreign(connection, source.name, list(fresh)):
                raise Conflict(f"{', '.join(sorted(taken))}: registered by someone else at the same time; try again")
            for name in change.removed:
                await remove_in(connection, name)
            await _put(connection, fresh, change.written)
            await _write_source(connection, source)

    @_to_its_end
    async def take(self, waiting: Sequence[Known], taken: Sequence[Known]) -> None:
        """Write what was approved of what waits, all or nothing; both in the same order.

        Raises:
            Conflict: What waits now is something else.
        """
        fresh = await asyncio.to_thread(rows.fresh, [one.tool for one in taken])
        async with self.registry.changing() as connection:
            if await _waiting(connection, list(fresh)) != list(waiting):
                raise _changed_meanwhile(", ".join(sorted({one.provenance.source for one in waiting})))
            await _put(connection, fresh, taken)

    @_to_its_end
    async def remove(self, name: str) -> list[str]:
        """Remove a source with all its tools; give their names.

        Raises:
            NotFound: There is no such source.
        """
        async with self.registry.changing() as connection:
            tools = [one.tool.name for one in await _known(connection, schema.provenance.c.source == name)]
            for tool in tools:
                await remove_in(connection, tool)
            await connection.execute(delete(schema.provenance).where(schema.provenance.c.source == name))
            removed = await connection.execute(delete(schema.sources).where(schema.sources.c.name == name))
            if not removed.rowcount:
                raise NotFound(f"There is no source {name!r}")
        return tools

    @_to_its_end
    async def claim(self, source: Source, now: datetime) -> bool:
        """Take over a source that is due and make it due again later; only one of several processes gets it.

        One that is new is noted as never imported, until it is.
        """
        at = schema.sources.c
        mine = (
            update(schema.sources)
            .where(at.name == source.name, or_(at.due_at.is_(None), at.due_at <= now))
            .values(due_at=source.due_at)
        )
        async with self.registry.changing() as connection:
            if (await connection.execute(mine)).rowcount:
                return True
            if (await connection.execute(select(at.name).where(at.name == source.name))).one_or_none():
                return False
            await connection.execute(insert(schema.sources), asdict(replace(source, synced_at=None)))
        return True

    @_to_its_end
    async def expire(self, name: str, now: datetime) -> None:
        """Make a source due."""
        at = schema.sources.c
        async with self.registry.changing() as connection:
            await connection.execute(update(schema.sources).where(at.name == name).values(due_at=now))

    @_to_its_end
    async def failed(self, name: str, reason: str) -> None:
        """Note why a source could not be synchronised."""
        statement = update(schema.sources).where(schema.sources.c.name == name).values(error=reason)
        async with self.registry.changing() as connection:
            await connection.execute(statement)


def _source(row: Sequence[Any]) -> Source:
    name, kind, origin, spec, synced_at, due_at, error = row
    return Source(name, kind, origin, spec, _utc(synced_at), _utc(due_at), error)


def _utc(moment: datetime | None) -> datetime | None:
    """Give a time of the database, which may come without its zone."""
    return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC)


async def _known(connection: AsyncConnection, *conditions: ColumnElement[bool]) -> list[Known]:
    query = (
        select(*_TOOL_COLUMNS, *_PROVENANCE)
        .join(schema.provenance, schema.provenance.c.tool == schema.tools.c.name)
        .where(*conditions)
        .order_by(schema.tools.c.name)
    )
    found: Iterable[Sequence[Any]] = (await connection.execute(query)).all()
    return [_of_row(row) for row in found]


def _of_row(row: Sequence[Any]) -> Known:
    at = len(rows.TOOL_COLUMNS)
    tool, source, kind, origin, original, imported_at, digest, base, pending, binding = row[at:]
    known = Provenance(
        tool,
        source,
        kind,
        origin,
        original,
        imported_at.replace(tzinfo=imported_at.tzinfo or UTC),
        digest,
        base,
        pending,
        binding,
    )
    return Known(rows.to_tool(row[:at]), known)


async def _waiting(connection: AsyncConnection, names: Sequence[str] | None, source: str | None = None) -> list[Known]:
    conditions: list[ColumnElement[bool]] = [schema.provenance.c.pending.is_not(None)]
    if source is not None:
        conditions.append(schema.provenance.c.source == source)
    wanted = None if names is None else frozenset(names)
    return [one for one in await _known(connection, *conditions) if wanted is None or one.tool.name in wanted]


async def _foreign(connection: AsyncConnection, source: str, names: Sequence[str]) -> set[str]:
    tools, origin = schema.tools.c, schema.provenance.c
    found: set[str] = set()
    for start in range(0, len(names), _CHUNK):
        query = (
            select(tools.name)
            .join(schema.provenance, origin.tool == tools.name, isouter=True)
            .where(tools.name.in_(names[start : start + _CHUNK]))
            .where(or_(origin.source.is_(None), origin.source != source))
        )
        found |= set((await connection.execute(query)).scalars())
    return found


async def _put(connection: AsyncConnection, fresh: Mapping[str, rows.Row], known: Sequence[Known]) -> None:
    """Write where tools are from, then the tools: what waits for approval is known to the gate when they are."""
    names = list(fresh)
    for start in range(0, len(names), _CHUNK):
        chunk = names[start : start + _CHUNK]
        await connection.execute(delete(schema.provenance).where(schema.provenance.c.tool.in_(chunk)))
    if known:
        await connection.execute(insert(schema.provenance), [asdict(one.provenance) for one in known])
    await put_in(connection, fresh)


def _changed_meanwhile(sources: str) -> Conflict:
    return Conflict(f"The tools of {sources!r} were changed by someone else at the same time; try again")


async def _write_source(connection: AsyncConnection, source: Source) -> None:
    """Write a source. One that was made due while it was imported stays due: what changed may not have been read."""
    stored = schema.sources.c
    due_at = _utc(await connection.scalar(select(stored.due_at).where(stored.name == source.name)))
    if source.due_at is not None and due_at is not None and due_at <= datetime.now(UTC):
        source = replace(source, due_at=due_at)
    await connection.execute(delete(schema.sources).where(schema.sources.c.name == source.name))
    await connection.execute(insert(schema.sources), asdict(source))
