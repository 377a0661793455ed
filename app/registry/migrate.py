"""Bring a database to the schema of this version, when it is opened.

Synchronous; the store runs it in a thread. Laws: a database that is up to date is only read; all migrations
run in one writing transaction, so that of several processes on a new file one migrates and the others find it
done.
"""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from app.errors import RegistryUnusable
from app.registry.database import Database

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
                    command.upgrade(config(connection), "head")


def _is_current(connection: Connection, place: str) -> bool:
    """Tell whether nothing is to be done; raise where nothing can be."""
    scripts = ScriptDirectory.from_config(config(connection))
    applied = MigrationContext.configure(connection).get_current_heads()
    if not applied and inspect(connection).get_table_names():
        raise RegistryUnusable(f"{place} is a database of something else, not a registry. Set registry.url to another")
    known = {script.revision for script in scripts.walk_revisions()}
    if not known.issuperset(applied):
        raise RegistryUnusable(
            f"The registry {place} was written by a newer version of Toolfunnel "
            f"(schema {', '.join(applied)}). Install that version, or set registry.url to another registry"
        )
    return applied == tuple(scripts.get_heads())


def config(connection: Connection) -> Config:
    """Give what Alembic needs to run our migrations over a connection."""
    made = Config()
    made.set_main_option("path_separator", "os")
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
