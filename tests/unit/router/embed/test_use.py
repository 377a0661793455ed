"""The embedded encoder, with its real weights."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from router.embed import use
from router.embed.reading import examine, probes
from router.embed.use import EmbeddedEncoder
from router.errors import EncoderError
from router.types import Vectors


def test_encode_gives_unit_vectors(embedded: EmbeddedEncoder) -> None:
    """Every text has one row of length one; a lone surrogate, an empty and a long text too."""
    for encode in (embedded.encode_query, embedded.encode_document):
        vectors = encode(["Send a mail", "天气", "", "half \ud83d", "long " * 2_000])
        assert vectors.shape == (5, embedded.dimension)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_encode_of_nothing_has_the_right_shape(embedded: EmbeddedEncoder) -> None:
    """No texts give no rows."""
    for encode in (embedded.encode_query, embedded.encode_document):
        assert encode([]).shape == (0, embedded.dimension)


@pytest.mark.parametrize(
    "question", ["What will the weather be tomorrow?", "明天天气怎么样？", "明日の天気は？", "내일 날씨 어때?"]
)
def test_encode_knows_meaning_across_languages(embedded: EmbeddedEncoder, question: str) -> None:
    """A question in any of four languages is nearer to the forecast than to the payment."""
    weather, payment = embedded.encode_document(["get weather forecast", "refund a payment"])
    (asked,) = embedded.encode_query([question])
    assert asked @ weather > asked @ payment


def test_encode_does_not_depend_on_its_company(embedded: EmbeddedEncoder) -> None:
    """A text has the same vector alone and among others, but for rounding."""
    texts = ["Send a mail to Bob", "日历", "List the open pull requests of this repository, newest first"]
    for encode in (embedded.encode_query, embedded.encode_document):
        assert np.allclose(encode(texts), np.concatenate([encode([text]) for text in texts]), atol=1e-6)


def test_documents_are_as_the_model_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The map is for questions: a tool has the model's own vector, to the bit, and a question has another."""
    rows = np.eye(2, use.DIMENSION, dtype=np.float32)

    class Given:
        _model = SimpleNamespace()

        def __init__(self, *, threads: int) -> None:
            assert threads == 1

        def encode(self, texts: list[str]) -> Vectors:
            return rows[: len(texts)]

    monkeypatch.setattr(use, "USE", Given)
    encoder = EmbeddedEncoder()
    assert (encoder.encode_document(["a", "b"]) == rows).all()
    moved = encoder.encode_query(["a", "b"])
    assert (np.einsum("ij,ij->i", moved, rows) < 0.999).all()
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("language", ["en", "zh", "ja", "ko", "ru", "ar", "th"])
def test_questions_are_moved_towards_their_tools(embedded: EmbeddedEncoder, language: str) -> None:
    """As a question, a text tells its tool from the wrong ones at least as often as it does as a tool's text."""
    asked, told = (probes()[kind][language] for kind in ("questions", "descriptions"))
    tools = embedded.encode_document(told)

    def told_apart(vectors: Vectors) -> int:
        scores = vectors @ tools.T
        return int((np.diagonal(scores)[:, np.newaxis] > scores).sum())

    assert told_apart(embedded.encode_query(asked)) > told_apart(embedded.encode_document(asked))


def test_reading_of_the_embedded_encoder(embedded: EmbeddedEncoder) -> None:
    """It reads the four languages of the house into one another, and nothing in Devanagari."""
    reading = examine(embedded)
    read = ("latin", "han", "kana", "hangul")
    assert all(reading.of({one: 1.0}, {other: 1.0}) > 0.9 for one in read for other in read)
    assert all(reading.of({"devanagari": 1.0}, {other: 1.0}) < 0.2 for other in (*read, "devanagari"))


def test_name_is_a_word(embedded: EmbeddedEncoder) -> None:
    """Its scores are shown under a short name."""
    assert embedded.name == "use"


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
        _model = SimpleNamespace()

        def __init__(self, *, threads: int) -> None:
            assert threads == 1

        def encode(self, texts: list[str]) -> Vectors:
            return np.full((len(texts), use.DIMENSION), np.nan, dtype=np.float32)

    monkeypatch.setattr(use, "USE", Broken)
    with pytest.raises(EncoderError, match="not finite"):
        EmbeddedEncoder().encode_query(["text"])


def test_failure_of_the_model_is_an_encoder_error(embedded: EmbeddedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the package raises is told in the core's words."""

    class Broken:
        _model = SimpleNamespace()

        def encode(self, texts: list[str]) -> Vectors:
            raise IndexError(f"{len(texts)} texts are too many")

    monkeypatch.setattr(embedded, "_model", Broken())
    with pytest.raises(EncoderError, match="use could not encode: 1 texts are too many"):
        embedded.encode_document(["text"])
