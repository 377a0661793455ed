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
from tests.unit.app.callers.test_ring import PEPPER, Clock, made


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


async def used_at(store: KeyStore) -> datetime | None:
    """Return when the one key was used last, as it is stored."""
    _, (stored,) = await store.load()
    return stored.used_at


async def noted(store: KeyStore, at: int) -> None:
    """Wait until a use is stored, in whole seconds."""
    async with asyncio.timeout(20):
        while await used_at(store) != datetime.fromtimestamp(at, UTC):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_the_last_use_of_a_key_is_noted_to_the_second(store: KeyStore) -> None:
    """The first one soon, and every later one in its time, without another look at the keys; a later one stays."""
    clock = Clock()
    following, (key, secret) = Following(Keyring(clock), store, look_s=60, note_s=0.01, again_s=0.05), made()
    await store.add(key)
    await following.start()
    before = await store.token()
    for _ in range(3):
        clock.at += 7
        following.ring.open(secret, PEPPER)
        await noted(store, int(clock.at))
    await store.note_used({key.id: datetime(2020, 1, 1, tzinfo=UTC)})
    assert await used_at(store) == datetime.fromtimestamp(int(clock.at), UTC)
    assert await store.token() == before
    await following.stop()


async def test_a_busy_key_is_not_written_for_every_use(store: KeyStore) -> None:
    """Within a minute of the last note it waits; the end of the gateway does not."""
    clock = Clock()
    following, (key, secret) = Following(Keyring(clock), store, look_s=60, note_s=60), made()
    await store.add(key)
    await following.start()
    written = []
    for _ in range(3):
        clock.at += 1
        following.ring.open(secret, PEPPER)
        await following._note_used(60)
        written.append(await used_at(store))
    assert len(set(written)) == 1
    await following.stop()
    assert await used_at(store) == datetime.fromtimestamp(int(clock.at), UTC)
