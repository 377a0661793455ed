"""Definitions of other frameworks, each as it is written there, become the same tool."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.admin import records
from app.imports import shapes
from app.imports.bounds import Work
from app.imports.found import Found, Refused
from app.settings.imports import SourceSpec
from router.types import Risk

SPEC = SourceSpec(name="agent", kind="tools")
PROPERTIES = {"city": {"type": "string", "description": "A city."}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["city"]}
NAMED = {"name": "get_weather", "description": "The weather of a city."}
SHAPES: dict[str, Any] = {
    "OpenAI chat": {"type": "function", "function": NAMED | {"parameters": SCHEMA}},
    "OpenAI responses": {"type": "function", "strict": True} | NAMED | {"parameters": SCHEMA},
    "plain": NAMED | {"parameters": SCHEMA},
    "Anthropic": NAMED | {"input_schema": SCHEMA},
    "MCP": NAMED | {"inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}},
    "LangChain's schema": NAMED | {"args_schema": SCHEMA},
    "LlamaIndex": {"metadata": NAMED | {"fn_schema": SCHEMA}},
    "Bedrock": {"toolSpec": NAMED | {"inputSchema": {"json": SCHEMA}}},
    "pydantic": {"title": "get_weather", "description": NAMED["description"]} | SCHEMA,
    "Anthropic with a type": {"type": "custom"} | NAMED | {"input_schema": SCHEMA, "cache_control": {"type": "x"}},
    "a schema with a name": NAMED | {"properties": PROPERTIES, "required": ["city"]},
    "smolagents": NAMED | {"inputs": PROPERTIES, "output_type": "string"},
    "a record": {"tool": NAMED | {"input_schema": SCHEMA}, "tags": [], "risk": "read"},
}


def only(document: object, spec: SourceSpec, work: Work) -> Found:
    """Give the one tool of a document."""
    (found,) = shapes.read(document, spec, work)
    assert isinstance(found, Found), found
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_recognised(shape: str) -> None:
    """Name, description and schema are found where this framework has them."""
    found = only([SHAPES[shape]], SPEC, Work())
    tool = records.read(found.record(found.wish, "agent"))
    assert (tool.name, tool.description, tool.source) == ("get_weather", NAMED["description"], "agent")
    assert json.loads(tool.definition)["function"]["parameters"] == SCHEMA


FRAMEWORKS: dict[str, Any] = json.loads(Path(__file__).with_name("frameworks.json").read_text())


@pytest.mark.parametrize("written", FRAMEWORKS)
def test_what_frameworks_write_is_recognised(written: str) -> None:
    """A function of two parameters, or a model of one, as these versions write it: nothing of its schema is lost."""
    found = only([FRAMEWORKS[written]], SPEC, Work())
    tool = records.read(found.record(found.wish, "agent"))
    parameters = json.loads(tool.definition)["function"]["parameters"]
    assert "weather" in tool.name.lower()
    assert "Get the weather" in tool.description
    assert parameters["properties"].keys() >= {"city"}
    assert set(parameters["properties"]) <= {"city", "days"}


def test_langchains_args_become_an_object() -> None:
    """`tool.args` is the properties alone."""
    found = only(NAMED | {"args": PROPERTIES}, SPEC, Work())
    assert found.tool["function"]["parameters"] == {"type": "object", "properties": PROPERTIES}


def test_an_input_of_smolagents_may_be_null_or_anything() -> None:
    """One that may be null is not required, and `any` is no type of a schema."""
    inputs = PROPERTIES | {"days": {"type": "integer", "nullable": True}, "more": {"type": "any"}}
    found = only(NAMED | {"inputs": inputs}, SPEC, Work())
    parameters = found.tool["function"]["parameters"]
    assert parameters["required"] == ["city", "more"]
    assert parameters["properties"] == PROPERTIES | {"days": {"type": "integer"}, "more": {}}


@pytest.mark.parametrize(
    "beside",
    [{}, {"strict": True}, {"annotations": {"readOnlyHint": True}}, {"outputSchema": SCHEMA, "_meta": {"a": 1}}],
)
def test_a_function_without_parameters_has_none(beside: dict[str, object]) -> None:
    """Name and description are enough, and what formats have beside them is no parameter."""
    found = only({"tools": [NAMED | beside]}, SPEC, Work())
    assert found.tool == {"type": "function", "function": {"description": NAMED["description"]}}


def test_a_custom_tool_stays_one() -> None:
    """OpenAI's custom tools have a format instead of a schema."""
    custom = {"name": "run", "description": "Run code.", "format": {"type": "text"}}
    found = only([{"type": "custom", "custom": custom}], SPEC, Work())
    assert json.loads(records.read(found.record("run", "agent")).definition)["custom"] == custom


GRAMMAR = {"syntax": "lark", "definition": "start: /a/"}
FORMATS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "text"}, {"type": "text"}),
    ({"type": "grammar"} | GRAMMAR, {"type": "grammar", "grammar": GRAMMAR}),
]


@pytest.mark.parametrize(("written", "expected"), FORMATS)
def test_a_custom_tool_of_responses_is_one_of_chat(written: dict[str, Any], expected: dict[str, Any]) -> None:
    """Name, description and format stand a level higher there, and a grammar, too."""
    found = only([{"type": "custom", "name": "run", "description": "Run.", "format": written}], SPEC, Work())
    custom = {"name": "run", "description": "Run.", "format": expected}
    assert json.loads(records.read(found.record("run", "agent")).definition) == {"type": "custom", "custom": custom}


def test_a_record_keeps_its_fields() -> None:
    """Tags, keywords and risk of a record are taken along; a risk of the source wins."""
    record = SHAPES["a record"] | {"tags": ["weather"], "keywords": ["rain"], "risk": "write"}
    found = only([record], SPEC, Work())
    tool = records.read(found.record(found.wish, "agent"))
    assert (tool.tags, tool.keywords, tool.risk) == (("weather",), ("rain",), Risk.WRITE)
    found = only([record], SPEC.model_copy(update={"risk": Risk.DANGEROUS}), Work())
    assert records.read(found.record(found.wish, "agent")).risk is Risk.DANGEROUS


@pytest.mark.parametrize(
    "entry",
    [
        {"foo": 1}, "text", 7, None, {"name": ""}, {"type": "function"}, NAMED | {"fn_schema_str": "{}"},
        NAMED | {"input": PROPERTIES}, NAMED | {"fields": ["city"]}, NAMED | {"inputs": ["city"]},
        NAMED | {"type": "bash_20250124"}, NAMED | {"type": "mcp", "parameters": SCHEMA},
        NAMED | {"type": ["function"]}, {"type": "custom", "grammar": {}} | NAMED | {"input": PROPERTIES},
    ],
)  # fmt: skip
def test_what_has_no_shape_is_refused(entry: object) -> None:
    """The place and the keys are told."""
    good, bad = shapes.read([SHAPES["plain"], entry], SPEC, Work())
    assert isinstance(good, Found)
    assert isinstance(bad, Refused)
    assert bad.original.startswith("entry 2")
    assert re.match("it is not a tool of a known form|it is not an object|it has no name", bad.reason)


@pytest.mark.parametrize(
    "record", [{"tags": "x"}, {"tags": [1]}, {"risk": "none"}, {"risk": []}, {"keywords": [""]}, {"examples": {}}]
)
def test_a_record_with_odd_fields_is_refused(record: dict[str, object]) -> None:
    """Whatever stands in a record, it is a sentence and no traceback."""
    (one,) = shapes.read([SHAPES["a record"] | record], SPEC, Work())
    if isinstance(one, Found):
        with pytest.raises(records.InvalidEntry, match=r"\w+"):
            records.read(one.record("get_weather", "agent"))


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ({"enabld": False}, "a record has no field 'enabld'"),
        ({"revision": 3}, "a record has no field 'revision'"),
        ({"tenant": "acme"}, "its tenant is 'acme', and the tools of agent are everyone's"),
        ({"tenant": ["acme"]}, "its tenant is"),
    ],
)
def test_a_record_of_which_something_would_be_lost_is_refused(field: dict[str, object], reason: str) -> None:
    """Else a tool that was another tenant's or was not to be offered would be everyone's and offered."""
    good, bad = shapes.read([SHAPES["a record"], SHAPES["a record"] | field], SPEC, Work())
    assert isinstance(good, Found)
    assert isinstance(bad, Refused)
    assert re.match(reason, bad.reason)


@pytest.mark.parametrize("tenant", ["", "acme"])
def test_a_record_that_was_exported_is_taken(tenant: str) -> None:
    """With all its fields; where it was from does not count, and its tenant is the source's or none."""
    first = only([SHAPES["a record"] | {"enabled": False, "keywords": ["rain"]}], SPEC, Work())
    tool = records.read(first.record("get_weather", "elsewhere", tenant))
    spec = SPEC.model_copy(update={"tenant": "acme"})
    found = only([json.loads(msgspec.json.encode(records.as_record(tool)))], spec, Work())
    again = records.read(found.record(found.wish, "agent", "acme"))
    assert again == replace(tool, source="agent", tenant="acme", definition=again.definition)
    assert json.loads(again.definition) == json.loads(tool.definition)
