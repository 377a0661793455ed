"""A catalogue made of another one equals one that is built anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.catalog import Catalog, Space
from router.change import Change, changed
from router.index.flat import FlatIndex
from router.postings import Postings
from router.types import Kind, Risk, Tool
from tests.unit.router.fakes import catalog, tool

_TOOLS = st.builds(
    tool,
    st.sampled_from(["send_mail", "pay", "findRoute"]),
    st.sampled_from(["", "Send a letter", "send, send", "付款 a bill"]),
    kind=st.sampled_from(Kind),
    risk=st.sampled_from(Risk),
    enabled=st.booleans(),
    tags=st.lists(st.sampled_from(["x", "y z"]), max_size=2).map(tuple),
    keywords=st.lists(st.sampled_from(["bill", "!"]), max_size=1).map(tuple),
    source=st.sampled_from(["", "crm"]),
    tenant=st.sampled_from(["", "acme"]),
    pinned=st.booleans(),
    definition=st.binary(max_size=40),
)


@st.composite
def _changes(draw: st.DrawFn) -> tuple[list[Tool], Change, list[Tool]]:
    """Give tools, a change of them, and what it makes of them."""
    before = draw(st.lists(_TOOLS, max_size=6))
    places = [place for place in range(len(before)) if draw(st.sampled_from([True, True, False]))]
    places += [-1] * draw(st.integers(0, 3))
    fresh = {row: draw(_TOOLS) for row, place in enumerate(places) if place < 0 or draw(st.booleans())}
    after = [fresh[row] if row in fresh else before[place] for row, place in enumerate(places)]
    return before, Change(np.asarray(places, dtype=np.int64), fresh), after


@given(_changes())
def test_changed_equals_a_catalogue_built_anew(case: tuple[list[Tool], Change, list[Tool]]) -> None:
    """Whatever went, came and changed: tools, words, permission and tokens are those of a new build."""
    before, change, after = case
    made = changed(catalog(*before), change, "2")
    assert _content(made) == _content(Catalog.build("2", after))


def test_changed_leaves_the_earlier_catalogue() -> None:
    """A request that holds the earlier one sees it as it was."""
    earlier = catalog(tool("mail", tags=("x",)), tool("pay", "Pay a bill"))
    content = _content(earlier)
    changed(earlier, Change(np.asarray([1, -1]), {1: tool("new", "bill")}), "2")
    assert _content(earlier) == content


def test_changed_keeps_the_words_of_tools_that_say_the_same() -> None:
    """That a tool is disabled costs no new index of words."""
    earlier = catalog(tool("mail"), tool("pay"))
    off = Change(np.asarray([0, 1]), {1: tool("pay", enabled=False)})
    assert changed(earlier, off, "2").postings is earlier.postings


def _content(made: Catalog) -> dict[str, Any]:
    """Give all that a catalogue holds, in a form that can be compared."""
    return {
        "tools": made.tools,
        "tokens": made.tokens.tolist(),
        "names": made.by_name,
        "pinned": made.pinned,
        "phrases": {word: rows.tolist() for word, rows in made.by_phrase.items()},
        "tags": {word: rows.tolist() for word, rows in made.rights.tags.items()},
        "sources": {word: rows.tolist() for word, rows in made.rights.sources.items()},
        "risks": made.rights.risks.tolist(),
        "kinds": made.rights.kinds.tolist(),
        "words": _words(made.postings),
        "name words": _words(made.names),
        "name weights": made.name_weights.tolist(),
        "spellings": _spellings(made),
        "lengths": (made.postings.lengths.tolist(), made.postings.total),
    }


def _spellings(made: Catalog) -> list[list[tuple[int, int]]]:
    """Give hashes and rows; those of one hash in any order."""
    of = made.spellings
    pairs = ((of.keys, of.rows), (of.near, of.near_rows))
    return [sorted(zip(keys.tolist(), rows.tolist(), strict=True)) for keys, rows in pairs]


def _words(postings: Postings) -> dict[str, list[tuple[int, float]]]:
    held = {}
    for term in postings.vocabulary:
        rows, counts = postings.of(term)
        if len(rows):
            held[term] = list(zip(rows.tolist(), counts.tolist(), strict=True))
    return held


def test_with_spaces_keeps_what_was_made_of_the_tools() -> None:
    """Vectors that come later cost nothing but themselves; which tools are ready follows from them."""
    earlier = catalog(tool("mail", tags=("x",)))
    known = (earlier.rights, earlier.by_phrase, earlier.ready.tolist())
    space = Space("k", FlatIndex(np.ones((1, 2), dtype=np.float32)), np.ones(1, dtype=np.bool_))
    after = earlier.with_spaces([space])
    assert (after.rights is known[0], after.by_phrase is known[1]) == (True, True)
    assert (after.spaces, after.ready.tolist(), known[2]) == ((space,), [True], [False])
