"""SQLite: the only module that knows the driver. Paths, transactions, and its errors in our words.

A rollback journal and `synchronous=FULL`: what was acknowledged survives a power cut. A transaction that
writes starts with BEGIN IMMEDIATE, so that no lock is ever upgraded and two writers wait instead of failing.
Connections are opened for each transaction, so that a file which was replaced or taken away is noticed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    NullPool,
    Table,
    create_engine,
    event,
    exists,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.errors import BadRequest, RegistryBusy, RegistryError, RegistryFull, RegistryUnusable

_WRITE = {"toolfunnel_write": True}  # execution options of a transaction that writes
_COARSE_S = 2.5  # within it two writes may have the same time: on FAT, or while a clock is set
_PREFIX = "sqlite:///"
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",  # 64 MiB: a large import keeps readers out only while it commits
)
_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database. Move it away, or point registry.url to another file",
    sqlite3.SQLITE_CORRUPT: "is damaged. Restore it from a backup, or move it away and import again",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened. See that the file and its directory are there and writable",
    sqlite3.SQLITE_READONLY: "cannot be written. This user needs to write the file and its directory",
    sqlite3.SQLITE_PERM: "may not be used. This user needs to write the file and its directory",
}


class SqliteDatabase:
    """A SQLite file. Its readers are kept out only while a writer commits."""

    def __init__(self, path: Path, busy_timeout_ms: int) -> None:
        self.path = path
        self.place = str(path)
        options: dict[str, Any] = {"poolclass": NullPool, "connect_args": _arguments(busy_timeout_ms)}
        self.engine = create_async_engine(_url("sqlite+aiosqlite", path, "rw"), **options)
        self._maker = create_engine(_url("sqlite", path, "rwc"), **options)
        self._writer = self.engine.execution_options(**_WRITE)
        _listen(self.engine.sync_engine)
        _listen(self._maker)

    def prepare(self) -> None:
        """Make the directory.

        Raises:
            RegistryUnusable: There can be no writable file here.
        """
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            family = RegistryFull if error.errno == errno.ENOSPC else RegistryUnusable
            raise family(
                f"The registry {path} cannot be made: its directory: {error.strerror}. "
                "Give this user the right to write there, or set registry.url"
            ) from error
        for needed in (path.parent, path):
            if needed.exists() and not os.access(needed, os.W_OK):
                raise RegistryUnusable(f"The registry {path} cannot be used: {needed} is not writable for this user")
        if path.is_dir():
            raise RegistryUnusable(f"The registry {path} cannot be used: it is a directory. Set registry.url to a file")

    def looking(self) -> AbstractContextManager[Connection]:
        """Open the file; where there is none it is made."""
        return self._maker.connect()

    def settle(self) -> None:
        """Switch a database back that something set to a write-ahead log; the mode is kept in the file."""
        with closing(self._maker.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA journal_mode = DELETE")

    def migrating(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that makes tables."""
        return self._maker.execution_options(**_WRITE).begin()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the driver raises into the gateway's errors."""
        try:
            yield
        except DBAPIError as error:
            raise _in_our_words(error.orig, self.path) from error
        except sqlite3.Error as error:
            raise _in_our_words(error, self.path) from error
        except UnicodeEncodeError as error:
            raise BadRequest("a text holds half a surrogate pair") from error

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that reads."""
        return self.engine.connect()

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that writes."""
        return self._writer.begin()

    def insert(self, table: Table) -> Insert:
        """Give SQLite's own INSERT."""
        return insert(table)

    def holds(self, words: ColumnElement[str], word: str) -> ColumnElement[bool]:
        """Tell whether a JSON list of texts holds a text."""
        member = func.json_each(words).table_valued("value")
        return exists(select(member.c.value).where(member.c.value == word))

    async def changed(self, seconds: float) -> None:
        """Wait until the next look."""
        await asyncio.sleep(seconds)

    def mark(self) -> object:
        """Give the file's number, size and time; None where a write may have left them as they are.

        The file itself must not be opened for this: closing it again would take SQLite's locks away from this process.
        """
        try:
            file = self.path.resolve(strict=True)
            found = file.stat()
        except (OSError, RuntimeError):  # a loop of links
            return None
        wal = file.with_name(f"{file.name}-wal")  # where writes go if something turned it on: beside the file itself
        if time.time() - found.st_mtime < _COARSE_S or wal.exists():
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    async def copy_to(self, path: Path) -> None:
        """Copy the file by SQLite's own means: in one piece, while others read."""
        await asyncio.to_thread(self._copy_to, path)

    async def numbered(self, connection: AsyncConnection, table: Table) -> None:
        """Leave it to SQLite: it knows the highest number."""

    def _copy_to(self, path: Path) -> None:
        there = f"file:{quote(str(self.path))}?mode=rw"
        with closing(sqlite3.connect(there, uri=True)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)

    async def dispose(self) -> None:
        """Let go of the file."""
        await self.engine.dispose()
        self._maker.dispose()


def path_of(url: str) -> Path:
    """Give the absolute path of `sqlite:///relative` or `sqlite:////absolute`.

    Raises:
        RegistryUnusable: The URL is another one.
    """
    if not url.startswith(_PREFIX) or url == _PREFIX:
        raise RegistryUnusable(f"registry.url {url!r} is not of the form sqlite:///path or postgresql://host/database")
    return Path(url.removeprefix(_PREFIX)).absolute()


def _in_our_words(error: BaseException | None, path: Path) -> RegistryError:
    # The low byte is the kind, the rest a detail of it.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RegistryBusy(f"Another process is writing to the registry {path}; try again")
    if code == sqlite3.SQLITE_FULL:
        return RegistryFull(f"There is no room left for the registry {path}; nothing was changed. Free disk space")
    if code == sqlite3.SQLITE_IOERR:
        return RegistryError(f"The disk failed under the registry {path}; see that it is healthy and has room")
    if code in _UNUSABLE:
        return RegistryUnusable(f"The registry {path} {_UNUSABLE[code]}")
    return RegistryError(f"The registry {path} failed: {error}")


def _url(driver: str, path: Path, mode: str) -> URL:
    return URL.create(driver, database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"})


def _arguments(busy_timeout_ms: int) -> dict[str, Any]:
    # No isolation level: the driver starts no transactions by itself, `_begin` does.
    return {"timeout": busy_timeout_ms / 1_000, "isolation_level": None}


def _listen(made: Engine) -> None:
    event.listen(made, "connect", _set_pragmas)
    event.listen(made, "begin", _begin)


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("toolfunnel_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
