"""The ring follows the registry, and the registry learns which keys are used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.callers.follow import Following
from app.callers.ring import Keyring
from app.registry.keys import Key, KeyStore
from app.registry.store import Registry
from tests.unit.app.callers.test_ring import PEPPER, made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[KeyStore]:
    """A registry without keys."""
    registry = await Registry.open(f"sqlite:///{tmp_path / 'registry.db'}")
    yield KeyStore(registry)
    await registry.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_keys_of_another_process_open_and_are_taken_back(store: KeyStore) -> None:
    """What somebody else creates and revokes is known after a look."""
    following, (key, secret) = Following(Keyring(), store, look_s=0.01), made()
    await following.start()
    await store.add(key)
    await until(lambda: following.ring.open(secret, PEPPER) is not None)
    assert await store.revoke(key.id, datetime.now(UTC))
    await until(lambda: following.ring.open(secret, PEPPER) is None)
    await following.stop()


async def test_keys_that_could_not_be_held_are_held_at_the_next_look(store: KeyStore) -> None:
    """A fault between reading keys and holding them leaves no key out for good."""

    class Slipping(Keyring):
        slips = 1

        def hold(self, keys: Iterable[Key]) -> None:
            self.slips, slips = 0, self.slips
            if slips:
                raise ValueError("a fault that nobody thought of")
            super().hold(keys)

    following, (key, secret) = Following(Slipping(), store), made()
    await store.add(key)
    with pytest.raises(ValueError, match="nobody"):
        await following.refresh()
    await following.refresh()
    assert following.ring.open(secret, PEPPER) is not None


async def test_a_key_is_noted_once_an_hour(store: KeyStore) -> None:
    """Its hour is stored while the gateway runs, without another look at the keys; a later hour stays."""
    following, (key, secret) = Following(Keyring(), store, look_s=60, note_s=0.01), made()
    await store.add(key)
    await following.start()
    before = await store.token()
    following.ring.open(secret, PEPPER)
    stored: list[Key] = []
    async with asyncio.timeout(20):
        while not stored or stored[0].used_at is None:
            _, stored = await store.load()
    await store.note_used({key.id: datetime(2020, 1, 1, tzinfo=UTC)})
    _, again = await store.load()
    assert stored[0].used_at == again[0].used_at == datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert await store.token() == before
    await following.stop()
