"""Pairs of tools that are nearly the same."""

from __future__ import annotations

import numpy as np
import pytest

from router import duplicates
from router.duplicates import Embedded, Found, Pair, find, takes_seconds
from router.types import Tool, Vectors
from tests.unit.router.fakes import tool


def _embedded(*described: tuple[str, Vectors | None]) -> Embedded:
    tools = [tool(f"t{row}", description) for row, (description, _) in enumerate(described)]
    vectors = np.stack([np.zeros(2, np.float32) if v is None else v for _, v in described])
    return Embedded(tools, vectors, np.asarray([v is not None for _, v in described]))


def _at(degrees: float, length: float = 1.0) -> Vectors:
    turn = np.deg2rad(degrees)
    return np.asarray([length * np.cos(turn), length * np.sin(turn)], dtype=np.float32)


def _find(embedded: Embedded, *rows: int, threshold: float = 0.9, limit: int = 20) -> Found:
    return find(embedded, np.asarray(rows or range(len(embedded.tools)), np.int64), threshold=threshold, limit=limit)


def _rows(found: Found) -> list[tuple[int, int]]:
    return [(pair.row, pair.like) for pair in found.pairs]


def test_find_tells_pairs_by_cosine() -> None:
    """Worked by hand: 10 and 20 degrees are near (0.985, 0.940), 30 are not (0.866); the length does not matter."""
    found = _find(_embedded(("a", _at(0)), ("b", _at(10, 0.5)), ("c", _at(30)), ("d", _at(90))))
    assert [(p.row, p.like, p.same_description) for p in found.pairs] == [(0, 1, False), (1, 2, False)]
    assert [p.similarity for p in found.pairs] == pytest.approx([np.cos(np.deg2rad(10)), np.cos(np.deg2rad(20))])
    assert found.total == 2


@pytest.mark.parametrize("other", ["send a mail", "Send a mail.", "ＳＥＮＤ  A\nMAIL!"])
def test_find_tells_the_same_description_first(other: str) -> None:
    """A description is the same but for case, width, blanks and punctuation; such pairs stand first."""
    found = _find(_embedded(("Send a mail.", _at(0)), ("b", _at(1)), (other, _at(90))))
    assert [(p.row, p.like, p.same_description) for p in found.pairs] == [(0, 2, True), (0, 1, False)]
    assert found.pairs[0].similarity == pytest.approx(0, abs=1e-6)


def test_find_compares_what_has_no_vector_by_its_description() -> None:
    """Without a vector only words can be the same, and there is no similarity; tools that say nothing are not alike."""
    found = _find(
        _embedded(("天気を調べる", None), ("天気を調べる。", _at(0)), ("", None), ("...", _at(90)), ("x", None))
    )
    assert found == Found((Pair(0, 1, None, same_description=True),), 1)


def test_find_gives_the_likest_and_counts_all() -> None:
    """Output is bounded by `limit`, the count is not."""
    found = _find(_embedded(*((str(row), _at(row**2)) for row in range(6))), limit=3)
    assert _rows(found) == [(0, 1), (1, 2), (0, 2)]
    assert found.total == 15


def test_find_compares_some_rows_with_all() -> None:
    """Each pair that has one of the rows is told once, whichever of the two stands first."""
    embedded = _embedded(*((str(row), _at(row / 10)) for row in range(4)))
    assert sorted(_rows(_find(embedded, 1, 3))) == [(1, 0), (1, 2), (1, 3), (3, 0), (3, 2)]
    assert _find(embedded, 1, 3).total == 5


def test_find_takes_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found does not depend on how many comparisons are made at a time."""
    drawn = np.random.default_rng(7).standard_normal((40, 2)).astype(np.float32)
    embedded = _embedded(*((str(row % 30), vector) for row, vector in enumerate(drawn)))
    whole, some = _find(embedded, limit=1_000), _find(embedded, *range(0, 40, 3), limit=1_000)
    for size in (1, 90, 400):
        monkeypatch.setattr(duplicates, "_BLOCK", size)
        assert _rows(_find(embedded, limit=1_000)) == _rows(whole)
        assert _rows(_find(embedded, *range(0, 40, 3), limit=1_000)) == _rows(some)
    assert whole.total == len(whole.pairs) > 10


def test_find_in_nothing_is_nothing() -> None:
    """No tools, no rows, no pairs; a vector without direction is like nothing."""
    tools: list[Tool] = []
    nothing = Embedded(tools, np.zeros((0, 2), np.float32), np.zeros(0, np.bool_))
    assert _find(nothing) == Found((), 0)
    assert _find(_embedded(("a", _at(0, 0.0)), ("b", _at(0, 0.0)))) == Found((), 0)


def test_takes_seconds_up_to_twenty_thousand_tools() -> None:
    """All of 20,000 with each other, or 2,000 with 100,000, and no more."""
    assert takes_seconds(20_000, 20_000)
    assert not takes_seconds(20_100, 20_100)
    assert takes_seconds(2_000, 100_000)
    assert not takes_seconds(2_001, 100_000)
