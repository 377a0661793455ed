"""Names of imported tools: legal, unique, the same at every import, whatever the others are called."""

from __future__ import annotations

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.imports.names import assign, parameter_names

LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
PARAMETERS = st.lists(
    st.tuples(st.sampled_from(["path", "query", "header", "cookie", "body"]), st.text(min_size=1, max_size=80)),
    unique=True,
    max_size=12,
)
ORIGINALS = st.lists(st.text(min_size=0, max_size=90), unique=True, max_size=12)


@given(first=ORIGINALS, later=ORIGINALS)
def test_names_are_legal_unique_and_stay(first: list[str], later: list[str]) -> None:
    """Whatever a source calls its tools, and whatever comes later: a name once given means the same tool."""
    before = assign({one: one for one in first}, "crm__", {})
    after = assign({one: one for one in [*later, *first]}, "crm__", before)
    assert all(LEGAL.fullmatch(name) for name in after.values())
    assert len(set(after.values())) == len(after)
    assert {one: after[one] for one in first} == before


def test_names_that_are_legal_stay_as_they_are() -> None:
    """A legal name wins over one that has to be changed, wherever it stands."""
    assert assign({"a.b": "a.b", "a_b": "a_b"}, "", {}) == {"a_b": "a_b", "a.b": "a_b_2e7336dc"}


def test_names_that_are_too_long_end_with_a_mark() -> None:
    """Two names with the same beginning stay apart."""
    names = assign({"x" * 100: "x" * 100, "x" * 101: "x" * 101}, "crm__", {})
    assert {len(name) for name in names.values()} == {64}
    assert len(set(names.values())) == 2


def test_a_name_that_was_made_to_look_like_anothers_mark_stays_apart() -> None:
    """Whoever knows how marks are made still cannot take a name twice."""
    originals = ["a.b", "a_b", "a_b_2e7336dc"]
    names = assign({one: one for one in originals}, "", {})
    assert len(set(names.values())) == 3
    assert names["a_b_2e7336dc"] == "a_b_2e7336dc"


def test_names_without_a_letter_are_marked() -> None:
    """Of names in another script nothing is left: each gets a mark of its own, whatever the others are."""
    both = assign({one: one for one in ("查询天气", "查询股票")}, "cjk__", {})
    alone = assign({"查询股票": "查询股票"}, "cjk__", {})
    assert both == {"查询天气": "cjk__tool_22cf3c76", "查询股票": alone["查询股票"]}


@given(parameters=PARAMETERS)
def test_names_of_parameters_are_legal_and_no_two_the_same(parameters: list[tuple[str, str]]) -> None:
    """Whatever an API calls them, wherever they are: as many names as parameters, and the legal ones stay."""
    names = parameter_names(parameters)
    assert all(PROPERTY.fullmatch(name) for name in names)
    assert len(set(names)) == len(names) == len(parameters)
    alone = [wire for _, wire in parameters]
    kept = [
        name for name, wire in zip(names, alone, strict=True) if PROPERTY.fullmatch(wire) and alone.count(wire) == 1
    ]
    assert kept == [wire for wire in alone if PROPERTY.fullmatch(wire) and alone.count(wire) == 1]


@given(parameters=PARAMETERS, chosen=st.randoms())
def test_the_order_of_parameters_does_not_decide_their_names(parameters: list[tuple[str, str]], chosen: Random) -> None:
    """But for one name in several places, of which the first keeps it."""
    listed = list({wire: (place, wire) for place, wire in parameters}.values())
    names = dict(zip(listed, parameter_names(listed), strict=True))
    chosen.shuffle(listed)
    assert dict(zip(listed, parameter_names(listed), strict=True)) == names


def test_names_of_parameters_tell_what_they_were() -> None:
    """Signs become underscores, places stand behind names, and a mark where that is not enough."""
    given_names = [
        ("path", "id"), ("query", "id"), ("body", "id"), ("query", "page[size]"), ("query", "filter"),
        ("query", "$filter"), ("query", "@filter"), ("query", "城市"), ("body", "姓名"), ("header", "X-Trace"),
    ]  # fmt: skip
    assert parameter_names(given_names) == [
        "id__path", "id__query", "id", "page_size_", "filter",
        "_filter_77a7166f", "_filter_60637195", "query_a19f7e7b", "body_c2a578d1", "X-Trace",
    ]  # fmt: skip
