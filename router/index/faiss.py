"""Search among very many: FAISS finds the likely rows by codes of 8 bits, their vectors give scores and order.

Laws: every code is compared, so no filter and no drift of the catalogue can hide a row, as they can from a graph or
from cells. Nothing is learned from the vectors: a component of a unit vector lies within -1..1, and that range is coded
in 256 steps. What is not permitted is not looked at. Scores are exact, and a row is missed only where rounding puts it
a hundred places lower than it belongs.
"""

from __future__ import annotations

import faiss
import numpy as np

from router.index.flat import FlatIndex
from router.ordering import top
from router.types import Mask, Positions, Scores, Vectors

_SPARE = 100  # more than asked for, and
_LEAST = 400  # as many at least, are found by codes
_FEW = 2_000  # as many rows are compared themselves: that is faster than a filter over all codes
_LOWEST_AND_SPAN = np.asarray([-1, 2], dtype=np.float32)


class FaissIndex:
    """Holds `float32[n, d]`, no longer than one, and its codes: a quarter more."""

    at_hand = True

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        self._exact = FlatIndex(vectors)
        kind = faiss.ScalarQuantizer.QT_8bit_uniform
        self._codes = faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(_LOWEST_AND_SPAN, self._codes.sq.trained)
        self._codes.is_trained = True
        _use_one_thread()
        self._codes.add(vectors)

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        """Give the `depth` best permitted rows and their scores, best first, ties by row."""
        rows = np.flatnonzero(permitted)
        looked_at = max(depth + _SPARE, _LEAST)
        if len(rows) > max(_FEW, looked_at):
            rows = self._likely(query, permitted, looked_at)
        scores = self.score(query, rows)
        best = top(scores, depth)
        return rows[best], scores[best]

    def take(self, rows: Positions) -> Vectors:
        """Give the vectors of rows, `float32[k, d]`."""
        return self.vectors[rows]

    def score(self, query: Vectors, rows: Positions) -> Scores:
        """Give the exact scores of rows, `float32[k]`."""
        return self._exact.score(query, rows)

    def _likely(self, query: Vectors, permitted: Mask, depth: int) -> Positions:
        """Give the permitted rows with the best codes, in order of row."""
        _use_one_thread()
        bits = np.packbits(permitted, bitorder="little")  # read while the search runs, so it must have a name
        only = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        _, rows = self._codes.search(query[np.newaxis], depth, params=only)
        found: Positions = np.sort(rows[0])
        return found[found >= 0]  # -1 stands for nothing: a query that is no number is like no row


def _use_one_thread() -> None:
    """Keep FAISS from taking all cores for a request. It holds for the calling thread alone."""
    faiss.omp_set_num_threads(1)
