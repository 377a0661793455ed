"""An inverted index as arrays: which tools hold a term, and how often.

Immutable. Keeps raw counts, so that two indexes (a catalogue and a client's own list) can be scored with the
statistics of their union.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Postings:
    """Terms to tools in compressed rows.

    Term t of `vocabulary` occurs in tools `rows[starts[t]:starts[t + 1]]`, `counts[...]` times each.
    `lengths` are the tools' lengths in terms, `float32[n]`.
    """

    vocabulary: dict[str, int]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float32]

    @classmethod
    def build(cls, documents: Sequence[Counter[str]]) -> Postings:
        """Build from the term counts of each tool, in order."""
        vocabulary: dict[str, int] = {}
        terms: list[int] = []
        rows: list[int] = []
        counts: list[int] = []
        for row, document in enumerate(documents):
            terms.extend([vocabulary.setdefault(term, len(vocabulary)) for term in document])
            rows.extend([row] * len(document))
            counts.extend(document.values())
        term_ids = np.asarray(terms, dtype=np.int32)
        order = np.argsort(term_ids, kind="stable")
        starts = np.zeros(len(vocabulary) + 1, dtype=np.int64)
        np.cumsum(np.bincount(term_ids, minlength=len(vocabulary)), out=starts[1:])
        return cls(
            vocabulary=vocabulary,
            starts=starts,
            rows=np.asarray(rows, dtype=np.int32)[order],
            counts=np.asarray(counts, dtype=np.float32)[order],
            lengths=np.asarray([document.total() for document in documents], dtype=np.float32),
        )

    def frequency(self, term: str) -> int:
        """Count the tools that hold a term."""
        index = self.vocabulary.get(term)
        return 0 if index is None else int(self.starts[index + 1] - self.starts[index])

    def of(self, term: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Give the rows that hold a term and how often each does."""
        index = self.vocabulary.get(term)
        if index is None:
            return self.rows[:0], self.counts[:0]
        span = slice(self.starts[index], self.starts[index + 1])
        return self.rows[span], self.counts[span]
