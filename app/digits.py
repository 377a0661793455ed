"""Whole numbers that come from outside: their length is looked at before they are read.

`int` refuses 4,301 digits with an error of its own, takes blanks, signs, underscores and the digits of every script,
and takes long for long ones. `tests/house/test_digits.py` holds everybody to this.
"""

from __future__ import annotations

MOST_LENGTH = 10**19 - 1  # of a body: as many digits as 64 bits hold


def whole(text: str | bytes, most: int) -> int | None:
    """Return a number from 0 to `most`, written in ASCII digits and no longer than `most` is; None for all else."""
    if not text.isascii() or not text.isdigit() or len(text) > len(f"{most}"):
        return None
    number = int(text)
    return number if number <= most else None
