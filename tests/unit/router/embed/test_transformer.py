"""The sentence-transformers encoder, with real weights and with tiny models."""

from __future__ import annotations

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from router.embed.transformer import TransformerEncoder
from router.errors import EncoderError
from tests.support.models import WIDTH, save_bert_cls, save_qwen_last, save_roberta_mean

TEXTS = ["Send a mail to Bob", "What will the weather be tomorrow?", "日历", "", "half \ud83d", "long " * 2_000]


def test_encode_gives_the_library_s_vectors(minilm: TransformerEncoder, minilm_folder: Path) -> None:
    """They are the ones that sentence-transformers itself gives, in one batch."""
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(minilm_folder), device="cpu", local_files_only=True)
    expected = library.encode(TEXTS[:4], normalize_embeddings=True)
    assert np.allclose(minilm.encode_query(TEXTS[:4]), expected, atol=1e-5)
    assert np.allclose(minilm.encode_document(TEXTS[:4]), expected, atol=1e-5)


def test_encode_gives_unit_vectors(minilm: TransformerEncoder) -> None:
    """Every text has one row of length one; a lone surrogate, an empty and a long text too."""
    vectors = minilm.encode_query(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert minilm.encode_query([]).shape == (0, 384)


def test_encode_does_not_depend_on_its_company(minilm: TransformerEncoder) -> None:
    """A text has the very same vector alone and among others."""
    alone = np.concatenate([minilm.encode_query([text]) for text in TEXTS])
    assert np.array_equal(minilm.encode_query(TEXTS), alone)


def test_encode_may_be_called_in_many_threads(minilm: TransformerEncoder) -> None:
    """Eight threads get what one gets, and torch stays with one core in each."""
    import torch

    texts = [f"question {n} " * (n % 9 + 1) for n in range(64)]

    def encode(text: str) -> tuple[bytes, int]:
        return minilm.encode_query([text]).tobytes(), torch.get_num_threads()

    with ThreadPoolExecutor(8) as threads:
        beside_each_other = list(threads.map(encode, texts))
    assert beside_each_other == [(row.tobytes(), 1) for row in minilm.encode_query(texts)]


def test_dimension_cuts_and_normalises(minilm: TransformerEncoder, minilm_folder: Path) -> None:
    """A shorter vector is the start of the longer one, at length one."""
    short = TransformerEncoder(str(minilm_folder), dimension=100)
    start = minilm.encode_query(TEXTS)[:, :100]
    assert short.dimension == 100
    assert np.allclose(short.encode_query(TEXTS), start / np.linalg.norm(start, axis=1, keepdims=True), atol=1e-6)


def test_dimension_cannot_exceed_the_model_s(minilm_folder: Path) -> None:
    """More numbers than there are is refused."""
    with pytest.raises(EncoderError, match="gives 384 dimensions, 385 are wanted"):
        TransformerEncoder(str(minilm_folder), dimension=385)


def test_prompts_are_the_model_s_own(tmp_path: Path) -> None:
    """A model that brings prompts is asked with them: questions with one, tools with another."""
    encoder = TransformerEncoder(str(save_roberta_mean(tmp_path, prompts={"query": "q: ", "passage": "p: "})))
    plain = TransformerEncoder(str(tmp_path / "model"), query_prompt="", document_prompt="")
    assert (encoder.query_prompt, encoder.document_prompt) == ("q: ", "p: ")
    assert np.array_equal(encoder.encode_query(["text"]), plain.encode_query(["q: text"]))
    assert np.array_equal(encoder.encode_document(["text"]), plain.encode_document(["p: text"]))


def test_prompts_may_be_the_default_one(tmp_path: Path) -> None:
    """Without prompts for questions and tools, a model's default prompt serves for both."""
    folder = save_roberta_mean(tmp_path, prompts={"any": "a: "}, default_prompt_name="any")
    encoder = TransformerEncoder(str(folder))
    assert (encoder.query_prompt, encoder.document_prompt) == ("a: ", "a: ")


def test_vectors_of_a_model_that_reads_to_the_left(tmp_path: Path) -> None:
    """A model padded on the left has the vectors of the library's batch."""
    from sentence_transformers import SentenceTransformer

    encoder = TransformerEncoder(str(save_qwen_last(tmp_path)))
    texts = ["short", "a text that is much longer than the short one"]
    expected = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode_query(texts)
    assert np.allclose(encoder.encode_query(texts), expected, atol=1e-5)


def test_key_names_prompts_and_dimension(tmp_path: Path) -> None:
    """Whatever changes the vectors changes the key, and nothing else does."""
    folder = str(save_bert_cls(tmp_path))
    same = {TransformerEncoder(folder).key, TransformerEncoder(folder, dimension=16).key}
    short = TransformerEncoder(folder, dimension=8).key
    asked = TransformerEncoder(folder, query_prompt="q").key
    told = TransformerEncoder(folder, document_prompt="q").key
    assert len(same) == 1
    assert len(same | {short, asked, told}) == 4


def test_key_names_the_content_of_a_folder(tmp_path: Path) -> None:
    """A copy has the same key wherever it is; other weights have another one."""
    folder = save_bert_cls(tmp_path)
    same = shutil.copytree(folder, tmp_path / "elsewhere" / "model")
    before = TransformerEncoder(str(same)).key
    weights = same / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert before == TransformerEncoder(str(folder)).key != TransformerEncoder(str(same)).key


def test_hub_id_is_found_in_the_local_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was fetched before is loaded by its id; the key holds the revision."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub" / "models--someone--tiny"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(revision)
    shutil.copytree(save_bert_cls(tmp_path), cache / "snapshots" / revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    encoder = TransformerEncoder("someone/tiny")
    assert (encoder.name, encoder.dimension) == ("tiny", 16)
    assert encoder.key.startswith(f"sentence-transformers/someone/tiny@{revision}/")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let no connection be opened, and keep where to."""
    wanted: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        wanted.append(address)
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return wanted


def test_loading_opens_no_connection(offline: list[object], minilm_folder: Path) -> None:
    """Neither a folder nor an unknown id makes it ask the network; the latter is refused with what to do."""
    TransformerEncoder(str(minilm_folder)).encode_query(["text"])
    with pytest.raises(EncoderError, match="hf download someone/unknown"):
        TransformerEncoder("someone/unknown")
    assert offline == []


@pytest.mark.parametrize("model", ["not a model id", "a/b/c", ""])
def test_names_that_are_none_are_refused(model: str) -> None:
    """What can be neither folder nor id is an encoder error, too."""
    with pytest.raises(EncoderError):
        TransformerEncoder(model)


def test_broken_folder_is_refused(tmp_path: Path) -> None:
    """A folder that holds no model is an encoder error that names it."""
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="could not be loaded"):
        TransformerEncoder(str(tmp_path))


@pytest.mark.parametrize("error", [RuntimeError, TypeError])
def test_failure_of_the_model_is_an_encoder_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whatever torch raises is told in the core's words."""
    encoder = TransformerEncoder(str(save_bert_cls(tmp_path)))

    def fail(*_: object, **__: object) -> None:
        raise error("out of memory")

    monkeypatch.setattr(encoder.model, "preprocess", fail)
    with pytest.raises(EncoderError, match="model could not encode: out of memory"):
        encoder.encode_query(["text"])


def test_half_precision_is_served_as_float32(tmp_path: Path) -> None:
    """Weights saved as bfloat16 are computed in float32, which CPUs do well."""
    import torch
    from sentence_transformers import SentenceTransformer

    folder = save_bert_cls(tmp_path)
    SentenceTransformer(str(folder), device="cpu").bfloat16().save(str(tmp_path / "half"))
    encoder = TransformerEncoder(str(tmp_path / "half"))
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert encoder.dimension == WIDTH // 2
