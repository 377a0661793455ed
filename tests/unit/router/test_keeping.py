"""What of a client's long list is kept whatever is asked."""

from __future__ import annotations

from router.catalog import Catalog
from router.keeping import LEFT, Instructions, of_long_list
from router.types import Budget, Conversation, Reason, RouteRequest, Source, Turn
from tests.unit.router.fakes import catalog, tool

LIST = catalog(*map(tool, ("list_cats", "list_dogs", "bash", "list_birds", "final_answer", "paint", "list_cats")))


def test_what_is_asked_for_what_steers_and_what_is_named_is_kept() -> None:
    """Namesakes together, unknown names for nothing, the first reason counts."""
    kept = of_long_list(LIST, ("list_birds", "bash", "unknown"), frozenset({0, 4}), Budget(2, 6))
    assert kept == {
        3: Reason.ASKED, 2: Reason.ASKED, 4: Reason.CONTROL, 0: Reason.INSTRUCTED, 6: Reason.INSTRUCTED
    }  # fmt: skip


def test_instructions_that_list_the_tools_name_none() -> None:
    """Of more than there is room for, those without a sibling are kept, and places are left for what is asked."""
    names = (
        "bash",
        "paint",
        *(f"list_{thing}s" for thing in ("cat", "dog", "cow", "cat2")),
        *(f"x{n}" for n in range(9)),
    )
    own = catalog(*map(tool, names))
    kept = of_long_list(own, (), frozenset(range(len(names))), Budget(4, LEFT + 3))
    assert kept == {0: Reason.CONTROL, 1: Reason.INSTRUCTED, 2: Reason.INSTRUCTED}


def test_what_a_client_asks_for_is_kept_beyond_the_budget() -> None:
    """It says so for each; the others have the room that is left."""
    assert len(of_long_list(LIST, ("list_cats", "list_dogs", "list_birds"), frozenset(), Budget(1, 2))) == 4


def asked(own: Catalog, said: str, most: int, source: Source = Source.REQUEST) -> frozenset[int] | None:
    """Return what is known of instructions nobody has looked at."""
    request = RouteRequest(Conversation((Turn("hi"),), said), budget=Budget(1, most), source=source)
    return Instructions(2**20).known(own, request)


def test_instructions_are_looked_at_where_a_list_is_trimmed() -> None:
    """Neither a short list nor one that is set aside needs it, nor a conversation without any."""
    nothing = frozenset[int]()
    assert asked(LIST, "Use list_dogs.", 6) is None
    assert asked(LIST, "Use list_dogs.", 7) == asked(LIST, "", 6) == nothing
    assert asked(LIST, "Use list_dogs.", 6, Source.REGISTRY) == nothing
    assert catalog(tool("a"), tool("b", fixed=True)).trimmable == 1


def test_what_instructions_name_is_remembered() -> None:
    """By the list and the text."""
    memory = Instructions(2**20)
    request = RouteRequest(Conversation((Turn("hi"),), "Use list_dogs first."), budget=Budget(1, 2))
    assert memory.named(LIST, request) == memory.known(LIST, request) == frozenset({1})
    assert memory.used_bytes > 0


def test_a_paragraph_that_changes_is_the_only_one_that_is_read_again() -> None:
    """The time of day, say; what the others name stays known."""
    memory = Instructions(2**20)
    said = f"Be kind.{' Be brief.' * 20}\n\nIt is {{0}}.{' It is late.' * 20}\n\nUse list_dogs, then the `paint` tool."
    for time in ("9:00", "9:01"):
        request = RouteRequest(Conversation((Turn("hi"),), said.format(time)), budget=Budget(1, 2))
        assert memory.known(LIST, request) is None
        assert memory.named(LIST, request) == frozenset({1, 5})
    assert len(memory._named) == 4


def test_long_instructions_are_read_at_both_ends() -> None:
    """What stands in the midst of more than there is time for is passed over."""
    said = "Use list_dogs.\n\n" + "x\n\n" * 6_000 + "Use list_birds." + "\n\ny" * 10_000 + "\n\nUse list_cats."
    request = RouteRequest(Conversation((Turn("hi"),), said), budget=Budget(1, 2))
    assert Instructions(2**20).named(LIST, request) == frozenset({0, 1, 6})
