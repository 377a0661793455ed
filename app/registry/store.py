"""Registry: the tools' home behind one contract. What is special to a database is behind `database`.

Laws: every change is one transaction, all or nothing; what has not changed is not written; the generation
rises exactly when tools changed; catalogue order is the order of first registration. Every method raises
`RegistryBusy`, `RegistryFull`, `RegistryUnusable` or plain `RegistryError` when the database fails, and then
nothing has changed. A method whose caller is cancelled runs to its end.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Select, bindparam, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Conflict, NotFound
from app.registry import database, held, migrate, rows, schema, writing
from app.registry.database import Database
from app.registry.writing import PutResult
from router.types import Risk, Tool, Vectors

_OWNED = exists().where(schema.tools.c.text_digest == schema.vectors.c.digest)  # by a registered tool
_NEWEST = [schema.vectors.c[name].desc() for name in ("learned_at", "digest", "encoder")]
_TOOL_COLUMNS = [schema.tools.c[name] for name in rows.TOOL_COLUMNS]

Also = Callable[[AsyncConnection], Awaitable[None]]

T = TypeVar("T")
P = ParamSpec("P")


def _to_its_end(
    method: Callable[Concatenate[Registry, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Registry, P], Coroutine[Any, Any, T]]:
    """Let a method finish in a task of its own when its caller is cancelled.

    A statement that is broken off keeps its lock until Python collects the cursor: every writer would wait for it.
    """

    @functools.wraps(method)
    async def run(registry: Registry, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await registry.shielded(method(registry, *args, **kwargs))

    return run


@dataclass(frozen=True, slots=True)
class State:
    """What a registry held at a moment: equal states are the same tools."""

    generation: int
    token: str


class Watch:
    """Tells one who reads a registry again and again when that is of use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: object = None

    @contextmanager
    def look(self) -> Iterator[bool]:
        """Tell whether anything may have changed since the last look; whoever raises within it has seen nothing."""
        now = self._database.mark()
        stirred = now is None or now != self._seen
        self._seen = None
        yield stirred
        self._seen = now


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the tools since a state, as of `state`.

    `tools` are those that were written, in catalogue order, `digests` the keys of their vectors; `removed` are the
    names that were taken away at any time since: a name in both was registered anew. `whole`: the state is unknown, and
    `tools` are all there are. `stale` are the digests of names that are stored with one of an earlier recipe.
    """

    state: State
    tools: list[Tool]
    digests: list[str]
    removed: frozenset[str]
    whole: bool
    stale: dict[str, str]


class Registry:
    """An open registry. Safe for the tasks of one event loop and for several processes. `close()` it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._writing = asyncio.Lock()  # writers of one process queue up; a database's own waiting is a lottery
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str, *, busy_timeout_ms: int = 5_000) -> Self:
        """Open `sqlite:///path` or `postgresql://user@host/database`; make or migrate it first where needed.

        Raises:
            RegistryUnusable: Not a registry, damaged, not writable, or written by a newer version.
            RegistryAway: The database cannot be reached.
        """
        found = database.at(url, busy_timeout_ms)
        await asyncio.to_thread(migrate.upgrade, found)
        return cls(found)

    async def close(self) -> None:
        """Let what runs finish, then let go of the database."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.database.dispose()

    async def changed(self, seconds: float) -> None:
        """Wait until another process may have changed tools: until it says so, or as long as that."""
        await self.database.changed(seconds)

    def watch(self) -> Watch:
        """Give a watch of one's own."""
        return Watch(self.database)

    async def shielded(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that goes on, and that `close` waits for, when the caller is cancelled."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    @_to_its_end
    async def generation(self) -> int:
        """Give the counter that every change of the tools raises."""
        async with self._reading() as connection:
            return await writing.generation(connection)

    @_to_its_end
    async def state(self) -> State:
        """Give what tells whether anything changed."""
        async with self._reading() as connection:
            return await _state(connection)

    @_to_its_end
    async def count(self) -> int:
        """Count the tools."""
        async with self._reading() as connection:
            return (await connection.execute(select(func.count()).select_from(schema.tools))).scalar_one()

    @_to_its_end
    async def get(self, name: str) -> Tool | None:
        """Give the tool of this name."""
        async with self._reading() as connection:
            found = (await connection.execute(_one(name))).one_or_none()
        return None if found is None else rows.to_tool(found)

    @_to_its_end
    async def find(  # noqa: PLR0913 (every one a condition, all by name)
        self,
        *,
        tag: str | None = None,
        q: str | None = None,
        enabled: bool | None = None,
        risk: Risk | None = None,
        tenant: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Tool]:
        """Give the tools that meet every condition, by name in code point order.

        `q`: a part of name or description, whatever its case. `after`: the last name of the page before.
        """
        tools = schema.tools.c
        query = select(*_TOOL_COLUMNS).order_by(tools.name).limit(limit)
        if tag is not None:
            query = query.where(self.database.holds(tools.tags, tag))
        if q is not None:
            query = query.where(rows.is_written_like(tools.folded, q))
        if enabled is not None:
            query = query.where(tools.enabled.is_(enabled))
        if risk is not None:
            query = query.where(tools.risk == risk.value)
        if tenant is not None:
            query = query.where(tools.tenant == tenant)
        if after is not None:
            query = query.where(tools.name > after)
        async with self._reading() as connection:
            found = (await connection.execute(query)).all()
        return await asyncio.to_thread(rows.to_tools, found)

    async def load(self) -> tuple[int, list[Tool]]:
        """Give the generation and all its tools in catalogue order, from one consistent read."""
        everything = await self.changes()
        return everything.state.generation, everything.tools

    @_to_its_end
    async def changes(self, since: State | None = None) -> Changes:
        """Give what changed since a state, from one consistent read; everything where that is not known."""
        tools, log = schema.tools.c, schema.changes.c
        query = select(*_TOOL_COLUMNS, tools.text_digest).order_by(tools.id)
        removed: frozenset[str] = frozenset()
        async with self._reading() as connection:
            state = await _state(connection)
            known = since is not None and since.token == await _token(connection, since.generation)
            if since is not None and known:
                # `+ 0`: sorted after they are found by revision, not found by reading all in order.
                query = query.where(tools.revision > since.generation).order_by(None).order_by(tools.id + 0)
                gone = select(log.removed).where(log.generation > since.generation, log.removed.is_not(None))
                removed = frozenset((await connection.execute(gone)).scalars())
            found = await connection.stream(query)
            chunks = [chunk async for chunk in found.partitions(writing.CHUNK)]
        read, digests, stale = await asyncio.to_thread(rows.to_digested, chain.from_iterable(chunks))
        return Changes(state, read, digests, removed, not known, stale)

    @_to_its_end
    async def put(self, tools: Sequence[Tool], left_out: Mapping[str, held.LeftOut] | None = None) -> PutResult:
        """Create or update tools, all or none of them. What is registered already, as it is, is left alone.

        `left_out`: by name what a record did not say, which loosens nothing then; see `held.as_guarded`.

        Raises:
            Conflict: One name twice among the tools, or one would be enabled that waits for approval.
            BadRequest: A text of a tool is no Unicode.
        """
        fresh = await asyncio.to_thread(rows.fresh, tools)
        async with self._changing() as connection:
            by_name = {tool.name: tool for tool in tools} if left_out else {}
            fresh, guarded = await held.as_guarded(connection, fresh, by_name, left_out or {})
            result = replace(await writing.put_in(connection, fresh), guarded=tuple(guarded))
            await held.note_disabled(connection, [name for name, row in fresh.items() if not row["enabled"]])
        return result

    @_to_its_end
    async def change(self, name: str, edit: Callable[[Tool], Tool], also: Also | None = None) -> Tool:
        """Read a tool, edit it and write it back, in one transaction, of which `also` is a part; give what is stored.

        Raises:
            NotFound: There is no tool of this name.
            Conflict: The edit gave it another name, or would enable what waits for approval.
        """
        async with self._changing() as connection:
            found = (await connection.execute(_one(name))).one_or_none()
            if found is None:
                raise NotFound(f"There is no tool {name!r}")
            before = rows.to_tool(found)
            edited = replace(await asyncio.to_thread(edit, before), fixed=False, marker=None)
            if edited.name != name:
                raise Conflict(f"The tool {name!r} cannot become {edited.name!r}: a tool keeps its name")
            if edited != before:
                stamp = {"revision": await writing.raise_generation(connection)}
                fresh = await asyncio.to_thread(rows.from_tools, [edited])
                await writing.overwrite(connection, [row | stamp for row in fresh])
            if also is not None:
                await also(connection)
        return edited

    @_to_its_end
    async def delete(self, name: str) -> bool:
        """Remove a tool; tell whether there was one."""
        async with self._changing() as connection:
            return await writing.remove_in(connection, name)

    @_to_its_end
    async def vectors(self, encoder: str, digests: Collection[str]) -> dict[str, Vectors]:
        """Give those vectors that an encoder (its key) has learned, `float32[d]` by digest."""
        found: dict[str, Vectors] = {}
        stored = schema.vectors.c
        async with self._reading() as connection:
            for chunk in writing.chunks(sorted(set(digests))):
                query = select(stored.digest, stored.vector).where(stored.encoder == encoder, stored.digest.in_(chunk))
                found |= rows.to_vectors((await connection.execute(query)).all())
        return found

    @_to_its_end
    async def recent_vectors(self, encoder: str, limit: int) -> dict[str, Vectors]:
        """Give the newest vectors of an encoder that belong to no registered tool, `float32[d]` by digest."""
        stored = schema.vectors.c
        query = (
            select(stored.digest, stored.vector)
            .where(stored.encoder == encoder, ~_OWNED)
            .order_by(*_NEWEST)
            .limit(limit)
        )
        async with self._reading() as connection:
            return rows.to_vectors((await connection.execute(query)).all())

    @_to_its_end
    async def add_vectors(self, encoder: str, vectors: Mapping[str, Vectors]) -> None:
        """Keep vectors by digest; one that is there already stays. Not a change of the tools."""
        statement = self.database.insert(schema.vectors).on_conflict_do_nothing()
        for chunk in writing.chunks(list(vectors.items())):
            learned = await asyncio.to_thread(rows.from_vectors, encoder, chunk)
            async with self._changing() as connection:
                await connection.execute(statement, learned)

    @_to_its_end
    async def encoders(self) -> str | None:
        """Give what `set_encoders` was given last."""
        async with self._reading() as connection:
            return (await connection.execute(select(schema.encoders.c.specs))).scalar_one_or_none()

    @_to_its_end
    async def set_encoders(self, specs: str) -> None:
        """Remember which encoders have embedded every tool. Not a change of the tools."""
        statement = self.database.insert(schema.encoders).values(id=1, specs=specs)
        async with self._changing() as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"specs": specs}))

    @_to_its_end
    async def prune_vectors(self, keep: int) -> int:
        """Of the vectors that belong to no registered tool, keep the newest `keep`; count those removed."""
        stored = schema.vectors.c
        orphans = (
            select(stored.digest, stored.encoder).where(~_OWNED).order_by(*_NEWEST).limit(writing.CHUNK).offset(keep)
        )
        statement = delete(schema.vectors).where(tuple_(stored.digest, stored.encoder).in_(orphans))
        pruned = 0
        while True:  # piece by piece: other writers wait for a few milliseconds, not for all of it
            async with self._changing() as connection:
                removed = (await connection.execute(statement)).rowcount
            pruned += removed
            if removed < writing.CHUNK:
                return pruned

    @_to_its_end
    async def restate(self, digests: Mapping[str, str]) -> None:
        """Store digests of today's recipe by name: pruning goes by them. Not a change of the tools."""
        statement = (
            update(schema.tools).where(schema.tools.c.name == bindparam("of")).values(text_digest=bindparam("now"))
        )
        for chunk in writing.chunks(list(digests.items())):
            async with self._changing() as connection:
                await connection.execute(statement, [{"of": name, "now": digest} for name, digest in chunk])

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with self.database.translated():
            async with self.database.reading() as connection:
                yield connection

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        with self.database.translated():
            async with self._writing, self.database.writing() as connection:
                yield connection

    reading, changing = _reading, _changing  # for the stores of other tables


def _one(name: str) -> Select[*tuple[Any, ...]]:
    return select(*_TOOL_COLUMNS).where(schema.tools.c.name == name)


async def _token(connection: AsyncConnection, generation: int) -> str | None:
    log = schema.changes.c
    token: str | None = await connection.scalar(select(log.token).where(log.generation == generation))
    return token


async def _state(connection: AsyncConnection) -> State:
    generation = await writing.generation(connection)
    return State(generation, await _token(connection, generation) or "")
