"""What a registry needs of a database that is not the same in all of them. `sqlite` and `postgres` are its forms."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import RegistryUnusable
from app.registry import sqlite


class Database(Protocol):
    """A database that a registry lives in. Laws: one transaction a `with`; of those that write, one runs at a time."""

    @property
    def place(self) -> str:
        """Where it is, as messages say it: without secrets."""
        ...

    def prepare(self) -> None:
        """See to it, before anything is opened, that there can be one. Synchronous, as the next three."""
        ...

    def looking(self) -> AbstractContextManager[Connection]:
        """Open it for a look."""
        ...

    def settle(self) -> None:
        """Bring what is a registry, or nothing yet, into the form that is needed."""
        ...

    def migrating(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that makes tables; one process at a time."""
        ...

    def translated(self) -> AbstractContextManager[None]:
        """Turn what the driver raises into the gateway's errors.

        Raises:
            RegistryError: Always one of this family for an error of the database.
            BadRequest: A text cannot be asked for or stored.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that sees one state from its first statement on."""
        ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that writes. It sees all that was written before it."""
        ...

    def insert(self, table: Table) -> Any:
        """Give an INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        ...

    def holds(self, words: ColumnElement[str], word: str) -> ColumnElement[bool]:
        """Tell whether a JSON list of texts holds a text."""
        ...

    async def changed(self, seconds: float) -> None:
        """Wait until other processes may have changed tools: as long as that at most."""
        ...

    def mark(self) -> object:
        """Give what every change, of whichever process, makes another value. None where only a look can tell."""
        ...

    async def copy_to(self, path: Path) -> None:
        """Write one state of it as a SQLite file that is not there yet. Who writes meanwhile hardly waits."""
        ...

    async def numbered(self, connection: AsyncConnection, table: Table) -> None:
        """Let new rows be numbered behind those that came with their numbers."""
        ...

    async def dispose(self) -> None:
        """Let go of it."""
        ...


def at(url: str, busy_timeout_ms: int) -> Database:
    """Give the database of an address; nothing is opened yet.

    Raises:
        RegistryUnusable: It is of no form that is known, or its driver is not installed.
    """
    if not url.startswith("postgresql"):
        return sqlite.SqliteDatabase(sqlite.path_of(url), busy_timeout_ms)
    try:
        from app.registry import postgres  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RegistryUnusable("For PostgreSQL its driver is needed: pip install 'toolfunnel[postgresql]'") from error
    return postgres.PostgresDatabase(url, busy_timeout_ms)
