"""YAML by the core schema of version 1.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from app import yaml12


def _fast(text: str) -> Any:
    return yaml12.fast_loader(text).get_single_data()


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "off", "y", "2024-05-01", "2024-05-01T10:00:00Z", "12:30", "1_000", "0b1", "=", "1.2.3"]
)
def test_words_dates_and_times_are_texts(text: str) -> None:
    """What YAML 1.1 would turn into something else stays as it was written."""
    assert yaml12.load(f"[{text}]".encode()) == [text]


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
    found = yaml12.load(f"a: {text}".encode())["a"]
    assert (found, type(found)) == (value, type(value))


def test_key_that_stands_twice_is_refused() -> None:
    """The second of two equal keys does not win unseen; the same key in another mapping is fine."""
    assert yaml12.load(b"{a: {a: 1}, b: {a: 2}}") == {"a": {"a": 1}, "b": {"a": 2}}
    with pytest.raises(yaml.YAMLError, match="the key 'on' stands there twice"):
        yaml12.load(b"on: 1\nb: 2\non: 3\n")


def test_anchors_and_merges_work() -> None:
    """A part can be written once and used again, and overridden."""
    assert yaml12.load(b"- &a {x: 1, y: 2}\n- {<<: *a, y: 3}\n")[1] == {"x": 1, "y": 3}


def test_object_of_python_is_refused() -> None:
    """A file cannot make objects."""
    with pytest.raises(yaml.YAMLError):
        yaml12.load(b"!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    "text", ["{a: no, 1: 010, b: [x, ~, 1.5]}", "a: &a {k: v}\nb: {<<: *a}\n", "- 'é'\n- \"\\u65e5\""]
)
def test_fast_loader_reads_the_same(text: str) -> None:
    """libyaml's parser and Python's give what `load` gives, with texts as keys."""
    expected = yaml12.load(text.encode())
    if isinstance(expected, dict):
        expected = {str(key): value for key, value in expected.items()}
    assert yaml12.fast_loader(text).get_single_data() == expected
    parser: Any = yaml12._PythonParser(text)
    events = []
    while parser.check_event():
        events.append(type(parser.get_event()))
    assert events == [type(event) for event in yaml.parse(text)]


def test_fast_loader_refuses_a_key_that_stands_twice() -> None:
    """As `load` does."""
    with pytest.raises(yaml.YAMLError, match="stands there twice"):
        yaml12.fast_loader("{a: 1, a: 2}").get_single_data()


@pytest.mark.parametrize("read", [lambda text: yaml12.load(text.encode()), _fast])
def test_an_anchor_may_be_defined_again(read: Callable[[str], Any]) -> None:
    """An alias is of the last definition before it, also where that stands within what the first one names."""
    found = read("a: &d {x: 1}\nb: *d\nc: &d {x: 2}\ne: *d\nf: &d [&d 3, *d]\ng: *d\n")
    assert (found["b"], found["e"], found["f"], found["g"]) == ({"x": 1}, {"x": 2}, [3, 3], 3)


@pytest.mark.parametrize("text", ["a: *d", "a: *d\nb: &d 1"])
def test_an_alias_of_nothing_is_refused(text: str) -> None:
    """Before its first definition an anchor names nothing."""
    with pytest.raises(yaml.YAMLError, match="undefined alias"):
        _fast(text)
