"""Where callers' keys are kept: as HMACs, in the registry's database. Portable SQL; no key is ever in it.

Laws: creating and revoking draw a new token, by which other processes see that something changed; that a key was used
does not. A revoked key stays, so that what it did can be told. Errors are the registry's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.registry import schema
from app.registry.store import Registry, Watch
from app.settings import SourcePolicy
from router.types import Grants, Risk

_WORDS = msgspec.json.Decoder(tuple[str, ...])
_LISTS = ("tenants", "sources", "tags", "risks", "limits")
_TIMES = ("created_at", "expires_at", "revoked_at", "used_at")


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's key without its secret. Times are UTC; `used_at` is when it was used last, to the minute.

    Empty `sources`, `tags` and `risks` narrow nothing; without `tenants` only what belongs to none is reached. `limits`
    are texts such as `60/minute`; without any the configured default counts. `tools_source`: whose tools its requests
    get, within `tools.source`; empty: what that says.
    """

    id: str
    name: str
    created_at: datetime
    tenants: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    tools_source: str = ""
    digest: str = field(default="", repr=False)

    @property
    def grants(self) -> Grants:
        """What it grants; `safety.allow` limits the risks."""
        risks = frozenset(map(Risk, self.risks)) or frozenset(Risk)
        return Grants(risks, frozenset(self.tags), frozenset(self.sources), frozenset(self.tenants))

    @property
    def source(self) -> SourcePolicy | None:
        """Return whose tools its requests get; None where `tools.source` says it."""
        return SourcePolicy(self.tools_source) if self.tools_source else None

    def state(self, now: datetime) -> str:
        """Tell whether it is `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class KeyStore:
    """Reads and writes keys. Safe for several processes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def watch(self) -> Watch:
        """Give a watch of one's own."""
        return self._registry.watch()

    async def token(self) -> str:
        """Give what tells whether anything changed."""
        return await self._registry.shielded(self._token())

    async def load(self) -> tuple[str, list[Key]]:
        """Give the token and all keys, the oldest first, from one consistent read."""
        return await self._registry.shielded(self._load())

    async def add(self, key: Key) -> None:
        """Keep a new key."""
        await self._registry.shielded(self._add(key))

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key for good; tell whether there is one of this id. Once revoked it stays as it is."""
        return key_id.isalnum() and await self._registry.shielded(self._revoke(key_id, now))

    async def note_used(self, times: Mapping[str, datetime]) -> None:
        """Note by id when keys were used; what is known of a later use stays."""
        await self._registry.shielded(self._note_used(times))

    async def _token(self) -> str:
        async with self._registry.reading() as connection:
            return await _token(connection)

    async def _load(self) -> tuple[str, list[Key]]:
        async with self._registry.reading() as connection:
            token = await _token(connection)
            found = await connection.execute(select(schema.keys).order_by(schema.keys.c.created_at, schema.keys.c.id))
            return token, [_to_key(row) for row in found.mappings()]

    async def _add(self, key: Key) -> None:
        async with self._registry.changing() as connection:
            await connection.execute(insert(schema.keys).values(_from_key(key)))
            await _draw_token(connection)

    async def _revoke(self, key_id: str, now: datetime) -> bool:
        keys = schema.keys.c
        async with self._registry.changing() as connection:
            there = await connection.scalar(select(keys.id).where(keys.id == key_id))
            of_now = update(schema.keys).where(keys.id == key_id, keys.revoked_at.is_(None)).values(revoked_at=now)
            if (await connection.execute(of_now)).rowcount:
                await _draw_token(connection)
        return there is not None

    async def _note_used(self, times: Mapping[str, datetime]) -> None:
        keys = schema.keys.c
        earlier = or_(keys.used_at.is_(None), keys.used_at < bindparam("at"))
        statement = update(schema.keys).where(keys.id == bindparam("of"), earlier).values(used_at=bindparam("at"))
        async with self._registry.changing() as connection:
            await connection.execute(statement, [{"of": key_id, "at": at} for key_id, at in times.items()])


async def _token(connection: AsyncConnection) -> str:
    return str((await connection.execute(select(schema.keys_state.c.token))).scalar_one())


async def _draw_token(connection: AsyncConnection) -> None:
    await connection.execute(update(schema.keys_state).values(token=uuid4().hex))


async def revocations(connection: AsyncConnection) -> dict[str, datetime]:
    """Give when keys were revoked, by id."""
    keys = schema.keys.c
    found = (await connection.execute(select(keys.id, keys.revoked_at))).all()
    return {key_id: at for key_id, revoked_at in found if (at := _utc(revoked_at)) is not None}


async def revoke_again(connection: AsyncConnection, revoked: Mapping[str, datetime]) -> None:
    """Revoke keys that came back with a backup; every process reads all keys anew."""
    keys = schema.keys.c
    statement = update(schema.keys).where(keys.id == bindparam("of"), keys.revoked_at.is_(None))
    if revoked:
        values = [{"of": key_id, "at": at} for key_id, at in revoked.items()]
        await connection.execute(statement.values(revoked_at=bindparam("at")), values)
    await _draw_token(connection)


def _from_key(key: Key) -> dict[str, Any]:
    return {
        column.name: _listed(getattr(key, column.name)) if column.name in _LISTS else getattr(key, column.name)
        for column in schema.keys.c
    }


def _to_key(row: Mapping[Any, Any]) -> Key:
    values = dict(row) | {name: _WORDS.decode(row[name]) for name in _LISTS}
    return Key(**values | {name: _utc(row[name]) for name in _TIMES})


def _listed(words: Iterable[str]) -> str:
    return msgspec.json.encode(list(words)).decode()


def _utc(moment: datetime | None) -> datetime | None:
    """Give a time as UTC: SQLite keeps no zone."""
    return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def named(keys: Sequence[Key], key_id: str) -> Key | None:
    """Give the key of this id."""
    return next((key for key in keys if key.id == key_id), None)
