"""The next catalogue, planned from what a registry tells of its changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.registry.draft import drafted, filled
from app.registry.store import Changes, State
from router import text
from router.catalog import Catalog, Space
from router.change import tools_after
from router.index.flat import FlatIndex
from router.types import Tool

_NAMES = [f"t{number}" for number in range(6)]


def _tool(name: str, description: str = "") -> Tool:
    return Tool(name, b"{}", description=description)


def _catalog(tools: list[Tool], ready: list[bool]) -> tuple[Catalog, list[str], Space]:
    """Give a catalogue whose vectors tell the rows apart."""
    vectors = np.arange(1, len(tools) + 1, dtype=np.float32)[:, None] * np.asarray(ready, dtype=np.float32)[:, None]
    space = Space("k", FlatIndex(vectors), np.asarray(ready, dtype=np.bool_))
    return Catalog.build("1", tools, spaces=[space]), [text.digest(tool) for tool in tools], space


def _values(space: Space) -> list[float]:
    values: list[float] = space.index.take(np.arange(len(space.ready))).ravel().tolist()
    return values


def _changes(tools: list[Tool], removed: set[str], *, whole: bool = False) -> Changes:
    digests = [text.digest(tool) for tool in tools]
    return Changes(State(2, "x"), tools, digests, frozenset(removed), whole, {})


@given(st.data())
def test_draft_is_the_registry_after_its_changes(data: st.DataObject) -> None:
    """Whatever was written and removed: known tools keep their order, new ones come behind, the removed are gone."""
    there = data.draw(st.lists(st.sampled_from(_NAMES), unique=True))
    removed = data.draw(st.sets(st.sampled_from(_NAMES)))
    written = data.draw(st.lists(st.sampled_from(_NAMES), unique=True))
    written.sort(key=lambda name: (name not in there or name in removed, there.index(name) if name in there else 0))
    catalog, digests, _ = _catalog([_tool(name, "old") for name in there], [True] * len(there))
    draft = drafted(catalog, digests, _changes([_tool(name, "new") for name in written], removed))
    after = {name: "old" for name in there if name not in removed} | dict.fromkeys(written, "new")
    tools = tools_after(catalog, draft.change)
    assert {tool.name: tool.description for tool in tools} == after
    assert [tool.name for tool in tools] == list(after)
    assert draft.digests == [text.digest(tool) for tool in tools]


def test_draft_keeps_vectors_by_what_tools_say() -> None:
    """A tool takes along its vector; one that says the same as another takes that one's; the rest is wanted."""
    catalog, digests, space = _catalog([_tool("a"), _tool("b"), _tool("c", "x")], [True, True, False])
    again, other = _tool("b", "changed"), _tool("d")
    draft = drafted(catalog, digests, _changes([again, other], {"a"}))
    assert draft.wanted == {text.digest(again): again, text.digest(other): other}
    found = {text.digest(other): np.asarray([9], dtype=np.float32)}
    made = filled(space, draft, found)
    assert (_values(made), made.ready.tolist()) == (
        [0, 0, 9],
        [False, False, True],
    )


def test_draft_of_everything_keeps_vectors_too() -> None:
    """A registry that is read anew embeds nothing anew."""
    catalog, digests, space = _catalog([_tool("a"), _tool("b")], [True, True])
    draft = drafted(catalog, digests, _changes([_tool("b"), _tool("c"), _tool("a")], set(), whole=True))
    made = filled(space, draft, {})
    assert (_values(made), made.ready.tolist()) == (
        [2, 0, 1],
        [True, False, True],
    )
    assert list(draft.wanted.values()) == [_tool("c")]


def test_filled_makes_nothing_where_nothing_moved() -> None:
    """A change of tags alone costs no copy of the vectors."""
    catalog, digests, space = _catalog([_tool("a"), _tool("b")], [True, True])
    draft = drafted(catalog, digests, _changes([Tool("b", b"{}", tags=("x",))], set()))
    assert filled(space, draft, {}) is space


def test_filled_takes_what_was_learned_since() -> None:
    """A tool that waited gets its vector without a change of the registry."""
    catalog, digests, space = _catalog([_tool("a"), _tool("b")], [True, False])
    draft = drafted(catalog, digests, _changes([], set()))
    made = filled(space, draft, {digests[1]: np.asarray([5], dtype=np.float32)})
    assert (_values(made), made.ready.tolist()) == ([1, 5], [True, True])
