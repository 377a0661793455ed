"""YAML by the core schema of version 1.2."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from app import yaml12


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "off", "y", "2024-05-01", "2024-05-01T10:00:00Z", "12:30", "1_000", "0b1", "=", "1.2.3"]
)
def test_words_dates_and_times_are_texts(text: str) -> None:
    """What YAML 1.1 would turn into something else stays as it was written."""
    assert yaml12.load(f"[{text}]") == [text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("010", 10),
        ("-7", -7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("'no'", "no"),
    ],
)
def test_json_values_are_values(text: str, value: object) -> None:
    """Booleans, null and decimal numbers are what they are in JSON."""
    found = yaml12.load(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_key_that_stands_twice_is_refused() -> None:
    """The second of two equal keys does not win unseen; the same key in another mapping is fine."""
    assert yaml12.load("{a: {a: 1}, b: {a: 2}}") == {"a": {"a": 1}, "b": {"a": 2}}
    with pytest.raises(yaml.YAMLError, match="the key 'on' stands there twice"):
        yaml12.load("on: 1\nb: 2\non: 3\n")


def test_anchors_and_merges_work() -> None:
    """A part can be written once and used again, and overridden."""
    assert yaml12.load("- &a {x: 1, y: 2}\n- {<<: *a, y: 3}\n")[1] == {"x": 1, "y": 3}


def test_object_of_python_is_refused() -> None:
    """A file cannot make objects."""
    with pytest.raises(yaml.YAMLError):
        yaml12.load("!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize("text", ["{a: no, b: [x, ~, 1.5]}", "a: &a {k: v}\nb: {<<: *a}\n", "- 'é'\n- \"\\u65e5\""])
def test_the_parser_without_libyaml_finds_the_same(text: str) -> None:
    """Not every build of PyYAML has libyaml's."""
    parser: Any = yaml12._PythonParser(text)
    events = []
    while parser.check_event():
        events.append(type(parser.get_event()))
    assert events == [type(event) for event in yaml.parse(text)]


def test_all_keys_are_texts() -> None:
    """A key that is no text is written as JSON writes it."""
    assert yaml12.load("{1: a, true: b, null: c, 1.5: d, k: e}") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "1.5": "d",
        "k": "e",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" + "a," * 200_001 + "a]", "takes too long to read"),
        (
            "\n".join(["- &a0 [x, x, x]"] + [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]),
            "aliases",
        ),
        ("- &t " + "x" * 60_000 + "\n- [" + "*t, " * 20_000 + "]", "aliases"),
        ("&a [*a]", "holds itself"),
        ("a: " + "9" * 5_000, "more than 4,300 digits"),
    ],
    ids=["values", "aliases of aliases", "a text said often", "itself", "digits"],
)
def test_what_grows_is_refused(text: str, reason: str) -> None:
    """A document has a bound of values, its aliases followed, and a number one of digits."""
    with pytest.raises(yaml.YAMLError, match=reason):
        yaml12.load(text)


def test_an_anchor_may_be_defined_again() -> None:
    """An alias is of the last definition before it, also where that stands within what the first one names."""
    found = yaml12.load("a: &d {x: 1}\nb: *d\nc: &d {x: 2}\ne: *d\nf: &d [&d 3, *d]\ng: *d\n")
    assert (found["b"], found["e"], found["f"], found["g"]) == ({"x": 1}, {"x": 2}, [3, 3], 3)


@pytest.mark.parametrize("text", ["a: *d", "a: *d\nb: &d 1"])
def test_an_alias_of_nothing_is_refused(text: str) -> None:
    """Before its first definition an anchor names nothing."""
    with pytest.raises(yaml.YAMLError, match="undefined alias"):
        yaml12.load(text)
