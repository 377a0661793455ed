"""Work grows in proportion to what a caller sends: ten times as much of any part takes fifteen times the work at most.

Operations are counted, not seconds: see `tests.support.counting`. Each part is grown by itself; what two of them cost
together is bounded by deadlines.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, cast

import msgspec
import pytest

from tests.support.counting import Operations, counted

MOST = 15.0
JSON = dict[str, Any]


@dataclass(frozen=True)
class Counted:
    """The modules under test, with their counter."""

    operations: Operations
    lists: ModuleType
    chat: ModuleType
    pipeline: ModuleType
    types: ModuleType
    catalog: ModuleType
    text: ModuleType

    def route(self, body: bytes, *, known: bool = True, tags: int = 0) -> int:
        """Count what a request takes that nobody has sent before, from its bytes to those that go out."""
        registered = self.catalog.Catalog.build("1", [self.types.Tool(f"r{i}", b"{}") for i in range(2)])
        router, lists = self.pipeline.Router(), self.lists.Lists(2**28)
        if known:
            lists.read(lists.parse(body))

        def work() -> None:
            request = lists.parse(body)
            own = lists.read(request)
            asked = self.types.RouteRequest(
                request.conversation, request.forced, self.types.Grants(wanted=frozenset(map(str, range(tags))))
            )
            selection = router.route(registered, own, asked, sys.float_info.max)
            if selection.tools:
                self.chat.splice(request, selection.tools, own.tools)

        return self.operations.of(work)


@pytest.fixture(scope="module")
def modules() -> Iterator[Counted]:
    """Load what counts."""
    names = "app.lists", "app.wire.chat", "router.pipeline", "router.types", "router.catalog", "router.text"
    with counted(*names) as (operations, found):
        yield Counted(operations, *found)


def function(name: str = "a", **rest: object) -> JSON:
    return {"type": "function", "function": {"name": name, **rest}}


def user(content: object = "weather in Paris") -> JSON:
    return {"role": "user", "content": content}


def calling(*names: str) -> JSON:
    return {"role": "assistant", "content": None, "tool_calls": [function(name) for name in names]}


def functions(count: int) -> list[JSON]:
    return [function(f"tool_{number}", description=f"thing {number}") for number in range(count)]


def talk(turns: int) -> list[JSON]:
    return [said for number in range(turns) for said in (user(f"weather {number}"), calling(f"tool_{number}"))]


def nested(depth: int) -> JSON:
    return {"type": "object", "properties": {"p": nested(depth - 1)}} if depth else {"type": "string"}


FEW = functions(21)  # more than are sent: there is a choice
PARTS: dict[str, Callable[[int], JSON]] = {
    "tools": lambda n: {"tools": functions(n)},
    "tools of one name": lambda n: {"tools": [function()] * n, "messages": [user("use a please")]},
    "tools of one name that is called": lambda n: {
        "tools": [function()] * n,
        "messages": [calling("a"), user()] * 3,
    },
    "tools of one name that steers": lambda n: {"tools": [function("bash")] * n, "messages": [user("go on")]},
    "tools that instructions name": lambda n: {
        "tools": functions(n),
        "messages": [{"role": "system", "content": "Use tool_3, then `tool_5`."}, user()],
    },
    "fixed tools": lambda n: {"tools": [{"type": "x"}] * n, "messages": talk(4)},
    "fixed tools, and as many of one name that is called": lambda n: {
        "tools": [{"type": "x"}] * n + [function()] * n,
        "messages": [user(), calling("a"), user()],
    },
    "fixed tools and a choice": lambda n: {
        "tools": [{"type": "x"}] * n + FEW,
        "tool_choice": function("tool_3"),
        "messages": talk(4),
    },
    "tools that the catalogue has": lambda n: {"tools": [function(f"r{i}") for i in range(n)]},
    "marked tools": lambda n: {"tools": [tool | {"cache_control": {}} for tool in functions(n)]},
    "legacy functions": lambda n: {"functions": [{"name": f"tool_{number}"} for number in range(n)]},
    "turns": lambda n: {"tools": FEW, "messages": talk(n)},
    "turns without a choice": lambda n: {"tools": [{"type": "x"}] * 3, "messages": talk(n)},
    "turns of one text": lambda n: {"tools": FEW, "messages": [user(), calling("tool_1")] * n},
    "turns without text": lambda n: {"tools": FEW, "messages": [user(), *[user([]), calling("x")] * n, user()]},
    "silent turns": lambda n: {"tools": FEW, "messages": [user([]), calling("tool_1")] * n},
    "messages of one turn": lambda n: {"tools": FEW, "messages": [user("more")] * n},
    "calls of one message": lambda n: {
        "tools": FEW,
        "messages": [user(), calling(*(f"tool_{number}" for number in range(n))), user()],
    },
    "messages with calls": lambda n: {
        "tools": FEW,
        "messages": [user(), *(calling(f"tool_{number}") for number in range(n))],
    },
    "allowed tools": lambda n: {
        "tools": FEW,
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": functions(n)}},
    },
    "parts of a message": lambda n: {"tools": FEW, "messages": [user([{"type": "text", "text": "more"}] * n)]},
    "depth of a message": lambda n: {"tools": FEW, "messages": [user([{"x": nested(n // 20)}])]},
    "keys": lambda n: {"tools": FEW} | {f"key_{number}": number for number in range(n)},
    "numbers": lambda n: {"tools": FEW, "numbers": [1.5] * n},
    "digits": lambda n: {"tools": FEW, "number": int("1" * (n // 2))},
    "the name of a tool": lambda n: {"tools": [*FEW, function("n" * n)]},
    "words of a name": lambda n: {"tools": [*FEW, function("getThing_" * n)]},
    "a description": lambda n: {"tools": [*FEW, function("new", description="some words " * n)]},
    "parameters": lambda n: {
        "tools": [*FEW, function("n", parameters={"properties": {f"p{i}": {"enum": ["x"]} for i in range(n)}})]
    },
    "values of a parameter": lambda n: {
        "tools": [*FEW, function("n", parameters={"properties": {"p": {"enum": [f"v{i}" for i in range(n)]}}})]
    },
    "depth of a schema": lambda n: {"tools": [*FEW, function("n", parameters=nested(n // 20))]},
    "blocks of a message": lambda n: {
        "tools": FEW,
        "messages": [user("<note>\nsome words\n</note>\n\nWhat is it?\n- a list\n\nto: x\n> said\n\n" * (n // 10))],
    },
    "paragraphs of a message": lambda n: {"tools": FEW, "messages": [user("Some words stand here.\n\n" * n)]},
    "open tags of a message": lambda n: {"tools": FEW, "messages": [user("<a>" * n)]},
    "wrapped messages": lambda n: {
        "tools": FEW,
        "messages": [user("<reminder>be brief</reminder>\nweather in Paris"), calling("tool_1")] * n,
    },
    "choices in an answer": lambda n: {
        "tools": FEW,
        "messages": [user(), {"role": "assistant", "content": "1) this or that, " * n + "?"}, user("2")],
    },
    "a question": lambda n: {"tools": FEW, "messages": [user("one word " * n)]},
    "instructions": lambda n: {
        "tools": FEW,
        "messages": [{"role": "system", "content": "Use tool_1 for it. And tool_2!\n\n" * n}, user()],
    },
    "one long word": lambda n: {"tools": FEW, "messages": [user("w" * n)]},
}


def body_of(part: Callable[[int], JSON], size: int) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [user()]} | part(size))


@pytest.mark.parametrize("part", PARTS)
def test_work_grows_with_a_part_of_a_request(modules: Counted, part: str) -> None:
    """Ten times as much of one part takes fifteen times the operations at most, its tool list new or known."""
    for known in (False, True) if "tools" in part else (False,):
        small, large = (modules.route(body_of(PARTS[part], size), known=known) for size in (100, 1_000))
        assert large <= MOST * small


def test_work_grows_with_the_tags_that_are_asked_for(modules: Counted) -> None:
    """So it does with what a header holds."""
    body = body_of(PARTS["tools"], 30)
    small, large = (modules.route(body, tags=size) for size in (100, 1_000))
    assert large <= MOST * small


def _alphabets() -> Iterator[str]:
    """Give the characters of every Unicode block, by 128, those that are to be sorted in the worst order."""
    for first in range(0x80, 0x110000, 0x80):
        block = map(chr, range(first, first + 0x80))
        assigned = [one for one in block if unicodedata.category(one) not in ("Cn", "Cs", "Co")]
        if assigned:
            yield "".join(sorted(assigned, key=unicodedata.combining, reverse=True))


def test_work_grows_with_a_text_of_any_kind_of_character(modules: Counted) -> None:
    """A text of any block of Unicode is split, folded and hashed in proportion to its length: marks, too."""
    grown = {}
    for alphabet in _alphabets():
        small, large = (modules.operations.of(_read(modules.text, alphabet, size)) for size in (300, 3_000))
        grown[f"U+{ord(min(alphabet)):04X}"] = large / small
    assert len(grown) > 300
    assert {block: ratio for block, ratio in grown.items() if ratio > MOST} == {}


def _read(text: ModuleType, alphabet: str, size: int) -> Callable[[], object]:
    marks = [one for one in alphabet if unicodedata.combining(one)]
    given = (("".join(marks) or alphabet) * size)[:size]
    return lambda: (text.tokens(given), text.phrase(given))


@pytest.mark.parametrize(
    "alphabet", ["a", "aB ", "1", "\u0300", "\u0300\u0316", "天", "한", "\u1100\u1161\u11a8", "\ufdfa"]
)
def test_work_grows_with_a_question(modules: Counted, alphabet: str) -> None:
    """So it does where a question's terms and phrases are made."""

    def work(size: int) -> Callable[[], object]:
        given = (alphabet * size)[:size]
        return lambda: (modules.text.terms(given), list(modules.text.phrases(given)))

    small, large = (modules.operations.of(work(size)) for size in (300, 3_000))
    assert large <= MOST * small


@pytest.mark.parametrize("alphabet", ["a", "a. ", "天？", "\n", "<a>"])
def test_work_grows_with_a_long_request(modules: Counted, alphabet: str) -> None:
    """So it does where a long request is cut into pieces: of what is beyond all bounds the ends are read."""

    def work(size: int) -> Callable[[], object]:
        given = (alphabet * size)[:size]
        return lambda: (modules.text.gist_pieces(given), modules.text.searched_part(given))

    small, large = (modules.operations.of(work(size)) for size in (1_000, 10_000))
    assert large <= MOST * small


def test_operations_are_counted() -> None:
    """The counter sees what takes the square of what it is given: searches in a list, and runs of marks."""
    with counted("router.cut", "router.text") as (operations, found):
        cut, text = (cast("Any", module) for module in found)
        held = [cut.Held((1,) * size) for size in (100, 1_000)]
        small, large = (operations.of(partial(cut.appended, one, range(3), "why")) for one in held)
        assert small < large < MOST * small
        text._PIECE = sys.maxsize
        small, large = (operations.of(partial(text.normalised, "\u0300" * size)) for size in (100, 1_000))
        assert large > MOST * small
