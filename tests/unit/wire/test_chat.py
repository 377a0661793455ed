"""app/wire/chat.py: reading a Chat Completions request, and replacing its tool list and nothing else."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import chat, tool_object
from app.wire.chat import AmbiguousBody, Unreadable
from router.types import Conversation, Kind, Parameter, Tool, Turn
from tests.support import tools
from tests.unit.wire.test_members import TEXTS, VALUES, gap, string, written

OTHER_KEYS = TEXTS.filter(lambda key: key not in {"messages", "tools", "tool_choice", "functions", "function_call"})
MARKERS = st.none() | st.just({"type": "ephemeral"}) | st.just({"type": "ephemeral", "ttl": "1h"})


def parsed(messages: Any, **fields: Any) -> chat.ChatRequest:
    """Read a request with these messages."""
    return chat.parse(json.dumps({"messages": messages, **fields}).encode())


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes, bytes, list[bytes]]:
    """Give a body with a tool list: what stands before it, the list, what stands after it, and its entries."""
    random = draw(st.randoms(use_true_random=False))
    others = list(draw(st.dictionaries(OTHER_KEYS, VALUES, max_size=4)).items())
    pairs = [(key, written(value, random)) for key, value in [*others, ("messages", [tools.user("hi")])]]
    random.shuffle(pairs)
    entries = draw(st.lists(entry_texts(random), min_size=1, max_size=5))
    place = draw(st.integers(0, len(pairs)))
    before = "".join(f"{gap(random)}{string(key, random)}:{value}{gap(random)}," for key, value in pairs[:place])
    after = "".join(f",{gap(random)}{string(key, random)}{gap(random)}:{value}" for key, value in pairs[place:])
    head = f"{gap(random)}{{{before}{gap(random)}{string('tools', random)}{gap(random)}:{gap(random)}"
    listed = f"[{','.join(gap(random) + entry + gap(random) for entry in entries)}]"
    tail = f"{gap(random)}{after}}}{gap(random)}"
    return head.encode(), listed.encode(), tail.encode(), [entry.encode() for entry in entries]


def entry_texts(random: Random) -> st.SearchStrategy[str]:
    """Give tool objects as some serialiser might write them, some with a marker."""
    return st.builds(
        lambda name, marker, extra: written(
            tools.function(name, **extra, **({} if marker is None else {"cache_control": marker})), random
        ),
        st.from_regex(r"[a-z]{1,6}", fullmatch=True),
        MARKERS,
        st.dictionaries(st.just("x"), VALUES, max_size=1),
    )


@given(parts=bodies(), data=st.data())
def test_splice_replaces_the_list_and_nothing_else(
    parts: tuple[bytes, bytes, bytes, list[bytes]], data: st.DataObject
) -> None:
    """Every byte outside the list is the client's; the kept entries are too, but for markers that moved there."""
    head, listed, tail, entries = parts
    request = chat.parse(head + listed + tail)
    own = chat.read_tools(request)
    assert request.tools == listed
    assert [tool.definition for tool in own] == entries
    kept = data.draw(st.lists(st.sampled_from(own), min_size=1, unique_by=id))
    sent = chat.splice(request, kept, own)
    assert sent.startswith(head)
    assert sent.endswith(tail)
    for tool, raw in zip(kept, tools.listed(sent), strict=True):
        assert raw == tool.definition or (tool.marker is None and raw.startswith(tool.definition.rstrip()[:-1]))


@given(parts=bodies())
def test_a_known_list_is_read_around_as_it_is_read_whole(parts: tuple[bytes, bytes, bytes, list[bytes]]) -> None:
    """Whether its list was read before or not, a body means the same."""
    head, listed, tail, _ = parts
    body = head + listed + tail
    assert chat.parse_known(body, listed) in (chat.parse(body), None)


NESTED = b'{"metadata":{"tools":[1]},"messages":[],"tools":[1]}'
SAID = b'{"messages":[{"role":"user","content":{"tools":[1]}}]}'
LONGER = b'{"messages":[],"tools":[1],"more":0}'


@pytest.mark.parametrize(
    ("body", "known"), [(NESTED, b"[1]"), (SAID, b"[1]"), (LONGER, b'[1],"more"'), (LONGER, b"[2]"), (b"{", b"[1]")]
)
def test_a_known_list_counts_only_where_the_list_stands(body: bytes, known: bytes) -> None:
    """What looks like the list inside of something else is not taken for it."""
    assert chat.parse_known(body, known) is None


def test_a_known_list_that_stands_there_twice_is_not_read_around() -> None:
    """Reading around the list does not hide that there is another."""
    assert not chat.parse_known(b'{"messages":[],"tools":[1],"tools":[2]}', b"[1]")


@given(parts=bodies(), data=st.data())
def test_splice_keeps_the_number_of_markers(
    parts: tuple[bytes, bytes, bytes, list[bytes]], data: st.DataObject
) -> None:
    """Markers are neither lost nor made, as long as there are tools enough to carry them."""
    request = chat.parse(b"".join(parts[:3]))
    own = chat.read_tools(request)
    kept = data.draw(st.lists(st.sampled_from(own), min_size=1, unique_by=id))
    sent = json.loads(chat.splice(request, kept, own))["tools"]
    before = sum(tool.marker is not None for tool in own)
    assert sum("cache_control" in tool for tool in sent) == min(before, len(kept))


@given(parts=bodies())
def test_splice_of_the_same_list_changes_no_value(parts: tuple[bytes, bytes, bytes, list[bytes]]) -> None:
    """With all tools kept, the result means what the body meant."""
    body = b"".join(parts[:3])
    request = chat.parse(body)
    own = chat.read_tools(request)
    assert json.loads(chat.splice(request, own, own)) == json.loads(body)


MARKED = st.sampled_from(["", '"cache_control" : {"type":"ephemeral"} ', '"cache\\u005fcontrol":1'])
TWICE = '"cache_control":1,"cache_control":2'


@st.composite
def marked_tools(draw: st.DrawFn, *, twice: bool) -> bytes:
    """Give a tool object with markers in any place, and braces in its texts; of a client, also one marker twice."""
    marks = MARKED | st.just(TWICE) if twice else MARKED
    name, text = draw(st.from_regex(r"[a-z]{1,8}", fullmatch=True)), draw(st.sampled_from(["", "{", "}", '}\\"{', "]"]))
    inner = [f'"name":"{name}"', f'"description": "{text}"', draw(marks)]
    outer = ['"type":"function"', "\n" + '"function":{' + ",".join(filter(None, draw(st.permutations(inner)))) + "}"]
    members = filter(None, draw(st.permutations([*outer, draw(marks)])))
    return ("{" + " ,".join(members) + "}" + draw(st.sampled_from(["", " ", "\n"]))).encode()


def edited(sent: bytes) -> list[tuple[str, Any]]:
    """Read what was sent; objects stay lists of pairs, so that nothing that stands twice is lost."""
    pairs: list[tuple[str, Any]] = json.loads(sent, object_pairs_hook=list)
    return pairs


def marks_of(tool: bytes) -> int:
    """Count the markers of a tool in itself and in its function, each once, however often it stands there."""
    members = json.loads(tool)
    return ("cache_control" in members) + ("cache_control" in members.get("function", {}))


@pytest.mark.parametrize("key", ["tools", "functions", ""])
@given(data=st.data())
def test_a_spliced_list_is_json_that_says_nothing_twice(key: str, data: st.DataObject) -> None:
    """No key stands twice in what was edited, no marker is made, and the rest is the client's."""
    texts = data.draw(st.lists(marked_tools(twice=True), min_size=1, max_size=4)) if key else []
    if key == "functions":
        texts = [tool_object.as_function(text) for text in texts if text.count(b"cache_control") < 2]
    body = b'{"messages":[],"n":"}" ' + (b',"%b":[%b]' % (key.encode(), b",".join(texts)) if texts else b"") + b" }\n"
    request = chat.parse(body)
    own = chat.read_tools(request)
    lent = [tool_object.read(text) for text in data.draw(st.lists(marked_tools(twice=False), min_size=1, max_size=4))]
    kept = data.draw(st.lists(st.sampled_from(own), unique_by=id)) if own else []
    sent = chat.splice(request, data.draw(st.permutations([*kept, *lent])), own)
    top, listed = edited(sent), list(tools.listed(sent, request.list_key))
    assert [name for name, _ in top] == ["messages", "n", request.list_key]
    theirs = {text.strip() for text in texts}
    for raw in (raw for raw in listed if raw not in theirs):
        for level in (edited(raw), dict(edited(raw)).get("function", [])):
            names = [name for name, _ in level]
            assert len(names) == len(set(names)), raw
    assert sum(map(marks_of, listed)) <= sum(map(marks_of, texts))


TOOL = tool_object.read(tools.encoded(tools.function("t")))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"messages":[] }\n', b'{"messages":[] ,"tools":[T]}\n'),
        (b'{"tools":null,"messages":[]}', b'{"tools":[T],"messages":[]}'),
        (b'{"messages":[],"functions": []}', None),
        (b'{"messages":[],"x":"}"}', b'{"messages":[],"x":"}","tools":[T]}'),
    ],
)
def test_splice_adds_a_list_where_there_is_none(body: bytes, expected: bytes | None) -> None:
    """A list is added at the end, or in the place of `null`; an empty one is left to the provider."""
    request = chat.parse(body)
    assert request.routable == (expected is not None)
    if expected is not None:
        assert chat.splice(request, [TOOL], []) == expected.replace(b"T", TOOL.definition)


def test_splice_writes_legacy_entries_into_a_legacy_list() -> None:
    """The client's own entries stay as they are, registered tools become entries of the same form."""
    request = chat.parse(b'{"messages":[],"functions":[{"name":"a" },{"name":"b"}]}')
    own = chat.read_tools(request)
    sent = chat.splice(request, [own[0], TOOL], own)
    assert (
        sent == b'{"messages":[],"functions":[{"name":"a" },' + tools.encoded(tools.function("t")["function"]) + b"]}"
    )


def test_splice_never_makes_an_empty_list() -> None:
    """An empty selection is a mistake of the caller's."""
    with pytest.raises(ValueError, match="empty"):
        chat.splice(chat.parse(b'{"messages":[]}'), [], [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xef\xbb\xbf{}",
        b'{"tools":[]}',
        b'{"messages":{}}',
        b'{"messages":[7]}',
        b'{"messages":[],"tools":{}}',
        b'{"messages":[],"tools":"x"}',
        b'{"messages":[],"functions":7}',
        b'{"messages":[],"x":"\xff"}',
        b'{"messages":[{"role":"user","content":1e999}]}',
        b'{"messages":[],"tool_choice":1e999}',
        b'{"messages":[],"tool_choice":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"a":1,"a":' + b"[" * 980 + b"]" * 980 + b',"messages":[]}',
    ],
)
def test_parse_refuses_what_it_cannot_read(body: bytes) -> None:
    """What is not a chat request as far as routing is concerned is not one to route."""
    with pytest.raises(Unreadable):
        chat.parse(body)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"role":"assistant","tool_calls":{}}',
        b'{"role":"assistant","tool_calls":[null,7]}',
        b'{"role":"assistant","function_call":""}',
        b'{"role":"assistant","name":5}',
        b'{"role":7}',
        b'{"content":"nobody says this"}',
        b"{}",
    ],
)
def test_turns_case_06_parse_reads_a_conversation_around_what_is_odd_in_it(odd: bytes) -> None:
    """What routing does not need, or cannot read of one message, keeps it from nothing else."""
    messages = (
        b'[{"role":"user","content":"hi"},' + odd + b',{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]'
    )
    conversation = chat.parse(b'{"messages":' + messages + b"}").conversation
    assert conversation.turns == (Turn("hi", ("f",)),)


def test_turns_case_06_parse_reads_what_it_can_of_an_odd_message() -> None:
    """A name that is none takes nothing from what a user says, nor an odd call from those beside it."""
    said = {"role": "user", "content": "hi", "name": 5}
    calls = {"role": "assistant", "tool_calls": [None, {"function": {"name": "g"}}]}
    assert parsed([said, calls]).conversation.turns == (Turn("hi", ("g",)),)


@pytest.mark.parametrize("text", ["ä", "天😀", "\\ud83d"])
def test_turns_case_06_parse_reads_around_keys_that_stand_twice(text: str) -> None:
    """Of a key that routing does not read the last counts, as for most; the tool list is found at its place."""
    messages = '"messages":[{"role":"user","content":"hi"}]'
    body = f'{{"a":"{text}", "a" : 1e999,"\\u0061":[1],{messages},"tools":[7] }}'.encode()
    request = chat.parse(body)
    assert (request.tools, request.conversation.turns) == (b"[7]", (Turn("hi"),))
    assert request.span == (body.index(b"[7]"), body.index(b"[7]") + 3)


@pytest.mark.parametrize("key", ["messages", "tools", "tool_choice", "functions", "function_call"])
def test_parse_refuses_a_key_about_tools_that_stands_twice(key: str) -> None:
    """A request of which the provider might read another list than the gateway is not sent."""
    with pytest.raises(AmbiguousBody, match=key):
        chat.parse(f'{{"messages":[],"{key}":null,"{key}":[]}}'.encode())


@pytest.mark.parametrize("entry", [b"{}", b'{"type":"function","function":{}}', b'{"type":"custom"}'])
def test_case_06_a_tool_without_a_name_is_kept_as_it_is(entry: bytes) -> None:
    """One nameless tool does not keep the others from being read, and is never trimmed."""
    request = chat.parse(b'{"messages":[],"tools":[' + tools.encoded(tools.function("a")) + b"," + entry + b"]}")
    read = chat.read_tools(request)
    assert [(tool.name, tool.fixed) for tool in read] == [("a", False), ("", True)]
    assert read[1].definition == entry


def test_case_06_a_number_that_is_too_large_costs_nothing_but_itself() -> None:
    """A tool with 1e999 in its schema is found by everything else that it says."""
    schema = '{"properties":{"city":{"description":"Where.","maximum":1e999},"day":{"enum":["mon"]}}}'
    body = f'{{"messages":[],"tools":[{{"function":{{"name":"a","description":"D","parameters":{schema}}}}}]}}'
    (tool,) = chat.read_tools(chat.parse(body.encode()))
    assert (tool.name, tool.description) == ("a", "D")
    assert tool.parameters == (Parameter("city", "Where."), Parameter("day", "", ("mon",)))


@pytest.mark.parametrize("entry", [b"7", b"[]", b"null", b'"x"'])
def test_read_tools_refuses_an_entry_that_is_no_object(entry: bytes) -> None:
    """It makes the whole list unreadable."""
    request = chat.parse(b'{"messages":[],"tools":[' + tools.encoded(tools.function("a")) + b"," + entry + b"]}")
    with pytest.raises(Unreadable, match="tools"):
        chat.read_tools(request)


def test_read_tools_gives_nothing_where_there_is_no_list() -> None:
    """No list is no tools."""
    assert chat.read_tools(parsed([])) == ()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hi ", "hi"),
        ([{"type": "text", "text": " a"}, {"type": "image_url"}, {"text": "b"}, {"type": "text", "text": 7}], "a\nb"),
        ([{"type": "input_audio", "input_audio": {"data": "x"}}], ""),
        (None, ""),
        (7, ""),
        ({"text": "x"}, ""),
        ([7, "x", None], ""),
    ],
)
def test_conversation_takes_text_from_strings_and_parts(content: Any, text: str) -> None:
    """Only text says anything to search with; what is not understood says nothing."""
    assert parsed([{"role": "user", "content": content}]).conversation.turns == (Turn(text),)


def test_conversation_joins_messages_of_one_turn() -> None:
    """User messages in a row are one turn; other roles end it, and say nothing themselves."""
    messages = [
        {"role": "system", "content": "s"},
        tools.user("a"),
        tools.user("b"),
        {"role": "assistant", "content": "c"},
        tools.user("d"),
    ]
    developer = {"role": "developer", "content": [{"type": "text", "text": "t"}]}
    assert parsed([developer, *messages]).conversation == Conversation((Turn("a\nb"), Turn("d")), "t\ns")


def test_conversation_notes_the_calls_of_a_turn() -> None:
    """Calls of functions and custom tools, legacy ones and their answers count to the turn before them, once each."""
    messages = [
        *tools.called("early"),
        tools.user("a"),
        *tools.called("f"),
        *tools.called("f"),
        {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "c"}}, {"function": None}, {}]},
        {"role": "assistant", "function_call": {"name": "g"}},
        {"role": "function", "name": "h", "content": "x"},
        {"role": "tool", "name": "no", "content": "x"},
    ]
    assert parsed(messages).conversation.turns == (Turn("", ("early",)), Turn("a", ("f", "c", "g", "h")))


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ({"type": "function", "function": {"name": "z"}}, ("z",)),
        ({"type": "custom", "custom": {"name": "z"}}, ("z",)),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": [{"function": {"name": "a"}}, {"name": "b"}, 7]}},
            ("a", "b"),
        ),
        ("required", ()),
        ({"type": "function", "function": 7}, ()),
        ({"allowed_tools": {"tools": 7}}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_forced_are_the_names_that_a_choice_demands(choice: Any, forced: tuple[str, ...]) -> None:
    """Every form of `tool_choice` is read; an unknown one demands nothing."""
    assert parsed([], tool_choice=choice).forced == forced


def test_forced_takes_a_legacy_call() -> None:
    """`function_call` demands as `tool_choice` does."""
    assert parsed([], functions=[], function_call={"name": "z"}).forced == ("z",)


@pytest.mark.parametrize(
    ("fields", "routable"),
    [
        ({}, True),
        ({"tools": None}, True),
        ({"tools": []}, False),
        ({"functions": []}, False),
        ({"tools": [tools.function("a")], "functions": [{"name": "b"}]}, False),
        ({"tool_choice": "none"}, False),
        ({"function_call": "none"}, False),
        ({"tool_choice": "auto"}, True),
    ],
)
def test_routable_leaves_alone_what_is_the_providers_matter(fields: dict[str, Any], routable: bool) -> None:
    """An empty list, both lists, or a choice of none: the list stays as it is."""
    assert parsed([], **fields).routable == routable


def test_kinds_are_what_the_list_can_hold() -> None:
    """A legacy list holds functions only."""
    assert parsed([], functions=[{"name": "a"}]).kinds == {Kind.FUNCTION}
    assert parsed([]).kinds == {Kind.FUNCTION, Kind.CUSTOM}


def test_splice_moves_markers_from_the_back() -> None:
    """The marker of a tool that goes moves to the last tool without one."""
    own = tuple(
        Tool(name, tools.encoded(tools.function(name)), marker=marker)
        for name, marker in [("a", None), ("b", b"1"), ("c", None), ("d", b"2")]
    )
    request = chat.parse(b'{"messages":[]}')
    sent = json.loads(chat.splice(request, own[:3], own))["tools"]
    assert [tool.get("cache_control") for tool in sent] == [None, None, 2]


def test_parse_reads_many_messages_in_a_row_at_once() -> None:
    """User messages in a row are one turn, however many; what was called stands behind the turn before."""
    body = {"messages": [
        {"role": "assistant", "content": "hi", "tool_calls": [{"id": "1", "function": {"name": "early"}}]},
        *({"role": "user", "content": f"part {i}"} for i in range(20_000)),
        {"role": "assistant", "content": "hm"},
        {"role": "user", "content": "and?"},
    ]}  # fmt: skip
    first, second, third = chat.parse(json.dumps(body).encode()).conversation.turns
    assert (first.text, first.calls, third.text) == ("", ("early",), "and?")
    assert second.text.startswith("part 0\npart 1\n")


def test_parse_takes_a_null_choice_as_absent() -> None:
    """`tool_choice: null` does not hide what `function_call` says."""
    body = b'{"messages":[],"tool_choice":null,"function_call":"none","functions":[{"name":"a"}]}'
    assert not chat.parse(body).routable


@pytest.mark.parametrize("path", ["name", "description", "parameters"])
def test_read_tools_finds_what_is_not_utf8(path: str) -> None:
    """`parse` leaves the list's bytes alone, reading it finds text that is not UTF-8 wherever it stands."""
    values = {"name": '"a"', "description": '"a"', "parameters": '{"x":{"enum":["a"]}}'} | {path: '"\udcff"'}
    inner = ",".join(f'"{key}":{value}' for key, value in values.items())
    body = f'{{"messages":[],"tools":[{{"type":"function","function":{{{inner}}}}}]}}'
    with pytest.raises(Unreadable):
        chat.read_tools(chat.parse(body.encode("utf-8", "surrogateescape")))


def test_parse_finds_a_second_list_that_is_not_utf8() -> None:
    """Of two lists `read_tools` reads one; the other is looked into at once."""
    with pytest.raises(Unreadable):
        chat.parse(b'{"messages":[],"tools":[{"name":"a"}],"functions":["\xff"]}')
