"""PostgreSQL: connections, transactions, notices of changes, and the driver's errors in our words.

Laws: what writes takes a lock of the whole registry first, so that generations are numbered in the order in which
they are committed, and two writers wait instead of failing. Readers wait for nobody. A connection is tried before it
is used, so that a server which went away and came back is used again by itself.

One driver, psycopg 3: it serves the migrations, which are synchronous, and everything else.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg import errors
from sqlalchemy import ColumnElement, Connection, Engine, Table, cast, create_engine, func, make_url, select, text
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.errors import (
    BadRequest,
    RegistryAway,
    RegistryBusy,
    RegistryError,
    RegistryFull,
    RegistryUnusable,
)
from app.registry import copying, migrate
from app.registry.sqlite import SqliteDatabase

_log = structlog.get_logger()

_CHANNEL = "toolfunnel"  # where a trigger of migration 0001 tells of every new generation
_LOCK = 0x746F6F6C  # any number that nothing else in this database locks
_DRIVERS = ("postgresql", "postgresql+psycopg")
_POOL = 4
_LISTEN_AGAIN_S = 1.0
# A server that vanished without a word is noticed after ten seconds or so.
_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}

_BUSY = (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected, errors.SerializationFailure)
_FULL = (errors.DiskFull,)
_AWAY = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.TooManyConnections)
_PASSING = ("starting up", "not yet accepting", "shutting down", "recovery", "slots", "too many", "terminating")
_FORBIDDEN = (
    errors.InsufficientPrivilege,
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedTable,
)


class PostgresDatabase:
    """A database of a PostgreSQL server, or a schema of one (`?options=-csearch_path=…`)."""

    def __init__(self, url: str, busy_timeout_ms: int) -> None:
        try:
            self._url = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise RegistryUnusable(_malformed()) from error
        if self._url.drivername not in _DRIVERS or not self._url.database:
            raise RegistryUnusable(_malformed())
        self._url = self._url.set(drivername="postgresql+psycopg")
        self.place = _place(self._url.host, self._url.port, self._url.database)
        given = self._url.query.get("options", "")
        self._arguments = {
            "application_name": "toolfunnel",
            "connect_timeout": max(2, math.ceil(busy_timeout_ms / 1_000)),
            "options": f"{given} -c lock_timeout={busy_timeout_ms}".strip(),
            **_ALIVE,
        }
        self.engine: AsyncEngine = create_async_engine(
            self._url,
            connect_args=self._arguments,
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_timeout=busy_timeout_ms / 1_000,
            pool_pre_ping=True,
        )
        self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._listening: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    def prepare(self) -> None:
        """Leave it to whoever runs the server: a database is made by its owner."""

    @property
    def arguments(self) -> dict[str, Any]:
        """What the driver needs to connect."""
        return dict(self.engine.dialect.create_connect_args(self._url)[1]) | self._arguments

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Open it for a look."""
        with self._alone() as engine, engine.connect() as connection:
            yield connection

    def settle(self) -> None:
        """See to it that texts of any language can be stored."""
        with self.looking() as connection:
            encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise RegistryUnusable(f"The registry {self.place} has the encoding {encoding}, but needs UTF8")

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Begin a transaction that makes tables."""
        with self._alone() as engine, engine.begin() as connection:
            connection.execute(_locking())
            yield connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the driver raises into the gateway's errors."""
        try:
            yield
        except DBAPIError as error:
            raise self._in_our_words(error.orig) from error
        except psycopg.Error as error:
            raise self._in_our_words(error) from error
        except PoolTimeout as error:
            raise RegistryBusy(f"Every connection to the registry {self.place} is in use; try again") from error
        except UnicodeEncodeError as error:
            raise BadRequest("a text holds half a surrogate pair") from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that reads."""
        async with self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that writes, when those before it are done."""
        async with self.engine.begin() as connection:
            await connection.execute(_locking())
            yield connection

    def insert(self, table: Table) -> Insert:
        """Give PostgreSQL's own INSERT."""
        return insert(table)

    def holds(self, words: ColumnElement[str], word: str) -> ColumnElement[bool]:
        """Tell whether a JSON list of texts holds a text."""
        return func.jsonb_exists(cast(words, JSONB), word)

    async def changed(self, seconds: float) -> None:
        """Wait for word of a change; from the first call on, one connection listens."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)
        self._heard.clear()

    def mark(self) -> object:
        """Leave it to a look."""
        return None

    async def copy_to(self, path: Path) -> None:
        """Copy the rows of one transaction; it keeps nobody waiting."""
        copy = SqliteDatabase(path, 0)
        try:
            await asyncio.to_thread(migrate.upgrade, copy)
            async with self.reading() as source, copy.writing() as target:
                await copying.copy_rows(source, target)
        finally:
            await copy.dispose()

    async def numbered(self, connection: AsyncConnection, table: Table) -> None:
        """Let the sequence of a table's numbers go on behind the highest."""
        column = table.autoincrement_column
        if column is not None:
            highest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            await connection.execute(select(func.setval(sequence, highest, False)))

    async def dispose(self) -> None:
        """Close all connections."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        await self.engine.dispose()

    async def _listen(self) -> None:
        """Hear of changes, and have them looked for whenever the connection breaks or is there again."""
        while True:
            try:
                async with await self._connection() as connection:
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    self._heard.set()
                    async for _ in connection.notifies():
                        self._heard.set()
            except (psycopg.Error, OSError) as error:
                _log.debug("nothing can be listened to", reason=type(error).__name__)
            self._heard.set()
            await asyncio.sleep(_LISTEN_AGAIN_S)

    async def _connection(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(**self.arguments, autocommit=True)

    @contextmanager
    def _alone(self) -> Iterator[Engine]:
        engine = create_engine(self._url, poolclass=NullPool, connect_args=self._arguments)
        try:
            yield engine
        finally:
            engine.dispose()

    def _in_our_words(self, error: BaseException | None) -> RegistryError | BadRequest:  # noqa: PLR0911 - a table
        place = self.place
        if isinstance(error, _BUSY):
            return RegistryBusy(f"Another process is writing to the registry {place}; try again")
        if isinstance(error, _FULL):
            return RegistryFull(f"There is no room left for the registry {place}; nothing was changed. Free disk space")
        if isinstance(error, _FORBIDDEN) or (isinstance(error, psycopg.Error) and _is_misspelt(error)):
            return RegistryUnusable(f"The registry {place} cannot be used: {_first_line(error)}")
        if isinstance(error, errors.DataError | psycopg.DataError | errors.ProgramLimitExceeded):
            return BadRequest(f"this cannot be stored: {_first_line(error)}")
        if isinstance(error, errors.IoError | errors.DataCorrupted | errors.IndexCorrupted):
            return RegistryError(f"The disk failed under the registry {place}: {_first_line(error)}")
        if isinstance(error, psycopg.OperationalError) and _turned_away(error):
            return RegistryUnusable(f"The registry {place} cannot be used: {_fatal(error)}")
        # Without a code it was never the server that spoke: the connection failed.
        if isinstance(error, _AWAY) or (isinstance(error, psycopg.OperationalError) and not error.sqlstate):
            return RegistryAway(
                f"The registry {place} cannot be reached. What is known of it serves on, and nothing can be changed "
                "until it is back"
            )
        return RegistryError(f"The registry {place} failed: {type(error).__name__}")


def _locking() -> Any:
    return select(func.pg_advisory_xact_lock(_LOCK))


def _place(host: str | None, port: int | None, database: str | None) -> str:
    return f"postgresql://{host or ''}{f':{port}' if port else ''}/{database}"


def _turned_away(error: psycopg.OperationalError) -> bool:
    """Tell whether the server answered a new connection with a refusal that will not pass by itself."""
    said = _fatal(error)
    return bool(said) and not error.sqlstate and not any(word in said for word in _PASSING)


def _is_misspelt(error: psycopg.Error) -> bool:
    """Return whether libpq does not know a parameter of the url, such as `pgbouncer=true`, or its value."""
    return not error.sqlstate and re.search(r"invalid (connection option|\w+ value)", _first_line(error)) is not None


def _fatal(error: BaseException) -> str:
    """Give what a server says to a connection that it does not take."""
    return str(error).partition("FATAL:")[2].partition("\n")[0].strip()


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _malformed() -> str:
    return "registry.url is not of the form postgresql://user@host:5432/database"
