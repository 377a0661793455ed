"""What the memories count of themselves is what they take."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.lists import Lists
from app.wire import chat
from router import text
from router.catalog import EMPTY, Catalog, Pool
from router.cut import Held
from router.embed.embedder import Embedder
from router.pipeline import Router
from router.recall import Recall
from router.search import Memory
from router.types import Conversation, Grants, Reason, RouteRequest, RoutingQuery, Turn
from tests.support import tools
from tests.support.memory import traced
from tests.unit.router.fakes import HashingEncoder, catalog, soon, tool

ROOM = 2**26
Fill = Callable[[], tuple[object, int]]


def conversations() -> tuple[object, int]:
    """Twenty tools sent to each of 2,000 conversations."""
    recall = Recall(ROOM)
    pool = Pool(
        catalog(*(tool(f"own_{i}") for i in range(30))), catalog(*(tool(f"of_the_catalogue_{i}") for i in range(30)))
    )
    for number in range(2_000):
        order = tuple((number + i * 7) % 60 for i in range(20))
        recall.put(b"%016d" % number, Held(order, (Reason.OWN,) * 20), pool)
    return recall, recall.used_bytes


def read(listed: Callable[[int], list[dict[str, object]]], count: int) -> tuple[object, int]:
    """Lists, with what a catalogue makes when it is first asked for."""
    lists = Lists(ROOM)
    for number in range(count):
        body = json.dumps({"messages": [tools.user("hi")], "tools": listed(number)}, ensure_ascii=False).encode()
        own = lists.read(chat.parse(body))
        _ = own.by_name, own.by_phrase, own.rights, own.name_weights, own.scripts, own.pinned
    return lists, lists.used_bytes


def lists_of_functions() -> tuple[object, int]:
    """Functions with descriptions and parameters."""
    return read(lambda number: [*tools.distinct(100), tools.function(f"{number}")], 10)


def lists_of_names() -> tuple[object, int]:
    """Nothing but names that nobody else uses, as an attacker would send them."""
    return read(lambda number: [{"function": {"name": f"{i:x}_{number}"}} for i in range(3_000)], 2)


def lists_of_typed_tools() -> tuple[object, int]:
    """The smallest entries that there can be."""
    return read(lambda number: [{"type": f"{number}"}] * 5_000, 2)


def lists_in_chinese() -> tuple[object, int]:
    """Long texts of wide characters."""
    return read(lambda number: [tools.function(f"t{number}_{i}", "查询天气预报😀" * 100) for i in range(50)], 3)


def list_vectors() -> tuple[object, int]:
    """Lists with their vectors."""
    memory, embedder = Memory(ROOM), Embedder(HashingEncoder())
    for number in range(5):
        own = catalog(*(tool(f"tool_{number}_{i}", "Does something else.") for i in range(200)))
        own = replace(own, version=f"{number}")
        digests = [text.digest(one) for one in own.tools]
        embedder.tools(own.tools, digests, range(200), soon())
        memory.own(own, [embedder], RoutingQuery(("x",), (1.0,)), soon())
    used = memory.used_bytes + sum(embedder.used_bytes.values())
    return (memory, embedder), used


def frames() -> tuple[object, int]:
    """A frame for each of many grants, over a list of which all is kept."""
    router, own = Router(), Catalog.build("own", [tool(f"t{i}", fixed=True) for i in range(500)])
    for number in range(100):
        grants = Grants(wanted=frozenset({f"tag {number} {i}" for i in range(50)}))
        request = RouteRequest(Conversation((Turn("x"),)), grants=grants)
        router.frame(Pool(own, EMPTY), request)
    return (router, own), router.used_bytes()["frames"]


def questions() -> tuple[object, int]:
    """Questions of some length."""
    embedder = Embedder(HashingEncoder())
    for number in range(50):
        embedder.questions([f"question {number} {i} " * 20 for i in range(20)], soon())
    return embedder, embedder.used_bytes["questions"]


# How much of what each counts is taken: what several share counts for each of them, and texts of one tool are shared.
TAKEN = {
    conversations: 0.70,
    lists_of_functions: 0.68,
    lists_of_names: 0.53,
    lists_of_typed_tools: 0.30,
    lists_in_chinese: 0.93,
    list_vectors: 0.59,
    frames: 0.72,
    questions: 0.76,
}


@pytest.mark.parametrize("fill", TAKEN, ids=lambda fill: fill.__name__)
def test_what_a_memory_counts_is_what_it_takes(fill: Fill) -> None:
    """It takes no more than it says; whatever part of it were not counted, or not kept, would show in their ratio."""
    fill()  # what is made once
    with traced() as taken:
        held, counted = fill()
    del held
    assert taken.kept / counted == pytest.approx(TAKEN[fill], rel=0.1)
