"""The embedded encoder, with its real weights."""

from __future__ import annotations

import numpy as np
import pytest

from router.embed import use
from router.embed.use import EmbeddedEncoder
from router.errors import EncoderError
from router.types import Vectors


def test_encode_gives_unit_vectors(embedded: EmbeddedEncoder) -> None:
    """Every text has one row of length one; a lone surrogate, an empty and a long text too."""
    vectors = embedded.encode_query(["Send a mail", "天气", "", "half \ud83d", "long " * 2_000])
    assert vectors.shape == (5, embedded.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_encode_of_nothing_has_the_right_shape(embedded: EmbeddedEncoder) -> None:
    """No texts give no rows."""
    assert embedded.encode_query([]).shape == (0, embedded.dimension)


@pytest.mark.parametrize(
    "question", ["What will the weather be tomorrow?", "明天天气怎么样？", "明日の天気は？", "내일 날씨 어때?"]
)
def test_encode_knows_meaning_across_languages(embedded: EmbeddedEncoder, question: str) -> None:
    """A question in any of four languages is nearer to the forecast than to the payment."""
    weather, payment, asked = embedded.encode_query(["get weather forecast", "refund a payment", question])
    assert asked @ weather > asked @ payment


def test_encode_does_not_depend_on_its_company(embedded: EmbeddedEncoder) -> None:
    """A text has the same vector alone and among others, but for rounding."""
    texts = ["Send a mail to Bob", "日历", "List the open pull requests of this repository, newest first"]
    alone = np.concatenate([embedded.encode_query([text]) for text in texts])
    assert np.allclose(embedded.encode_document(texts), alone, atol=1e-6)


def test_key_names_the_dimension(embedded: EmbeddedEncoder) -> None:
    """The key by which vectors are stored ends with the dimension."""
    assert embedded.key.endswith(f"/{embedded.dimension}")


def test_missing_weights_are_an_encoder_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder whose files are gone says so in the core's own words."""

    def gone(*, threads: int) -> None:
        raise FileNotFoundError(f"no weights for {threads} threads")

    monkeypatch.setattr(use, "USE", gone)
    with pytest.raises(EncoderError, match="no weights"):
        EmbeddedEncoder()


def test_not_a_number_is_an_encoder_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector that is not finite never leaves the encoder."""

    class Broken:
        def __init__(self, *, threads: int) -> None:
            assert threads == 1

        def encode(self, texts: list[str]) -> Vectors:
            return np.full((len(texts), use.DIMENSION), np.nan, dtype=np.float32)

    monkeypatch.setattr(use, "USE", Broken)
    with pytest.raises(EncoderError, match="not finite"):
        EmbeddedEncoder().encode_query(["text"])
