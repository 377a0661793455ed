"""What providers refuse of parameters is told, and is not there in what is sent; what is stored stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.settings.upstream import Refusal
from app.wire.acceptable import acceptable, refusals

TEXT = {"type": "string"}
OBJECT = {"type": "object", "properties": {}}
EITHER = {
    "type": "object",
    "anyOf": [
        {"properties": {"content": TEXT}, "required": ["content"]},
        {"properties": {"source_url": TEXT}, "required": ["source_url"]},
    ],
}
NESTED = {"type": "object", "properties": {"a": {"anyOf": [TEXT, {"type": "null"}], "description": "allOf"}}}
TREE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/Node"}},
    "$defs": {
        "Node": {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
    },
}


def sent(schema: object, *refused: Refusal, description: str = "Adds a page.") -> dict[str, Any]:
    """Give the function that is sent in place of one with this schema."""
    function = {"name": "add", "description": description, "parameters": schema}
    made = acceptable(json.dumps({"type": "function", "function": function}).encode(), refused)
    found: dict[str, Any] = json.loads(made)["function"]
    return found


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (EITHER, "combinators at the top of parameters: anyOf; OpenAI and Anthropic refuse"),
        (OBJECT | {"not": {}, "enum": [{}]}, "combinators at the top of parameters: enum, not"),
        ({}, "parameters that are not of type object: none"),
        (
            OBJECT | {"properties": {"页码": TEXT, "x y": TEXT, "ok": TEXT}},
            "that Anthropic refuses: 页码, x y; it takes",
        ),
        (OBJECT | {"properties": {"a" * 65: TEXT}}, "that Anthropic refuses: aaaa"),
        (OBJECT | {"properties": {"a": {"type": "array"}}}, "arrays without items"),
        (TREE, "a schema that holds itself: Gemini refuses it, unless upstream.refuses has references"),
        (OBJECT | {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": TEXT}}, "references: #/$defs/A;"),
        (OBJECT | {"properties": {"a": TEXT | {"format": "uuid"}}}, "formats of texts: uuid; Gemini refuses"),
        (json.loads('{"type":"object","items":' * 11 + "{}" + "}" * 11), "nesting: 12 levels; OpenAI takes 10"),
        (OBJECT | {"properties": {f"p{n}": TEXT for n in range(5_001)}}, "properties: 5,001; OpenAI takes 5,000"),
    ],
)
def test_what_providers_refuse_is_told(schema: object, told: str) -> None:
    """One sentence for each kind, with what it is about."""
    (sentence,) = refusals(schema)
    assert told in sentence


@pytest.mark.parametrize(
    "schema", [OBJECT, NESTED, OBJECT | {"properties": {"a": TEXT | {"format": "date-time"}}}, None]
)
def test_what_all_take_is_not_told(schema: object) -> None:
    """A union within is no union at the top, and no parameters are none that are refused."""
    assert refusals(schema) == ()


def test_the_parts_of_a_union_become_one_object() -> None:
    """All of their properties are there, and the description says which have to be given."""
    function = sent(EITHER, Refusal.TOP_LEVEL_COMBINATORS)
    assert function["parameters"] == {"type": "object", "properties": {"content": TEXT, "source_url": TEXT}}
    assert function["description"] == "Adds a page.\nGive at least one of: content; or source_url."


def test_what_all_parts_demand_is_demanded() -> None:
    """`allOf` demands all, `oneOf` what all of its parts demand; properties that differ take either."""
    schema = {
        "properties": {"id": TEXT},
        "required": ["id"],
        "allOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"$ref": "#/$defs/B"}],
        "oneOf": [
            {"properties": {"x": TEXT}, "required": ["x", "both"]},
            {"properties": {"x": {"type": "integer"}}, "required": ["both"]},
        ],
        "$defs": {"B": {"anyOf": [{"properties": {"b": TEXT}}]}},
    }
    parameters = sent(schema, Refusal.TOP_LEVEL_COMBINATORS)["parameters"]
    assert sorted(parameters["required"]) == ["a", "both", "id"]
    assert parameters["properties"] == {"id": TEXT, "x": {"anyOf": [TEXT, {"type": "integer"}]}, "a": TEXT, "b": TEXT}
    assert not {"anyOf", "oneOf", "allOf"} & parameters.keys()


@pytest.mark.parametrize(("key", "said"), [("not", 'not: {"required":["a"]}'), ("enum", 'one of: {"required":["a"]}')])
def test_what_a_schema_may_not_say_is_said_in_words(key: str, said: str) -> None:
    """`not` and `enum` go from the top and stand in the description."""
    function = sent(OBJECT | {key: {"required": ["a"]}}, Refusal.TOP_LEVEL_COMBINATORS, description="")
    assert function["parameters"] == OBJECT
    assert function["description"] == f"The arguments are {said}."


def test_references_are_written_out() -> None:
    """Where one leads back into itself the inside is left open, and no definitions are left."""
    below = {"type": "array", "items": {"type": "object"}}
    assert sent(TREE, Refusal.REFERENCES)["parameters"] == {
        "type": "object", "properties": {"root": {"type": "object", "properties": {"below": below}}},
    }  # fmt: skip


def test_formats_go_into_descriptions() -> None:
    """But for those that Gemini takes, and those of numbers."""
    kept = {"a": TEXT | {"format": "date-time"}, "n": {"type": "integer", "format": "int64"}}
    schema = OBJECT | {"properties": kept | {"u": TEXT | {"format": "uuid", "description": "Which."}}}
    assert sent(schema, Refusal.FORMATS)["parameters"]["properties"] == kept | {
        "u": TEXT | {"description": "Which. (uuid)"}
    }


@pytest.mark.parametrize("refused", [(), (Refusal.FORMATS,), tuple(Refusal)])
def test_a_definition_that_has_nothing_of_it_goes_out_byte_for_byte(refused: tuple[Refusal, ...]) -> None:
    """Blanks, numbers and the order of keys stay, whatever the description speaks of."""
    definition = (
        b'{ "type":"function","function":{"parameters": %s,"name":"a", "x":1.0e2} }' % json.dumps(NESTED).encode()
    )
    assert acceptable(definition, refused) is definition


def test_references_that_multiply_come_to_an_end() -> None:
    """Ten unions of a hundred references each to the next would be written out a hundred to the tenth times."""
    names = {f"D{n}": {"anyOf": [{"$ref": f"#/$defs/D{n + 1}"}] * 100} for n in range(10)}
    schema = {"type": "object", "anyOf": [{"$ref": "#/$defs/D0"}], "$defs": names | {"D10": TEXT}}
    assert len(json.dumps(sent(schema, *Refusal))) < 1_000_000
    assert refusals(schema)
