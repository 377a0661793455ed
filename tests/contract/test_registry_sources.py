"""Sources and origins, in every store: written with the tools or not at all, claimed by one, kept apart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from app import importer
from app.errors import Conflict, NotFound
from app.registry.held import Pending, note_disabled
from app.registry.sources import Exchange, Known, Provenance, Source, Sources, pending
from app.registry.store import Registry
from router.types import Tool
from tests.contract.conftest import MakeTool, OpenRegistry

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CRM = Source("crm", "mcp", "https://crm.example/mcp", "{}", NOW, NOW + timedelta(hours=1))


@pytest.fixture
def sources(registry: Registry) -> Sources:
    """The sources of an empty registry."""
    return Sources(registry)


def known(make_tool: MakeTool, name: str, source: str = "crm", pending: str | None = None) -> Known:
    """Give a tool of a source, known there by another name."""
    tool = make_tool(name, source=source)
    binding = f'{{"tool":"{name}!"}}'
    return Known(tool, Provenance(name, source, "mcp", CRM.origin, f"{name}!", NOW, "d" * 64, "{}", pending, binding))


async def test_an_exchange_writes_tools_and_their_origin(sources: Sources, make_tool: MakeTool) -> None:
    """What is read back is what was written, times in UTC."""
    written = [known(make_tool, "a"), known(make_tool, "b", pending="{}")]
    await sources.exchange(CRM, Exchange([], written, []))
    assert await sources.known("crm") == written
    assert await sources.get("crm") == CRM
    assert await sources.counted() == [(CRM, 2, 1)]
    assert [one.tool.name for one in await sources.waiting()] == ["b"]
    assert await sources.provenance("a") == written[0]


async def test_an_exchange_puts_and_removes_at_once(sources: Sources, registry: Registry, make_tool: MakeTool) -> None:
    """Others see the tools before or after, and a follower is told what went."""
    first = [known(make_tool, "a"), known(make_tool, "b")]
    await sources.exchange(CRM, Exchange([], first, []))
    before = await registry.state()
    changed = Known(make_tool("b", source="crm", description="Another."), first[1].provenance)
    await sources.exchange(CRM, Exchange(first, [changed, known(make_tool, "c")], ["a"]))
    changes = await registry.changes(before)
    assert (changes.whole, changes.removed) == (False, frozenset({"a"}))
    assert [tool.name for tool in changes.tools] == ["b", "c"]
    assert [one.tool.name for one in await sources.known("crm")] == ["b", "c"]


async def test_an_exchange_planned_from_something_else_writes_nothing(
    sources: Sources, registry: Registry, make_tool: MakeTool
) -> None:
    """Whoever comes second plans anew."""
    first = [known(make_tool, "a")]
    await sources.exchange(CRM, Exchange([], first, []))
    await registry.change("a", lambda tool: replace(tool, tags=("mine",)))
    with pytest.raises(Conflict):
        await sources.exchange(CRM, Exchange(first, [known(make_tool, "b")], ["a"]))
    assert [tool.name for tool in (await registry.load())[1]] == ["a"]


async def test_names_of_others_are_told(sources: Sources, registry: Registry, make_tool: MakeTool) -> None:
    """Tools of other sources, and those that were registered by hand, are not this source's to write."""
    await registry.put([make_tool("hand")])
    await sources.exchange(CRM, Exchange([], [known(make_tool, "a")], []))
    other = replace(CRM, name="other")
    await sources.exchange(other, Exchange([], [known(make_tool, "b", "other")], []))
    assert await sources.foreign("crm", ["hand", "a", "b", "free"]) == {"hand", "b"}


async def test_a_tool_removed_by_hand_is_not_known(sources: Sources, registry: Registry, make_tool: MakeTool) -> None:
    """And it can come again."""
    await sources.exchange(CRM, Exchange([], [known(make_tool, "a")], []))
    await registry.delete("a")
    assert await sources.known("crm") == []
    await sources.exchange(CRM, Exchange([], [known(make_tool, "a")], []))
    assert len(await sources.known("crm")) == 1


async def test_a_source_goes_with_its_tools(sources: Sources, registry: Registry, make_tool: MakeTool) -> None:
    """Nothing of it is left, and nothing else goes."""
    await registry.put([make_tool("hand")])
    await sources.exchange(CRM, Exchange([], [known(make_tool, "a"), known(make_tool, "b")], []))
    assert await sources.remove("crm") == ["a", "b"]
    assert (await registry.count(), await sources.all(), await sources.provenance("a")) == (1, [], None)
    with pytest.raises(NotFound):
        await sources.remove("crm")


async def test_a_source_that_is_due_is_claimed_by_one(open_registry: OpenRegistry) -> None:
    """Of several processes at the same moment; a new source, too; and again when it is due again."""
    several = [Sources(await open_registry()) for _ in range(4)]
    assert sum(await asyncio.gather(*[one.claim(CRM, NOW) for one in several])) == 1
    assert sum(await asyncio.gather(*[one.claim(CRM, NOW + timedelta(minutes=59)) for one in several])) == 0
    later = replace(CRM, due_at=NOW + timedelta(hours=2))
    assert sum(await asyncio.gather(*[one.claim(later, NOW + timedelta(hours=1)) for one in several])) == 1


async def test_a_source_that_is_claimed_was_not_imported(sources: Sources) -> None:
    """A new one never was; of one that is known the last import stays."""
    await sources.claim(CRM, NOW)
    assert await sources.get("crm") == replace(CRM, synced_at=None)
    await sources.exchange(CRM, Exchange([], [], []))
    await sources.claim(replace(CRM, synced_at=NOW + timedelta(hours=2)), NOW + timedelta(hours=2))
    assert [source.synced_at for source in await sources.all()] == [NOW]


async def test_a_source_made_due_while_it_is_imported_stays_due(sources: Sources) -> None:
    """What changed may have come too late for the import under way."""
    await sources.claim(CRM, NOW)
    await sources.expire("crm", NOW)
    await sources.exchange(replace(CRM, due_at=datetime.now(UTC) + timedelta(hours=1)), Exchange([], [], []))
    (source,) = await sources.all()
    assert source.due_at == NOW


async def test_a_failure_is_noted_until_it_goes_well(sources: Sources) -> None:
    """The next import takes the note away."""
    await sources.claim(CRM, NOW)
    await sources.failed("crm", "gone")
    assert [source.error for source in await sources.all()] == ["gone"]
    await sources.exchange(CRM, Exchange([], [], []))
    assert [source.error for source in await sources.all()] == [None]


Write = Callable[[Registry, Tool, Tool], Awaitable[object]]
WAYS: dict[str, Write] = {
    "a put": lambda registry, tool, _: registry.put([tool]),
    "a put of a batch": lambda registry, tool, other: registry.put([other, tool]),
    "a change": lambda registry, tool, _: registry.change(tool.name, lambda _: tool),
    "a catalogue file": lambda registry, tool, other: importer.store(registry, [], [other, tool]),
}


def held(make_tool: MakeTool, name: str) -> Known:
    """Return a tool whose source has another definition, which waits."""
    one = known(make_tool, name, pending=msgspec.json.encode(Pending("e" * 64, "{}", enabled=True)).decode())
    return replace(one, tool=replace(one.tool, enabled=False))


@pytest.mark.parametrize("way", WAYS)
async def test_h03_nothing_but_an_approval_enables_what_waits(
    sources: Sources, registry: Registry, make_tool: MakeTool, way: str
) -> None:
    """Whatever writes the tool is refused whole; disabled, it may be written."""
    waiting = held(make_tool, "a")
    await sources.exchange(CRM, Exchange([], [waiting], []))
    before = await registry.state()
    for tool in (replace(waiting.tool, enabled=True), make_tool("a", description="By hand.")):
        with pytest.raises(Conflict, match="'a' has another definition, which waits for approval"):
            await WAYS[way](registry, tool, make_tool("other"))
    assert await registry.state() == before
    await WAYS[way](registry, replace(waiting.tool, tags=("mine",)), make_tool("other"))
    stored = await registry.get("a")
    assert stored == replace(waiting.tool, tags=("mine",))


async def test_h03_an_import_that_would_enable_what_it_holds_writes_nothing(
    sources: Sources, registry: Registry, make_tool: MakeTool
) -> None:
    """The gate stands before the import's own writing, too."""
    before = [known(make_tool, "a")]
    await sources.exchange(CRM, Exchange([], before, []))
    enabled = replace(held(make_tool, "a"), tool=make_tool("a", source="crm", description="Another."))
    with pytest.raises(Conflict, match="waits for approval"):
        await sources.exchange(CRM, Exchange(before, [enabled], []))
    assert (await registry.get("a"), await sources.waiting()) == (before[0].tool, [])


async def test_h03_an_approval_enables_what_was_looked_at(
    sources: Sources, registry: Registry, make_tool: MakeTool
) -> None:
    """And nothing where something else waits by then."""
    waiting = held(make_tool, "a")
    await sources.exchange(CRM, Exchange([], [waiting], []))
    taken = Known(make_tool("a", source="crm"), replace(waiting.provenance, pending=None))
    looked_at = replace(waiting, provenance=replace(waiting.provenance, pending="{}"))
    with pytest.raises(Conflict, match="changed by someone else"):
        await sources.take([looked_at], [taken])
    await sources.take([waiting], [taken])
    assert await registry.get("a") == taken.tool


@pytest.mark.parametrize("way", WAYS)
async def test_h03_what_is_written_disabled_while_it_waits_stays_disabled(
    sources: Sources, registry: Registry, make_tool: MakeTool, way: str
) -> None:
    """What the source says later does not enable it, and neither does an approval."""
    waiting = held(make_tool, "a")
    await sources.exchange(CRM, Exchange([], [waiting], []))
    if way == "a change":
        await registry.change("a", lambda tool: tool, lambda connection: note_disabled(connection, ["a"]))
    else:
        await WAYS[way](registry, waiting.tool, make_tool("other"))
    (after,) = await sources.waiting()
    assert pending(after) == Pending("e" * 64, "{}", enabled=False)
