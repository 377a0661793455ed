"""Export: models of several kinds keep their vectors, others are refused, and nothing stays half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router.embed.export import Export, export
from router.embed.onnx import OnnxEncoder, read_manifest
from router.embed.transformer import TransformerEncoder
from router.errors import EncoderError
from tests.support import models

TEXTS = ["a", "weather in Paris tomorrow", "天气", "one two three four five " * 30]


@pytest.mark.parametrize("save", [models.save_bert_cls, models.save_roberta_mean, models.save_qwen_last])
def test_export_keeps_the_vectors_of_every_pooling(tmp_path: Path, save: Callable[[Path], Path]) -> None:
    """First token, mean and last token; dense layers, prompts and padding on the left: all are in the graph."""
    original = TransformerEncoder(str(save(tmp_path)))
    done = export(original, tmp_path / "out", ("fp32",))
    copy = OnnxEncoder(done.folder)
    for ours, theirs in ((copy.encode_query, original.encode_query), (copy.encode_document, original.encode_document)):
        assert np.allclose(ours(TEXTS), theirs(TEXTS), atol=1e-4)
        assert np.abs(ours(TEXTS[:2]) @ ours(TEXTS[2:]).T).max() < 0.995  # the model does tell texts apart


def test_export_says_what_it_wrote(exported: Export) -> None:
    """Manifest and figures describe both precisions; everyone may read the files."""
    assert exported.manifest == read_manifest(exported.folder)
    assert (exported.manifest.dimension, exported.manifest.max_tokens) == (384, 256)
    assert exported.manifest.modules == "Transformer, Pooling(mean), Normalize"
    assert [(f.precision, f.cosine_min >= 0.999) for f in exported.figures] == [("fp32", True), ("int8", False)]
    assert exported.figures[1].size_bytes < exported.figures[0].size_bytes / 3
    assert {path.stat().st_mode & 0o444 for path in exported.folder.iterdir()} == {0o444}


def test_export_keeps_dimension_and_prompts(tmp_path: Path) -> None:
    """What the original was told goes into the export."""
    folder = str(models.save_bert_cls(tmp_path))
    original = TransformerEncoder(folder, dimension=8, query_prompt="q: ", document_prompt="d: ")
    steps: list[str] = []
    copy = OnnxEncoder(export(original, tmp_path / "out", ("int8",), steps.append).folder, "int8")
    assert copy.dimension == 8
    assert np.min(np.sum(copy.encode_query(TEXTS) * original.encode_query(TEXTS), axis=1)) > 0.99
    assert steps == ["the graph", "int8", "comparing int8"]
    assert sorted(path.name for path in copy_of(tmp_path)) == [
        "encoder.json",
        "int8.onnx",
        "int8.onnx.data",
        "tokenizer.json",
    ]


def copy_of(place: Path) -> list[Path]:
    """Give what an export left beside the model."""
    return list((place / "out").iterdir())


def refusal(original: TransformerEncoder, place: Path) -> str:
    """Give the reason for which an export fails; it leaves nothing."""
    place.mkdir()
    with pytest.raises(EncoderError) as caught:
        export(original, place / "out", ("fp32", "int8"))
    assert list(place.iterdir()) == []
    return str(caught.value)


@pytest.fixture
def tiny(tmp_path: Path) -> TransformerEncoder:
    return TransformerEncoder(str(models.save_bert_cls(tmp_path)))


def test_export_does_not_write_over_anything(tiny: TransformerEncoder, tmp_path: Path) -> None:
    """A folder with something in it, and a file, are left as they are."""
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(EncoderError, match="is there already"):
            export(tiny, place, ("fp32",))
    assert (tmp_path / "file").read_text() == "mine"


def test_export_that_fails_leaves_nothing(tiny: TransformerEncoder, tmp_path: Path) -> None:
    """A model whose code breaks in the exporter is refused in the core's words."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    tiny.model.forward = fail
    assert "model cannot be exported: Failed to export" in refusal(tiny, tmp_path / "place")


def test_export_of_other_vectors_is_refused(
    tiny: TransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the copy does not give the original's vectors, there is no copy."""
    encode = OnnxEncoder.encode_query
    monkeypatch.setattr(OnnxEncoder, "encode_query", lambda self, texts: -encode(self, texts))
    assert "cosine to the original is only -1.0" in refusal(tiny, tmp_path / "place")


def test_export_refuses_inputs_it_cannot_give(tmp_path: Path) -> None:
    """A model without attention takes offsets, which the encoder does not make."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = TransformerEncoder(str(models.save_bert_cls(tmp_path))).model.tokenizer
    static = StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "static"))
    assert "it takes offsets" in refusal(TransformerEncoder(str(tmp_path / "static")), tmp_path / "place")


def test_export_refuses_a_tokenizer_in_python(tiny: TransformerEncoder, tmp_path: Path) -> None:
    """Only a tokenizer with a tokenizer.json can be served."""
    from transformers import ByT5Tokenizer

    tiny.model[0].processor = ByT5Tokenizer()
    assert "no tokenizer.json form" in refusal(tiny, tmp_path / "place")


def test_export_refuses_pooling_without_the_prompt(tmp_path: Path) -> None:
    """Where the prompt's tokens do not count, the graph would need to know the prompt."""
    options: dict[str, Any] = {"query_prompt": "q: "}
    tiny = TransformerEncoder(str(models.save_roberta_mean(tmp_path)), **options)
    tiny.model.set_pooling_include_prompt(False)
    assert "leaves the prompt's tokens out" in refusal(tiny, tmp_path / "place")
