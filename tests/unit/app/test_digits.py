"""Whole numbers of texts."""

from __future__ import annotations

import pytest

from app.digits import whole


@pytest.mark.parametrize(("text", "number"), [("0", 0), (b"42", 42), ("099", 99), ("100", 100)])
def test_whole_reads_ascii_digits(text: str | bytes, number: int) -> None:
    """Leading zeros count as digits."""
    assert whole(text, 100) == number


@pytest.mark.parametrize(
    "text", ["", "101", "0100", "-1", "+1", " 1", "1_0", "1.0", "٣", "²", "１", b"\xb2", "9" * 10**6, "abc"]
)
def test_whole_reads_nothing_else(text: str | bytes) -> None:
    """Neither signs, blanks, underscores and other scripts nor what is too much."""
    assert whole(text, 100) is None
