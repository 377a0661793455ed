"""app/admin/duplicates.py: when tools are compared, and when that is too much."""

from __future__ import annotations

import numpy as np
import pytest

from app.admin import duplicates
from app.errors import BadRequest
from router.catalog import EMPTY, Catalog, Space
from router.duplicates import Embedded
from router.index.flat import FlatIndex
from router.types import Tool


def catalog(*descriptions: str, ready: bool = True) -> Catalog:
    """Make tools t0, t1, … that all have the same vector."""
    tools = [Tool(f"t{row}", b"{}", description=text) for row, text in enumerate(descriptions)]
    vectors = np.ones((len(tools), 2), dtype=np.float32)
    flags = np.full(len(tools), ready)
    return Catalog.build("1", tools, spaces=[Space("k", FlatIndex(vectors), flags)])


def test_of_written_waits_for_vectors() -> None:
    """What has no vector yet is not compared, nor is what another process took away meanwhile."""
    assert duplicates.of_written(catalog("a", "b", ready=False), ["t0"], 0.9) is None
    assert duplicates.of_written(catalog("a", "b"), ["gone"], 0.9) == []
    assert [one["like"] for one in duplicates.of_written(catalog("a", "b"), ["t0"], 0.9) or ()] == ["t1"]


def test_of_catalog_that_is_not_loaded_is_empty() -> None:
    """Before there is a catalogue there are no duplicates."""
    assert duplicates.of_catalog(EMPTY, None, 0.9, 5) == {"duplicates": [], "total": 0}


def test_among_refuses_what_takes_minutes() -> None:
    """Too many tools are refused at once, with what can be done."""
    tools = [Tool("t", b"{}")] * 21_000
    embedded = Embedded(tools, np.zeros((21_000, 1), np.float32), np.zeros(21_000, np.bool_))
    with pytest.raises(BadRequest, match="21,000 tools are too many to compare with 21,000: name one source"):
        duplicates.among(embedded, range(21_000), 0.9, 5)
    assert duplicates.among(embedded, range(10), 0.9, 5)["total"] == 0
