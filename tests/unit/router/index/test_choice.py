"""Which index a catalogue gets."""

from __future__ import annotations

import numpy as np

from router.index.choice import EXACT_UP_TO, index_of
from router.index.faiss import FaissIndex
from router.index.flat import FlatIndex


def test_index_is_exact_up_to_its_limit() -> None:
    """FAISS begins where comparing everything takes too long."""
    assert isinstance(index_of(np.zeros((EXACT_UP_TO, 2), dtype=np.float32)), FlatIndex)
    assert isinstance(index_of(np.zeros((EXACT_UP_TO + 1, 2), dtype=np.float32)), FaissIndex)
