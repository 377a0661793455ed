"""What Alembic runs: the migrations, in the transaction that `migrate.upgrade` opened."""

from __future__ import annotations

from alembic import context

from app.registry.schema import metadata


def run() -> None:
    """Run the migrations."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


run()
