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
from app.registry import sqlite

_ALEMBIC = threading.Lock()  # Alembic keeps the running migration in globals of its own


def upgrade(path: Path, busy_timeout_ms: int) -> None:
    """Make the database where there is none, and migrate it to the newest revision.

    Raises:
        RegistryUnusable: Not a registry, damaged, not writable, or written by a newer version.
        RegistryBusy: Another process is writing.
        RegistryFull: No room on the disk.
    """
    sqlite.prepare(path)
    engine = sqlite.engine(path, busy_timeout_ms)
    with _ALEMBIC, sqlite.translated(path):
        with engine.connect() as connection:
            current = _is_current(connection, path)
        sqlite.use_rollback_journal(engine)
        if not current:
            with engine.execution_options(**sqlite.WRITE).begin() as connection:
                if not _is_current(connection, path):
                    command.upgrade(_config(connection), "head")


def _is_current(connection: Connection, path: Path) -> bool:
    """Tell whether nothing is to be done; raise where nothing can be."""
    scripts = ScriptDirectory.from_config(_config(connection))
    applied = MigrationContext.configure(connection).get_current_heads()
    if not applied and inspect(connection).get_table_names():
        raise RegistryUnusable(
            f"{path} is a database of something else, not a registry. Set registry.url to another file"
        )
    known = {script.revision for script in scripts.walk_revisions()}
    if not known.issuperset(applied):
        raise RegistryUnusable(
            f"The registry {path} was written by a newer version of Toolfunnel "
            f"(schema {', '.join(applied)}). Install that version, or set registry.url to another file"
        )
    return applied == tuple(scripts.get_heads())


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
