"""What every encoder does to texts before, and to vectors after."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from router.errors import EncoderError
from router.types import Vectors


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def as_unit(rows: ArrayLike, dimension: int) -> Vectors:
    """Give `float32[n, dimension]`, unit length: rows cut to their first numbers, for models trained to allow it.

    Raises:
        EncoderError: The rows are too short, hold a number that is not finite, or only zeros.

    Source: Kusupati et al., Matryoshka Representation Learning (2022).
    """
    vectors = np.asarray(rows, dtype=np.float32)
    if not len(vectors):
        return np.zeros((0, dimension), dtype=np.float32)
    vectors = vectors[:, :dimension]
    if vectors.shape[1] != dimension:
        raise EncoderError(f"vectors have {vectors.shape[1]} dimensions where {dimension} are wanted")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise EncoderError("the encoder gave a vector that is zero or not finite")
    unit: Vectors = vectors / lengths
    return unit
