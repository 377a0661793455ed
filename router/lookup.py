"""Words to the rows that carry them. Immutable by law: `changed` gives another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]

_NONE = np.zeros(0, dtype=np.int32)


class Lookup(dict[str, Rows]):
    """The rows of each word, `int32[k]`, rising."""

    @classmethod
    def build(cls, words: Iterable[Iterable[str]]) -> Self:
        """Build from the words of each row, in order."""
        return cls(_arrays(enumerate(words)))

    def changed(self, now_at: Rows, gone: Iterable[str], fresh: Mapping[int, Iterable[str]]) -> Self:
        """Give the lookup of other rows: row i became `now_at[i]`, or is gone for -1.

        `gone` are the words of the rows that are gone, `fresh` those of the rows that came.
        """
        stays = np.flatnonzero(now_at >= 0)
        moved = not np.array_equal(now_at[stays], stays)
        after = type(self)(self)
        for word in list(self) if moved else set(gone):
            rows = now_at[self[word]]
            after[word] = rows[rows >= 0]
            if not len(after[word]):
                del after[word]
        for word, rows in _arrays(fresh.items()).items():
            after[word] = np.union1d(after.get(word, _NONE), rows)
        return after


def _arrays(words: Iterable[tuple[int, Iterable[str]]]) -> dict[str, Rows]:
    found: dict[str, list[int]] = {}
    for row, held in words:
        for word in dict.fromkeys(held):
            found.setdefault(word, []).append(row)
    return {word: np.asarray(rows, dtype=np.int32) for word, rows in found.items()}
