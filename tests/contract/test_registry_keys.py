"""The contract of the keys' store: what goes in comes out, and who looks sees that something changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.registry.keys import Key, KeyStore, named
from app.registry.store import Registry
from tests.contract.conftest import MakeTool, OpenRegistry

THEN = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def store(registry: Registry) -> KeyStore:
    """The keys of an empty registry."""
    return KeyStore(registry)


def made(key_id: str, age_s: int = 0) -> Key:
    """Make a key with a value in every field that a new one can have."""
    lists = (("acme", "日本"), ("crm",), ("a", "b"), ("read",), ("60/minute",))
    made_at, until = THEN - timedelta(seconds=age_s), THEN + timedelta(days=1)
    return Key(key_id, "a test", made_at, *lists, until, tools_source="request", digest="d" * 64)


async def test_keys_come_out_as_they_went_in(store: KeyStore) -> None:
    """Every field, times with their zone, the oldest first."""
    keys = [made("b"), made("c", age_s=9), made("a")]
    for key in keys:
        await store.add(key)
    _, found = await store.load()
    assert found == [keys[1], keys[2], keys[0]]
    assert (named(found, "b"), named(found, "x")) == (keys[0], None)


async def test_a_key_is_revoked_once(store: KeyStore) -> None:
    """The second time changes nothing, and an unknown id is told."""
    await store.add(made("a"))
    assert [await store.revoke("a", when) for when in (THEN, THEN + timedelta(days=1))] == [True, True]
    assert [key.revoked_at for key in (await store.load())[1]] == [THEN]
    assert not await store.revoke("nobody", THEN)


async def test_the_token_tells_of_keys_that_come_and_go(store: KeyStore, open_registry: OpenRegistry) -> None:
    """Another process sees a new one after a creation and a revocation, and after nothing else."""
    other = KeyStore(await open_registry())
    tokens = [await other.token()]
    await store.add(made("a"))
    tokens.append(await other.token())
    await store.note_used({"a": THEN})
    await store.revoke("nobody", THEN)
    assert await other.token() == tokens[-1] == (await other.load())[0]
    await store.revoke("a", THEN)
    tokens.append(await other.token())
    await store.revoke("a", THEN)
    assert await other.token() == tokens[-1]
    assert len(set(tokens)) == 3


async def test_the_latest_hour_of_use_stays(store: KeyStore) -> None:
    """Whichever process notes it first."""
    for key_id in "ab":
        await store.add(made(key_id))
    for hour in (THEN, THEN - timedelta(hours=1)):
        await store.note_used({"a": hour, "nobody": hour})
    assert [key.used_at for key in (await store.load())[1]] == [THEN, None]


async def test_keys_change_no_tools(store: KeyStore, registry: Registry, make_tool: MakeTool) -> None:
    """No catalogue is built anew for a key."""
    await registry.put([make_tool("a")])
    before = await registry.state()
    await store.add(made("a"))
    await store.revoke("a", THEN)
    assert await registry.state() == before


async def test_find_by_tenant(registry: Registry, make_tool: MakeTool) -> None:
    """Its own tools; the empty text finds those of nobody."""
    await registry.put([make_tool("a", tenant="acme"), make_tool("b"), make_tool("c", tenant="globex")])
    found = [[tool.name for tool in await registry.find(tenant=tenant)] for tenant in ("acme", "", "acm")]
    assert found == [["a"], ["b"], []]
