"""The contract of a registry: what goes in comes out, changes are whole, nothing unchanged is written."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequest, Conflict, NotFound
from app.registry import rows
from app.registry.held import GUARDED
from app.registry.store import Registry
from app.registry.writing import PutResult
from router import text
from router.types import Kind, Parameter, Risk, Tool, Vectors

OpenRegistry = Callable[[], Awaitable[Registry]]


class MakeTool(Protocol):
    def __call__(self, name: str, **fields: object) -> Tool: ...


def vector(*values: float) -> Vectors:
    """Give a vector."""
    return np.array(values, dtype=np.float32)


WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TOOLS = st.builds(
    Tool,
    name=WORDS,
    definition=st.binary(),
    kind=st.sampled_from(Kind),
    description=WORDS,
    parameters=st.lists(st.builds(Parameter, WORDS, WORDS, st.lists(WORDS).map(tuple))).map(tuple),
    tags=st.lists(WORDS).map(tuple),
    keywords=st.lists(WORDS).map(tuple),
    examples=st.lists(WORDS).map(tuple),
    pinned=st.booleans(),
    enabled=st.booleans(),
    risk=st.sampled_from(Risk),
    source=WORDS,
    tenant=WORDS,
)


async def test_new_registry_is_empty(registry: Registry) -> None:
    """A registry that was just made holds nothing, at generation 0."""
    assert await registry.load() == (0, [])
    assert await registry.count() == 0
    assert await registry.find() == []


@given(TOOLS)
def test_row_of_any_tool_is_the_tool(tool: Tool) -> None:
    """A tool that became a row becomes the same tool again."""
    row = rows.from_tool(tool)
    assert rows.to_tool([row[column] for column in rows.TOOL_COLUMNS]) == tool


@given(TOOLS, TOOLS)
def test_record_digests_are_equal_for_equal_tools_only(one: Tool, other: Tool) -> None:
    """Two tools have one record digest exactly if they are equal."""
    assert (rows.from_tool(one)["digest"] == rows.from_tool(other)["digest"]) == (one == other)


async def test_stored_tool_comes_back_exactly(registry: Registry, make_tool: MakeTool) -> None:
    """Bytes, order, blanks, emoji and escapes of a tool survive the way through the database."""
    tool = make_tool(
        "get_天気\u2028",
        definition=b'{"type" : "function",\r\n\t"n":1.0e+2,"x":"\\u00e9\\ud83d\\ude00"}\xff\x00',
        kind=Kind.CUSTOM,
        description="日本語 \x01 \U0001f600 'quoted' \\ %s :name",
        parameters=(Parameter("", "", ()), Parameter("p", "d\0", ("", "b", "a"))),
        tags=("b", "a", "b"),
        pinned=True,
        enabled=False,
        risk=Risk.DANGEROUS,
    )
    await registry.put([tool])
    assert await registry.get(tool.name) == tool
    assert await registry.find() == [tool]
    assert await registry.load() == (1, [tool])


async def test_request_bound_fields_are_not_stored(registry: Registry, make_tool: MakeTool) -> None:
    """`fixed` and `marker` belong to a request and come back as their defaults."""
    await registry.put([make_tool("a", fixed=True, marker=b"{}")])
    assert await registry.get("a") == make_tool("a")
    assert (await registry.put([make_tool("a")])).unchanged == ("a",)


async def test_get_of_a_missing_tool_is_none(registry: Registry) -> None:
    """A name that is not registered gives None."""
    assert await registry.get("nobody") is None


async def test_put_tells_what_became_of_each_tool(registry: Registry, make_tool: MakeTool) -> None:
    """Created, updated and unchanged tools are named in the order given."""
    await registry.put([make_tool("a"), make_tool("b")])
    result = await registry.put([make_tool("d"), make_tool("b", pinned=True), make_tool("c"), make_tool("a")])
    assert result == PutResult(created=("d", "c"), updated=("b",), unchanged=("a",))


async def test_durability_c16_a_put_again_changes_nothing(registry: Registry, make_tool: MakeTool) -> None:
    """The same tools once more are not written, and the generation stays."""
    tools = [make_tool(f"t{i}") for i in range(5_000)]
    await registry.put(tools)
    result = await registry.put(tools)
    assert len(result.unchanged) == 5_000
    assert not result.created
    assert not result.updated
    assert await registry.generation() == 1


async def test_put_of_nothing_changes_nothing(registry: Registry) -> None:
    """An empty import is no change."""
    assert await registry.put([]) == PutResult((), (), ())
    assert await registry.generation() == 0


async def test_generation_rises_once_a_change(registry: Registry, make_tool: MakeTool) -> None:
    """Put, change and delete raise the generation by one each, however many tools they touch."""
    await registry.put([make_tool("a"), make_tool("b")])
    await registry.put([make_tool("a"), make_tool("b", pinned=True)])
    await registry.change("a", lambda tool: replace(tool, enabled=False))
    await registry.delete("b")
    assert await registry.generation() == 4


async def test_catalogue_order_survives_updates(registry: Registry, make_tool: MakeTool) -> None:
    """Tools stand in the order of their first registration; a deleted one comes back at the end."""
    await registry.put([make_tool(name) for name in "cab"])
    await registry.put([make_tool("a", pinned=True), make_tool("d"), make_tool("c", pinned=True)])
    await registry.delete("c")
    await registry.put([make_tool("c")])
    _, tools = await registry.load()
    assert [tool.name for tool in tools] == ["a", "b", "d", "c"]


async def test_durability_c16_a_put_with_one_name_twice_is_refused_whole(
    registry: Registry, make_tool: MakeTool
) -> None:
    """One name twice in an import leaves nothing of it."""
    with pytest.raises(Conflict, match="'b'"):
        await registry.put([make_tool("a"), make_tool("b"), make_tool("b")])
    assert await registry.load() == (0, [])


@pytest.mark.parametrize("field", ["name", "description", "source"])
async def test_put_of_half_a_surrogate_pair_is_refused_whole(
    registry: Registry, make_tool: MakeTool, field: str
) -> None:
    """A text that is no Unicode leaves nothing of the import."""
    half: dict[str, Any] = {field: "\ud800"}
    with pytest.raises(BadRequest, match="surrogate"):
        await registry.put([make_tool("a"), replace(make_tool("b"), **half)])
    assert await registry.count() == 0


@pytest.mark.parametrize("wrong", [{"description": "\0"}, {"tags": ("\0",)}, {"source": "\0"}])
async def test_put_of_a_nul_is_refused_whole(registry: Registry, make_tool: MakeTool, wrong: dict[str, object]) -> None:
    """Not every store can hold a NUL, so none takes it."""
    with pytest.raises(BadRequest, match="NUL"):
        await registry.put([make_tool("a"), make_tool("b", **wrong)])
    assert await registry.count() == 0


async def test_asking_for_half_a_surrogate_pair_is_refused(registry: Registry) -> None:
    """A question that is no Unicode is the caller's mistake, not the registry's."""
    with pytest.raises(BadRequest):
        await registry.get("\ud800")
    with pytest.raises(BadRequest):
        await registry.find(q="\ud800")


async def test_delete_tells_whether_there_was_one(registry: Registry, make_tool: MakeTool) -> None:
    """The first delete of a tool removes it, the second finds nothing and changes nothing."""
    await registry.put([make_tool("a")])
    assert await registry.delete("a")
    assert not await registry.delete("a")
    assert await registry.load() == (2, [])


async def test_change_writes_what_the_edit_gives(registry: Registry, make_tool: MakeTool) -> None:
    """An edit sees the stored tool, and what it gives is stored and handed back."""
    await registry.put([make_tool("a")])
    changed = await registry.change("a", lambda tool: replace(tool, tags=(*tool.tags, "more")))
    assert changed == make_tool("a", tags=("sample", "more"))
    assert await registry.get("a") == changed


async def test_change_to_the_same_writes_nothing(registry: Registry, make_tool: MakeTool) -> None:
    """An edit that changes nothing leaves the generation."""
    await registry.put([make_tool("a")])
    await registry.change("a", lambda tool: tool)
    assert await registry.generation() == 1


async def test_change_of_a_missing_tool_is_not_found(registry: Registry) -> None:
    """There is nothing to edit under a name that is not registered."""
    with pytest.raises(NotFound, match="nobody"):
        await registry.change("nobody", lambda tool: tool)


async def test_change_cannot_rename(registry: Registry, make_tool: MakeTool) -> None:
    """An edit that gives another name is refused, and the tool stays."""
    await registry.put([make_tool("a")])
    with pytest.raises(Conflict):
        await registry.change("a", lambda tool: replace(tool, name="b"))
    assert await registry.load() == (1, [make_tool("a")])


async def test_failing_edit_changes_nothing(registry: Registry, make_tool: MakeTool) -> None:
    """What an edit raises comes through, and nothing stays locked."""

    def fail(_: Tool) -> Tool:
        raise ZeroDivisionError

    await registry.put([make_tool("a")])
    with pytest.raises(ZeroDivisionError):
        await registry.change("a", fail)
    assert await registry.delete("a")


async def test_find_gives_pages_by_name(registry: Registry, make_tool: MakeTool) -> None:
    """Page after page gives every tool once, by name in code point order."""
    names = [f"{letter}{i}" for letter in "aBz_é天" for i in range(7)]
    await registry.put([make_tool(name) for name in random.Random(1).sample(names, len(names))])
    seen: list[str] = []
    while page := await registry.find(limit=5, after=seen[-1] if seen else None):
        assert len(page) <= 5
        seen += [tool.name for tool in page]
    assert seen == sorted(names)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("STRASSE", ["a"]),
        ("straße", ["a"]),
        ("天気", ["b"]),
        ("100%", ["c"]),
        ("_x", ["d_x"]),
        ("/", ["b"]),
        ("d_X", ["d_x"]),
        ("nothing", []),
        ("", ["a", "b", "c", "d_x", "e"]),
        ("d x", ["d_x"]),
        ("-", ["e"]),
        ("_", ["d_x"]),
    ],
)
async def test_find_looks_into_name_and_description(
    registry: Registry, make_tool: MakeTool, q: str, found: list[str]
) -> None:
    """A part of name or description is found whatever its case, and wildcards mean themselves."""
    await registry.put(
        [
            make_tool("a", description="Die Straße"),
            make_tool("b", description="天気 / weather"),
            make_tool("c", description="100% of 1000 dax"),
            make_tool("d_x", description=""),
            make_tool("e", description="Check-in"),
        ]
    )
    assert [tool.name for tool in await registry.find(q=q)] == found


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("email", ["a", "b", "c"]),
        ("E-Mail", ["a", "b", "c"]),
        ("e\u2011mail", ["a", "b", "c"]),
        ("send e-mail", ["c"]),
        ("send email", ["c"]),
        ("check in", ["d"]),
        ("check-in", ["d"]),
        ("checkin", ["d"]),
        ("e mail", ["a", "c", "e"]),
        ("look-for", ["e"]),
    ],
)
async def test_find_takes_a_word_with_and_without_its_hyphen(
    registry: Registry, make_tool: MakeTool, q: str, found: list[str]
) -> None:
    """`e-mail`, `email`, and what was written with another hyphen; a name's underscores are blanks."""
    await registry.put(
        [
            make_tool("a", description="Read an e\N{NON-BREAKING HYPHEN}mail."),
            make_tool("b", description="Read an email."),
            make_tool("c", description="Send e-mail."),
            make_tool("d", description="Check-in at the airport."),
            make_tool("e", description="Look for it in the mailbox."),
            make_tool("send_check", description="Mail."),
        ]
    )
    assert [tool.name for tool in await registry.find(q=q)] == found


@pytest.mark.parametrize(("tag", "found"), [("git", ["a"]), ('q"uo', ["b"]), ("github", ["a", "b"]), ("hub", [])])
async def test_find_by_tag_takes_whole_tags(
    registry: Registry, make_tool: MakeTool, tag: str, found: list[str]
) -> None:
    """A tag matches exactly, never a part of one."""
    await registry.put([make_tool("a", tags=("git", "github")), make_tool("b", tags=("github", 'q"uo'))])
    await registry.put([make_tool("c", tags=())])
    assert [tool.name for tool in await registry.find(tag=tag)] == found


async def test_find_meets_every_condition(registry: Registry, make_tool: MakeTool) -> None:
    """Conditions narrow each other."""
    await registry.put(
        [
            make_tool("a", risk=Risk.WRITE),
            make_tool("b", risk=Risk.WRITE, enabled=False),
            make_tool("c"),
            make_tool("d", risk=Risk.WRITE, tags=()),
        ]
    )
    assert [tool.name for tool in await registry.find(risk=Risk.WRITE)] == ["a", "b", "d"]
    assert [tool.name for tool in await registry.find(enabled=False)] == ["b"]
    found = await registry.find(risk=Risk.WRITE, enabled=True, tag="sample", q="DOES")
    assert [tool.name for tool in found] == ["a"]


async def test_vectors_come_back_as_they_were(registry: Registry) -> None:
    """Vectors are float32 bit for bit, by encoder and digest; the generation stays."""
    learned = {f"{i:032x}": np.random.default_rng(i).standard_normal(512, np.float32) for i in range(2_100)}
    await registry.add_vectors("one", learned)
    found = await registry.vectors("one", [*learned, "unknown"])
    assert found.keys() == learned.keys()
    assert all(found[digest].tobytes() == learned[digest].tobytes() for digest in learned)
    assert all(found[digest].dtype == np.float32 for digest in learned)
    assert await registry.vectors("other", learned.keys()) == {}
    assert await registry.generation() == 0


async def test_vector_that_is_there_stays(registry: Registry) -> None:
    """The first vector of a digest is kept; another encoder has its own."""
    await registry.add_vectors("one", {"d": vector(1, 2)})
    await registry.add_vectors("one", {"d": vector(3, 4), "e": vector(5, 6)})
    await registry.add_vectors("other", {"d": vector(7, 8, 9)})
    assert (await registry.vectors("one", ["d"]))["d"].tolist() == [1, 2]
    assert (await registry.vectors("one", ["e"]))["e"].tolist() == [5, 6]
    assert (await registry.vectors("other", ["d"]))["d"].tolist() == [7, 8, 9]


async def test_pruning_keeps_tools_and_the_newest(registry: Registry, make_tool: MakeTool) -> None:
    """Of the vectors without a tool the newest stay; those of registered tools always do."""
    await registry.put([make_tool("a")])
    own = text.digest(make_tool("a"))
    for digest in (own, "old", "newer", "newest"):
        await registry.add_vectors("one", {digest: vector(1)})
    assert await registry.prune_vectors(2) == 1
    assert (await registry.vectors("one", [own, "old", "newer", "newest"])).keys() == {own, "newer", "newest"}
    await registry.delete("a")
    assert await registry.prune_vectors(0) == 3


async def test_pruning_removes_thousands(registry: Registry) -> None:
    """However many vectors are too many, all of them go."""
    await registry.add_vectors("one", {f"{i:032x}": vector(i) for i in range(4_100)})
    assert await registry.prune_vectors(50) == 4_050
    assert await registry.prune_vectors(50) == 0


async def test_recent_vectors_are_the_newest_without_a_tool(registry: Registry, make_tool: MakeTool) -> None:
    """The newest vectors of one encoder that no registered tool has, at most so many."""
    await registry.put([make_tool("a")])
    for digest in ("old", "newer", "newest", text.digest(make_tool("a"))):
        await registry.add_vectors("one", {digest: vector(1)})
    await registry.add_vectors("other", {"elsewhere": vector(2)})
    assert (await registry.recent_vectors("one", 2)).keys() == {"newer", "newest"}
    assert (await registry.recent_vectors("one", 9)).keys() == {"old", "newer", "newest"}


async def test_pruning_follows_a_changed_description(registry: Registry, make_tool: MakeTool) -> None:
    """A tool with another description has another vector; the old one belongs to nobody."""
    await registry.put([make_tool("a")])
    await registry.change("a", lambda tool: replace(tool, description="Something else"))
    old, new = text.digest(make_tool("a")), text.digest(make_tool("a", description="Something else"))
    await registry.add_vectors("one", {old: vector(1), new: vector(2)})
    await registry.prune_vectors(0)
    assert (await registry.vectors("one", [old, new])).keys() == {new}


async def test_two_registries_on_one_file_see_each_other(open_registry: OpenRegistry, make_tool: MakeTool) -> None:
    """What one writes, the other reads, generation and all."""
    one, other = await open_registry(), await open_registry()
    await one.put([make_tool("a")])
    assert await other.load() == (1, [make_tool("a")])
    await other.delete("a")
    assert await one.get("a") is None
    assert await one.generation() == 2


async def test_tools_outlive_the_registry_that_wrote_them(open_registry: OpenRegistry, make_tool: MakeTool) -> None:
    """Closed and opened again, everything is there."""
    first = await open_registry()
    await first.put([make_tool("a")])
    await first.close()
    assert await (await open_registry()).load() == (1, [make_tool("a")])


async def test_changes_at_once_lose_nothing(open_registry: OpenRegistry, make_tool: MakeTool) -> None:
    """Forty edits of one tool, through two registries at once, are all there."""
    registries = [await open_registry(), await open_registry()]
    await registries[0].put([make_tool("a", tags=())])

    async def add(i: int) -> None:
        await registries[i % 2].change("a", lambda tool: replace(tool, tags=(*tool.tags, str(i))))

    await asyncio.gather(*(add(i) for i in range(40)))
    changed = await registries[0].get("a")
    assert changed is not None
    assert sorted(changed.tags, key=int) == [str(i) for i in range(40)]
    assert await registries[1].generation() == 41


async def test_reads_are_consistent_while_others_write(open_registry: OpenRegistry, make_tool: MakeTool) -> None:
    """A load gives a generation and exactly the tools of that generation."""
    writer, reader = await open_registry(), await open_registry()

    async def write() -> None:
        for i in range(30):
            await writer.put([make_tool(f"t{i}")])

    writing = asyncio.create_task(write())
    while not writing.done():
        generation, tools = await reader.load()
        assert len(tools) == generation
    await writing


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 5, 10, 20, 40, 60, 80, 120])
async def test_cancelled_calls_run_to_their_end(registry: Registry, make_tool: MakeTool, delay_ms: int) -> None:
    """A put and a load whose caller goes away leave no lock behind; the put is there when the next one is."""
    putting = asyncio.create_task(registry.put([make_tool(f"t{i}") for i in range(2_000)]))
    loading = asyncio.create_task(registry.load())
    await asyncio.sleep(delay_ms / 1_000)
    for task in (putting, loading):
        task.cancel()
    await asyncio.gather(putting, loading, return_exceptions=True)
    await registry.put([make_tool("other")])
    await registry.close()
    assert await registry.count() in (1, 2_001)
    assert await registry.delete("other")


async def test_h03_what_a_record_leaves_out_loosens_nothing(registry: Registry, make_tool: MakeTool) -> None:
    """A disabled tool stays disabled, its risk and its tenant stay; said, each is taken."""
    strict = make_tool("a", enabled=False, risk=Risk.DANGEROUS, tenant="acme")
    await registry.put([strict])
    loose = make_tool("a", description="Another.")
    kept = replace(loose, enabled=False, risk=Risk.DANGEROUS, tenant="acme")
    result = await registry.put([loose, make_tool("b")], {"a": GUARDED, "b": GUARDED})
    assert (await registry.get("a"), result.created, result.updated, result.guarded) == (kept, ("b",), ("a",), ("a",))
    for field in sorted(GUARDED):
        await registry.put([loose], {"a": GUARDED - {field}})
        assert getattr(await registry.get("a"), field) == getattr(loose, field)
        await registry.put([strict])
