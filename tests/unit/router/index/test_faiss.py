"""What FAISS may use. What all indexes do alike is in tests/contract."""

from __future__ import annotations

import threading

import numpy as np
import psutil

from router.index.faiss import FaissIndex


def test_faiss_searches_on_the_calling_thread() -> None:
    """A request leaves the other cores to other requests, on whichever thread it runs."""
    process, counts = psutil.Process(), []
    vectors = np.eye(8, dtype=np.float32)[np.arange(4_000) % 8]
    index = FaissIndex(vectors)

    def search() -> None:
        before = process.num_threads()
        index.search(vectors[0], np.ones(4_000, dtype=np.bool_), 5)
        counts.append(process.num_threads() - before)

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert counts == [0]


def test_faiss_searches_few_rows_themselves() -> None:
    """A filter that leaves little gives the same best as one that leaves everything."""
    vectors = np.eye(8, dtype=np.float32)[np.arange(4_000) % 8]
    few = np.arange(4_000) % 8 == 3
    rows, scores = FaissIndex(vectors).search(vectors[3], few, 2)
    assert (rows.tolist(), scores.tolist()) == ([3, 11], [1.0, 1.0])
