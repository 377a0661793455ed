"""app/wire/tool_object.py: one tool of the Chat Completions dialect."""

import json
from typing import Any

import pytest

from app.wire import tool_object
from app.wire.tool_object import MalformedTool
from router.types import Kind, Parameter
from tests.support import tools


def test_read_keeps_the_bytes() -> None:
    """The definition is what was given, byte for byte."""
    raw = b'{ "type":"function","function":{"name":"a","x":1.0} }'
    assert tool_object.read(raw).definition == raw


def test_read_takes_name_and_description() -> None:
    """A function tool is read by its inner object; a missing type means function."""
    raw = tools.encoded({"function": {"name": "a", "description": "Does it."}})
    tool = tool_object.read(raw)
    assert (tool.name, tool.description, tool.kind, tool.fixed) == ("a", "Does it.", Kind.FUNCTION, False)


def test_read_takes_custom_tools() -> None:
    """A custom tool is read by its own inner object."""
    tool = tool_object.read(tools.encoded(tools.custom("c", "Text.")))
    assert (tool.name, tool.description, tool.kind) == ("c", "Text.", Kind.CUSTOM)


def test_read_takes_parameters_with_those_inside_them() -> None:
    """Names, descriptions and values of properties are read, nested ones behind those above them."""
    schema = {
        "properties": {
            "city": {"description": "Where.", "enum": ["Rome", 7]},
            "dates": {"type": "array", "items": {"properties": {"day": {}}, "enum": ["x"]}},
            "odd": True,
        }
    }
    tool = tool_object.read(tools.encoded({"function": {"name": "a", "parameters": schema}}))
    assert tool.parameters == (
        Parameter("city", "Where.", ("Rome", "7")),
        Parameter("dates", "", ("x",)),
        Parameter("odd"),
        Parameter("day"),
    )


@pytest.mark.parametrize("kind", ["web_search", "mcp", "", None, 7, ["function"], {}])
def test_read_keeps_an_unknown_type_as_fixed(kind: object) -> None:
    """What is of no known type is never trimmed."""
    tool = tool_object.read(tools.encoded({"type": kind, "name": "n"}))
    assert (tool.kind, tool.fixed, tool.name) == (Kind.OTHER, True, "n")


def test_read_keeps_a_deferred_tool_as_fixed() -> None:
    """A tool to be loaded later is never trimmed."""
    assert tool_object.read(tools.encoded(tools.function("a", defer_loading=True))).fixed


@pytest.mark.parametrize(
    "raw",
    [
        b"7",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"a":"\xff"}',
        b"{}",
        b'{"type":"function"}',
        b'{"type":"function","function":[]}',
        b'{"type":"function","function":{}}',
        b'{"type":"function","function":{"name":""}}',
        b'{"type":"function","function":{"name":7}}',
        b'{"type":"custom","function":{"name":"a"}}',
        b'{"function":' + b'{"a":' * 100_000,
    ],
)
def test_read_refuses_a_malformed_tool(raw: bytes) -> None:
    """An entry that no provider would take says why."""
    with pytest.raises(MalformedTool) as caught:
        tool_object.read(raw)
    assert str(caught.value)


@pytest.mark.parametrize("parameters", [None, 7, [], {"properties": 7}, {"properties": {"a": 7}}, {"properties": []}])
def test_read_lives_with_odd_parameters(parameters: Any) -> None:
    """Parameters that are no schema make a tool without them, or with a bare name."""
    tool = tool_object.read(tools.encoded({"function": {"name": "a", "parameters": parameters}}))
    assert [parameter.name for parameter in tool.parameters] in ([], ["a"])


def test_read_function_takes_a_legacy_entry() -> None:
    """An entry of `functions` is the inner object itself."""
    tool = tool_object.read_function(b'{"name":"a","description":"D","parameters":{"properties":{"p":{}}}}')
    assert (tool.name, tool.description, tool.parameters) == ("a", "D", (Parameter("p"),))


@pytest.mark.parametrize("raw", [b"7", b"{}", b'{"name":null}', b'{"function":{"name":"a"}}'])
def test_read_function_refuses_what_has_no_name(raw: bytes) -> None:
    """A legacy entry without a name is malformed."""
    with pytest.raises(MalformedTool):
        tool_object.read_function(raw)


def test_as_function_gives_the_inner_bytes() -> None:
    """A function tool becomes a legacy entry without a byte of it changing."""
    assert (
        tool_object.as_function(b'{"type":"function", "function": {"name":"a" ,"x":1.0}}') == b'{"name":"a" ,"x":1.0}'
    )


def test_markers_are_read_raw_and_written_last() -> None:
    """A marker keeps its bytes on the way from one tool to another."""
    marker = tool_object.read(b'{"cache_control": {"type":"ephemeral" },"function":{"name":"a"}}').marker
    assert marker == b'{"type":"ephemeral" }'
    written = tool_object.with_marker(b'{"function":{"name":"b"} } ', marker)
    assert written == b'{"function":{"name":"b"} ,"cache_control":{"type":"ephemeral" }} '
    assert json.loads(tool_object.with_marker(b"{ }", marker)) == {"cache_control": {"type": "ephemeral"}}
