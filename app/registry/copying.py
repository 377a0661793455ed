"""All rows of one registry -> another of the same schema, whatever the databases are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.registry import schema

_CHUNK = 500  # rows; vectors are about two kilobytes each


async def copy_rows(source: AsyncConnection, target: AsyncConnection, leave: Sequence[Table] = ()) -> None:
    """Put the rows of every table in place of those that are there, but for the tables to leave alone."""
    tables = [table for table in schema.metadata.sorted_tables if table not in leave]
    for table in reversed(tables):
        await target.execute(delete(table))
    for table in tables:
        found = (await source.stream(select(table).order_by(*table.primary_key.columns))).mappings()
        async for chunk in found.partitions(_CHUNK):
            await target.execute(insert(table), [{name: _utc(row[name]) for name in row} for row in chunk])


def _utc(value: object) -> object:
    """SQLite forgets the time zone; all times are UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
