"""Bring a database to the schema of this version, when it is opened.

Synchronous; the store runs it in a thread. Laws: a database that is up to date is only read; all migrations
run in one writing transaction, so that of several processes on a new file one migrates and the others find it
done.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from app.errors import RegistryUnusable
from app.registry.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

_ALEMBICS = "alembic_version"  # its own table
_MIGRATIONS = Path(__file__).parent / "migrations"
_REVISIONS = sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
_ALEMBIC = threading.Lock()  # Alembic keeps the running migration in globals of its own


def upgrade(database: Database) -> None:
    """Make the registry where there is none, and migrate it to the newest revision.

    Raises:
        RegistryUnusable: Not a registry, damaged, not writable, or written by a newer version.
        RegistryBusy: Another process is writing.
        RegistryFull: No room on the disk.
    """
    database.prepare()
    with _ALEMBIC, database.translated():
        with database.looking() as connection:
            current = _is_current(connection, database.place)
        database.settle()
        if not current:
            with database.migrating() as connection:
                if not _is_current(connection, database.place):
                    from alembic import command  # noqa: PLC0415 - a fifth of a second, and hardly ever needed

                    command.upgrade(config(connection), "head")


def _is_current(connection: Connection, place: str) -> bool:
    """Tell whether nothing is to be done; raise where nothing can be."""
    tables = inspect(connection).get_table_names()
    applied = connection.scalar(text("SELECT version_num FROM alembic_version")) if _ALEMBICS in tables else None
    if applied is None and set(tables) - {_ALEMBICS}:
        raise RegistryUnusable(f"{place} is a database of something else, not a registry. Set registry.url to another")
    if applied is not None and applied not in _REVISIONS:
        raise RegistryUnusable(
            f"The registry {place} was written by a newer version of Toolfunnel "
            f"(schema {applied}). Install that version, or set registry.url to another registry"
        )
    return applied == _REVISIONS[-1]


def config(connection: Connection) -> Config:
    """Give what Alembic needs to run our migrations over a connection."""
    from alembic.config import Config  # noqa: PLC0415 - as above

    made = Config()
    made.set_main_option("path_separator", "os")
    made.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
