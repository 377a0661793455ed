"""app/wire/parameters.py: what a JSON Schema says of a tool's parameters, in every form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import parameters
from router.types import Parameter

CITY = {"type": "string", "description": "Where.", "enum": ["Rome", "Oslo"]}
READ = Parameter("city", "Where.", ("Rome", "Oslo"))


def test_c07_forms_are_read_as_the_plain_one() -> None:
    """A reference, branches, nullable types, elements and further properties say what a plain property says."""
    inner = {"properties": {"city": CITY}}
    forms: dict[str, dict[str, Any]] = {
        "reference": {"properties": {"city": {"$ref": "#/$defs/C"}}, "$defs": {"C": CITY}},
        "escaped reference": {"properties": {"city": {"$ref": "#/$defs/a~1b%20c"}}, "$defs": {"a/b c": CITY}},
        "reference of a reference": {
            "properties": {"city": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"$ref": "#/$defs/C"}, "C": CITY},
        },
        "nullable": {"properties": {"city": {"anyOf": [{"type": "null"}, CITY]}}},
        "nullable value": {"properties": {"city": CITY | {"enum": ["Rome", "Oslo", None]}}},
        "allOf": {"properties": {"city": {"allOf": [{"description": "Where."}, {"enum": ["Rome", "Oslo"]}]}}},
        "constants": {
            "properties": {"city": {"description": "Where.", "oneOf": [{"const": "Rome"}, {"const": "Oslo"}]}}
        },
        "elements": {"properties": {"city": {"type": "array", "items": CITY}}},
        "elements by reference": {"properties": {"city": {"items": {"$ref": "#/$defs/C"}}}, "$defs": {"C": CITY}},
        "tuple": {"properties": {"city": {"prefixItems": [CITY]}}},
        "at the top": {"anyOf": [inner, {"properties": {"city": CITY}}]},
        "condition": {"if": {}, "then": inner},
        "further": {"additionalProperties": inner},
        "by pattern": {"patternProperties": {"^x": inner}},
    }
    assert {form: parameters.read(schema)[0] for form, schema in forms.items()} == dict.fromkeys(forms, READ)


def test_c07_nesting_is_read_to_its_end_outermost_first() -> None:
    """What stands at depth six is read, behind all that stands above it."""
    schema: dict[str, Any] = {"properties": {"depth6": {}}}
    for depth in (5, 4, 3, 2, 1):
        schema = {"properties": {f"depth{depth}": schema, f"beside{depth}": {}}}
    names = [parameter.name for parameter in parameters.read(schema)]
    assert names == [name for depth in range(1, 6) for name in (f"depth{depth}", f"beside{depth}")] + ["depth6"]


def test_c07_a_circle_ends() -> None:
    """A schema that refers to itself is read once."""
    schema = {"properties": {"city": CITY, "next": {"$ref": "#"}}}
    assert parameters.read(schema) == (READ, Parameter("next", "", ()))


def test_c07_a_schema_of_any_size_is_bounded() -> None:
    """Of ten thousand parameters a hundred are read, the first; of ten thousand values forty."""
    many = {f"p{i}": {"enum": list(range(10_000))} for i in range(300)}
    found = parameters.read({"properties": many})
    assert [parameter.name for parameter in found] == [f"p{i}" for i in range(100)]
    assert {len(parameter.values) for parameter in found} == {40}
    wide: dict[str, Any] = {
        "anyOf": [{"allOf": [{"properties": {f"p{i}-{j}": {}}} for j in range(100)]} for i in range(100)]
    }
    assert len(parameters.read(wide)) <= 100


@pytest.mark.parametrize(
    "reference", ["other.json#/a", "#/no/where", "#/list/x", "#/list/99999999999", "", 7, "#/list/0"]
)
def test_c07_a_reference_that_leads_nowhere_is_passed_over(reference: object) -> None:
    """The parameter is there by its name."""
    assert parameters.read({"properties": {"a": {"$ref": reference}}, "list": [7]}) == (Parameter("a"),)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["#", "#/properties/properties", "x"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["properties", "items", "anyOf", "$ref", "enum", "description", "const", "then"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=40,
    )
)
def test_c07_anything_is_read_without_an_error(schema: object) -> None:
    """What is not a schema says nothing, and is no error."""
    assert all(isinstance(parameter.name, str) for parameter in parameters.read(schema))
