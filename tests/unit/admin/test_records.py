"""app/admin/records.py: entries from outside -> Tool, with the reason where that fails."""

import json
import socket
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from app.admin import records
from app.admin.records import InvalidEntry
from app.errors import BadRequest, InvalidRecords
from router.types import Kind, Parameter, Risk, Tool

TOOL = b'{"type":"function","function":{"name":"weather","description":"Now.","parameters":{"type":"object"}}}'


def function(name: object = "weather", **body: object) -> bytes:
    """Give a function tool."""
    return json.dumps({"type": "function", "function": {"name": name, **body}}).encode()


def record(**fields: Any) -> bytes:
    """Give a record around the weather tool."""
    return (
        b'{"tool":'
        + TOOL
        + b"".join(b',"%s":%s' % (k.encode(), json.dumps(v).encode()) for k, v in fields.items())
        + b"}"
    )


def with_schema(schema: bytes) -> bytes:
    """Give a tool whose parameters are this text."""
    return b'{"type":"function","function":{"name":"weather","parameters":' + schema + b"}}"


def nested(depth: int) -> bytes:
    """Give a text of so many objects in each other."""
    return b'{"not":' * depth + b"{}" + b"}" * depth


def test_read_takes_a_bare_tool_object_with_defaults() -> None:
    """An OpenAI tool object alone is an entry: enabled, harmless, without tags."""
    assert records.read(TOOL) == Tool("weather", TOOL, description="Now.")


def test_read_takes_a_full_record() -> None:
    """Every field of a record ends up in the tool."""
    tool = records.read(
        record(tags=["a"], keywords=["b"], examples=["c"], pinned=True, enabled=False, risk="write", source="d")
    )
    assert (tool.tags, tool.keywords, tool.examples) == (("a",), ("b",), ("c",))
    assert (tool.pinned, tool.enabled, tool.risk, tool.source) == (True, False, Risk.WRITE, "d")


def test_read_takes_a_custom_tool() -> None:
    """A custom tool is an entry like a function."""
    tool = records.read(b'{"type":"custom","custom":{"name":"code","description":"Run it."}}')
    assert (tool.name, tool.kind, tool.description) == ("code", Kind.CUSTOM, "Run it.")


@pytest.mark.parametrize(
    "definition",
    [
        b'{ "type" :\t"function",\n"function": {"name":"a" } }',
        b'{"function":{"parameters":{},"name":"a"},"type":"function"}',
        b'{"type":"function","function":{"name":"a","parameters":{"default":1.0,"minimum":1,"maximum":1e3}}}',
        b'{"type":"function","function":{"name":"a","parameters":{"maximum":123456789012345678901234567890}}}',
        b'{"type":"function","function":{"name":"a","description":"\\u00e9\\/\\u6771 \xe6\x9d\xb1"}}',
        b'{"type":"function","function":{"name":"a","parameters":{"properties":{"\xc3\xa9":{},"e\xcc\x81":{}}}}}',
        b'{"type":"function","function":{"name":"a","strict":true},"cache_control":{"type":"ephemeral"},"x":[1]}',
    ],
    ids=["space", "order", "numbers", "big number", "escapes", "two ways to write é", "members of its own"],
)
@pytest.mark.parametrize("form", [b"%b", b'\n{"tags":[],"tool" : %b , "source":""} '], ids=["bare", "record"])
def test_read_keeps_the_tool_object_byte_for_byte(definition: bytes, form: bytes) -> None:
    """Nothing inside the tool object is rewritten, and nothing around it comes along."""
    assert records.read(form % definition).definition == definition


def test_read_trims_words_and_drops_repetitions() -> None:
    """Tags, keywords and examples lose their outer spaces and their doubles, and keep their order."""
    assert records.read(record(tags=[" b", "a", "b "])).tags == ("b", "a")


def test_read_leaves_no_request_marks() -> None:
    """A deferred tool or one with a cache marker is registered like any other."""
    tool = records.read(TOOL[:-1] + b',"defer_loading":true,"cache_control":{"type":"ephemeral"}}')
    assert (tool.fixed, tool.marker) == (False, None)


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 64])
def test_read_takes_names_that_providers_take(name: str) -> None:
    """Letters, digits, hyphen and underscore, 1 to 64 of them."""
    assert records.read(function(name)).name == name


@pytest.mark.parametrize("name", ["a b", "a.b", "weather\n", "wetter_für", "天気", "a\u0000", "x" * 65, "a/b", " a"])
def test_read_refuses_other_names_and_says_the_rule(name: str) -> None:
    """Any other name is refused with the rule it breaks; a newline at its end counts."""
    with pytest.raises(InvalidEntry, match=r"does not follow \^\[a-zA-Z0-9_-\]\{1,64\}\$"):
        records.read(function(name))


@pytest.mark.parametrize("name", ["", None, 5, ["a"]])
def test_read_refuses_a_tool_without_a_name(name: object) -> None:
    """A name is a text that is not empty."""
    with pytest.raises(InvalidEntry, match="it has no name"):
        records.read(function(name))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"5", "not a JSON object"),
        (b"{", "not a JSON object"),
        (b"\xef\xbb\xbf" + TOOL, "not a JSON object"),
        (TOOL + b",", "not a JSON object"),
        (nested(5_000), "not a JSON object"),
        (b'{"tool":5}', "tool: not a JSON object"),
        (b'{"tool":null}', "tool: not a JSON object"),
        (b'{"type":"function","function":{"name":"a","description":"\xff"}}', ".*utf-8"),
        (b'{"function":{"name":"a"}}', "tool: its type is 'function' or 'custom'"),
        (b'{"type":"web_search"}', "tool: its type is 'function' or 'custom'"),
        (b'{"type":[],"function":{"name":"a"}}', "tool: its type is 'function' or 'custom'"),
        (b'{"type":"function"}', "tool: there is no object 'function' in it"),
        (b'{"type":"function","name":"a"}', "tool: there is no object 'function' in it"),
        (b'{"type":"custom","function":{"name":"a"}}', "tool: there is no object 'custom' in it"),
        (function(description=5), "tool: description is not a text"),
        (function(description=None), "tool: description is not a text"),
    ],
)  # fmt: skip
def test_read_refuses_what_is_no_tool(entry: bytes, reason: str) -> None:
    """What is not a function or custom tool object is refused with the reason."""
    with pytest.raises(InvalidEntry, match="^" + reason):
        records.read(entry)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tag": ["a"]}, "unknown field `tag`"),
        ({"Tags": ["a"]}, "unknown field `Tags`"),
        ({"name": "weather"}, "unknown field `name`"),
        ({"tags": "a"}, r"Expected `array`, got `str` - at `\$.tags`"),
        ({"tags": None}, r"Expected `array`, got `null` - at `\$.tags`"),
        ({"tags": [1]}, r"Expected `str`, got `int` - at `\$.tags\[0\]`"),
        ({"tags": ["a", " "]}, "tags: holds an empty text"),
        ({"keywords": [""]}, "keywords: holds an empty text"),
        ({"examples": ["\n"]}, "examples: holds an empty text"),
        ({"pinned": 1}, "Expected `bool`, got `int`"),
        ({"enabled": "yes"}, "Expected `bool`, got `str`"),
        ({"risk": "harmless"}, "Invalid enum value 'harmless'"),
        ({"risk": None}, "Expected `str`, got `null`"),
        ({"source": 7}, "Expected `str`, got `int`"),
    ],
)
def test_read_refuses_fields_that_are_not_as_they_should_be(fields: dict[str, Any], reason: str) -> None:
    """An unknown field, a wrong type and an empty word are each named."""
    with pytest.raises(InvalidEntry, match=reason):
        records.read(record(**fields))


@pytest.mark.parametrize(
    "entry",
    [
        b'{"tool":' + TOOL + b',"risk":"dangerous","risk":"read"}',
        b'{"tool":' + TOOL + b',"tool":' + TOOL + b"}",
        b'{"type":"function","function":{"name":"a"},"function":{"name":"b"}}',
        b'{"type":"custom","type":"function","function":{"name":"a"},"custom":{"name":"b"}}',
        b'{"type":"function","function":{"name":"a","n\\u0061me":"b"}}',
    ],
)
def test_read_refuses_what_could_be_read_in_two_ways(entry: bytes) -> None:
    """A key that stands twice hides a risk or a name from one of two readers, so it is refused."""
    with pytest.raises(InvalidEntry, match=r"a key stands there more than once: (risk|tool|function|type|name)$"):
        records.read(entry)


@pytest.mark.parametrize(
    "schema",
    [
        b"null",
        b"{}",
        b'{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"]}',
        b'{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{}},"type":"object"}',
        b'{"$schema":"http://json-schema.org/draft-04/schema","minimum":0,"exclusiveMinimum":true}',
        b'{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"a":{"$ref":"#"}}}',
        nested(200),
    ],
)
def test_read_takes_json_schemas(schema: bytes) -> None:
    """Schemas of every published dialect are taken, and so is none at all."""
    assert records.read(with_schema(schema)).name == "weather"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (b"true", "parameters is not a JSON Schema object"),
        (b'"object"', "parameters is not a JSON Schema object"),
        (b'{"type":"objekt"}', 'parameters is not a valid JSON Schema: "objekt"'),
        (b'{"properties":[]}', "parameters is not a valid JSON Schema"),
        (b'{"required":"a"}', "parameters is not a valid JSON Schema"),
        (b'{"properties":{"a":{"enum":5}}}', "parameters is not a valid JSON Schema"),
        (b'{"exclusiveMinimum":true}', "parameters is not a valid JSON Schema"),
        (b'{"$schema":5}', r"parameters: \$schema is none of https://json-schema.org/"),
        (b'{"$schema":"not a URI"}', r"parameters: \$schema is none of"),
    ],
)
def test_read_refuses_what_is_no_json_schema(schema: bytes, reason: str) -> None:
    """Parameters that are no JSON Schema are refused with what is wrong with them."""
    with pytest.raises(InvalidEntry, match=f"^tool: {reason}"):
        records.read(with_schema(schema))


def test_read_shortens_what_it_quotes() -> None:
    """A reason stays readable however large the value that it quotes is."""
    with pytest.raises(InvalidEntry) as caught:
        records.read(with_schema(b'{"type":"' + b"x" * 10_000 + b'"}'))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("keyword", ["$schema", "$ref", "$id", "$dynamicRef"])
def test_read_fetches_nothing(keyword: str) -> None:
    """No address in a schema makes the server open a connection."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/schema"
        with suppress(InvalidEntry):
            records.read(with_schema(json.dumps({keyword: url}).encode()))
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_read_all_gives_tools_in_order() -> None:
    """Many entries become tools in their order."""
    assert [tool.name for tool in records.read_all([function("b"), function("a")])] == ["b", "a"]


def test_read_all_names_every_bad_entry_with_place_and_reason() -> None:
    """Nothing is taken, and every entry that cannot be is listed with index, name and reason."""
    with pytest.raises(InvalidRecords) as caught:
        records.read_all([function("a"), b"5", function("b c"), function("d"), record(risk="none")])
    assert [(p.index, p.name) for p in caught.value.problems] == [(1, ""), (2, "b c"), (4, "weather")]
    assert all(problem.reason for problem in caught.value.problems)


def test_read_all_refuses_a_name_that_stands_there_twice() -> None:
    """The second of two equal names is the bad one; the reason says where the first is."""
    with pytest.raises(InvalidRecords) as caught:
        records.read_all([function("a"), function("b"), function("a"), function("a")])
    assert [(p.index, p.name, p.reason) for p in caught.value.problems] == [
        (2, "a", "the name stands in entry 0 already"),
        (3, "a", "the name stands in entry 0 already"),
    ]


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (b'{"tool":{"type":"function","function":{"name":"a b"}}}', "a b"),
        (b'{"type":"custom","custom":{"name":"a b"}}', "a b"),
        (b'{"name":"a b"}', "a b"),
        (function("x" * 500 + " "), "x" * 80),
        (b'{"type":[],"name":{}}', ""),
        (b'{"tool":[]}', ""),
        (b'{"type":"function","function":[]}', ""),
        (nested(5_000), ""),
        (b"\xff", ""),
    ],
)  # fmt: skip
def test_read_all_names_a_bad_entry_as_far_as_it_can(entry: bytes, name: str) -> None:
    """The name of a bad entry is told where there is one, in 80 characters at most."""
    with pytest.raises(InvalidRecords) as caught:
        records.read_all([entry])
    assert [problem.name for problem in caught.value.problems] == [name]


@pytest.mark.parametrize("body", [b"[%b,%b]", b' {"tools" : [ %b ,\n%b ] } '])
def test_split_takes_an_array_and_an_object_of_tools(body: bytes) -> None:
    """A batch is an array, or an object with that array as `tools`; the entries keep their bytes."""
    assert records.split(body % (TOOL, b'{ "a": 1.0 }')) == [TOOL, b'{ "a": 1.0 }']


def test_split_takes_an_empty_batch() -> None:
    """A batch may be empty."""
    assert records.split(b"[]") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5",
        b"null",
        b'"a"',
        b"[1,]",
        b"[1] 2",
        b"{}",
        TOOL,
        b'{"tools":null}',
        b'{"tools":{}}',
        b'{"tools":[],"more":1}',
        b'{"tools":[],"tools":[]}',
        b"[" + nested(5_000) + b"]",
        b"\xff",
    ],
    ids=range(14),
)
def test_split_refuses_what_is_no_batch(body: bytes) -> None:
    """Anything else is refused in words."""
    with pytest.raises(BadRequest, match="batch"):
        records.split(body)


def test_split_refuses_more_than_a_hundred_thousand() -> None:
    """A batch of 100,001 entries is refused, one of 100,000 is not."""
    assert len(records.split(b"[" + b"{}," * 99_999 + b"{}]")) == 100_000
    with pytest.raises(BadRequest, match="at most 100,000 records; this one has 100,001"):
        records.split(b"[" + b"{}," * 100_000 + b"{}]")


def test_changed_changes_only_what_it_names() -> None:
    """A change leaves every field alone that it does not name."""
    tool = records.read(record(tags=["a"], risk="write", source="s"))
    after = records.changed(tool, b'{"tags":["b"," b"],"enabled":false}')
    assert (after.tags, after.enabled) == (("b",), False)
    assert (after.risk, after.source, after.definition) == (Risk.WRITE, "s", TOOL)


def test_changed_replaces_the_tool_object_and_what_follows_from_it() -> None:
    """A new tool object brings its own description and parameters."""
    fresh = function("weather", description="New.", parameters={"properties": {"city": {}}})
    after = records.changed(records.read(record(tags=["a"])), b'{"tool":' + fresh + b"}")
    assert (after.definition, after.description, after.parameters) == (fresh, "New.", (Parameter("city"),))
    assert after.tags == ("a",)


def test_changed_of_nothing_gives_the_same_tool() -> None:
    """An empty change is one."""
    tool = records.read(record(tags=["a"]))
    assert records.changed(tool, b"{}") == tool


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "not a JSON object"),
        (b"", "not a JSON object"),
        (b'{"tag":[]}', "unknown field `tag`"),
        (b'{"tags":null}', "Expected `array`, got `null`"),
        (b'{"tags":[""]}', "tags: holds an empty text"),
        (b'{"risk":"none"}', "Invalid enum value"),
        (b'{"risk":"dangerous","risk":"read"}', "more than once"),
        (b'{"tool":null}', "tool: not a JSON object"),
        (b'{"tool":{"type":"function","function":{"name":"a b"}}}', "does not follow"),
    ],
)
def test_changed_refuses_what_is_no_change(body: bytes, reason: str) -> None:
    """A change is read as strictly as a record."""
    with pytest.raises(InvalidEntry, match=reason):
        records.changed(records.read(TOOL), body)


def test_as_record_reads_back_as_the_same_tool() -> None:
    """What the API shows can be put again and changes nothing."""
    tool = records.read(record(tags=["a"], keywords=["b"], examples=["c"], pinned=True, risk="write", source="d"))
    assert records.read(msgspec.json.encode(records.as_record(tool))) == tool
