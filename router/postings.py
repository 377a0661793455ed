"""An inverted index as arrays: which tools hold a term, and how often.

Immutable. Keeps raw counts, so that two indexes (a catalogue and a client's own list) can be scored with the
statistics of their union. Made of another one by `changed` it equals one that is built anew but for the numbers of its
terms.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

TermsOf = Callable[[str], Iterable[str]]
Places = NDArray[np.int64]

_SPARE_TERMS = 1_000


@dataclass(frozen=True, slots=True)
class Postings:
    """Terms to tools in compressed rows.

    Term t of `vocabulary` occurs in tools `rows[starts[t]:starts[t + 1]]`, in order, `counts[...]` times each.
    `lengths` are the tools' lengths in terms, `float32[n]`; `total` is their sum.
    """

    vocabulary: dict[str, int]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float32]
    total: int

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def build(cls, documents: Iterable[Iterable[str]], terms_of: TermsOf) -> Postings:
        """Build from the tokens of each tool, in order, and what gives the terms of a token."""
        vocabulary: dict[str, int] = {}
        terms, rows, counts, n = _counted(documents, terms_of, vocabulary)
        return _assembled(vocabulary, terms, rows, counts, n)

    def changed(self, places: Places, documents: Iterable[Iterable[str]], terms_of: TermsOf) -> Postings:
        """Give the index of other tools: tool i is tool `places[i]` of this one, or the next of the documents for -1.

        Places rise: tools that stay keep their order.
        """
        vocabulary = self.vocabulary.copy()
        terms, rows, counts, _ = _counted(documents, terms_of, vocabulary)
        rows = np.flatnonzero(places < 0).astype(np.int32)[rows]
        now_at = np.full(len(self), -1, dtype=np.int32)
        now_at[places[places >= 0]] = np.flatnonzero(places >= 0)
        held, held_counts = now_at[self.rows], self.counts
        stays = held >= 0
        starts = np.append(self.starts, np.repeat(self.starts[-1], len(vocabulary) - len(self.vocabulary)))
        if not stays.all():
            starts -= _before(self._term_at(np.flatnonzero(~stays)), len(vocabulary))
            held, held_counts = held[stays], held_counts[stays]
        spots = np.fromiter(_spots(held, starts, terms, rows), dtype=np.int64)
        lengths = np.append(self.lengths, np.float32(0))[places]
        lengths += np.bincount(rows, weights=counts, minlength=len(places)).astype(np.float32)
        made = Postings(
            vocabulary=vocabulary,
            starts=starts + _before(terms, len(vocabulary)),
            rows=np.insert(held, spots, rows),
            counts=np.insert(held_counts, spots, counts),
            lengths=lengths,
            total=int(lengths.sum(dtype=np.float64)),
        )
        return _tidied(made)

    def _term_at(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the terms that entries of `rows` belong to."""
        return np.searchsorted(self.starts, entries, side="right") - 1

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


class _Terms(dict[str, bytes]):
    """The numbers of each token's terms, as the bytes of `int32`. Tokens are few and come often: each is split once."""

    def __init__(self, terms_of: TermsOf, vocabulary: dict[str, int]) -> None:
        super().__init__()
        self._terms_of = terms_of
        self._vocabulary = vocabulary

    def __missing__(self, token: str) -> bytes:
        vocabulary = self._vocabulary
        numbers = array("i", [vocabulary.setdefault(term, len(vocabulary)) for term in self._terms_of(token)])
        self[token] = packed = numbers.tobytes()
        return packed


def _counted(
    documents: Iterable[Iterable[str]], terms_of: TermsOf, vocabulary: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32], int]:
    """Count the terms of each document: term, row and count by term and row, and how many documents there are.

    `vocabulary` is extended.
    """
    numbers = _Terms(terms_of, vocabulary)
    found = [b"".join(map(numbers.__getitem__, document)) for document in documents]
    n = len(found)
    widths = np.fromiter(map(len, found), dtype=np.int64, count=n) // np.dtype(np.intc).itemsize
    keys = np.frombuffer(b"".join(found), dtype=np.intc).astype(np.int64)
    keys *= max(n, 1)
    keys += np.repeat(np.arange(n), widths)
    keys, counts = np.unique(keys, return_counts=True)
    terms, rows = np.divmod(keys, max(n, 1))
    return terms.astype(np.int32), rows.astype(np.int32), counts.astype(np.float32), n


def _assembled(
    vocabulary: dict[str, int],
    terms: NDArray[np.int32],
    rows: NDArray[np.int32],
    counts: NDArray[np.float32],
    n: int,
) -> Postings:
    starts = np.zeros(len(vocabulary) + 1, dtype=np.int64)
    np.cumsum(np.bincount(terms, minlength=len(vocabulary)), out=starts[1:])
    lengths = np.bincount(rows, weights=counts, minlength=n)
    return Postings(vocabulary, starts, rows, counts, lengths.astype(np.float32), int(lengths.sum()))


def _tidied(postings: Postings) -> Postings:
    """Forget the terms that no tool holds any more, when they are many."""
    used = np.diff(postings.starts) > 0
    if len(used) <= 2 * int(used.sum()) + _SPARE_TERMS:
        return postings
    vocabulary = {term: number for number, term in enumerate(compress(postings.vocabulary, used))}
    return replace(postings, vocabulary=vocabulary, starts=np.append(postings.starts[:-1][used], postings.starts[-1:]))


def _before(terms: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Count the entries that lie before each of n terms, and all of them, `int64[n + 1]`."""
    return np.append(0, np.cumsum(np.bincount(terms, minlength=n)))


def _spots(
    held: NDArray[np.int32], starts: NDArray[np.int64], terms: NDArray[np.int32], rows: NDArray[np.int32]
) -> Iterator[int]:
    """Find where each entry goes among those that are held."""
    for term, row in zip(terms.tolist(), rows.tolist(), strict=True):
        first, end = starts[term], starts[term + 1]
        yield int(first + np.searchsorted(held[first:end], row))
