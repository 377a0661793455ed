"""The encoders that the settings name are the ones that are made."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.encoders import Renamed, close_all, make_encoders
from app.encoders.endpoint import EndpointEncoder
from app.errors import ConfigurationError
from app.settings import Settings
from app.settings.encoders import EmbeddedSpec, EncoderSpec, EndpointSpec, OnnxSpec, Precision, TransformerSpec
from router.embed.export import export
from router.embed.onnx import OnnxEncoder
from router.embed.transformer import TransformerEncoder
from router.embed.use import EmbeddedEncoder
from router.types import Encoder
from tests.support.models import save_bert_cls


def made(*specs: EncoderSpec) -> tuple[Encoder, ...]:
    """Make the encoders of these settings."""
    return make_encoders(Settings(encoder=specs))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in `model`, and its export in `onnx`."""
    place = tmp_path_factory.mktemp("tiny")
    export(TransformerEncoder(str(save_bert_cls(place))), place / "onnx", ("int8",))
    return place


def test_every_kind_is_made_in_its_order(folder: Path) -> None:
    """Two at a time, with their options; an endpoint is not asked."""
    transformer = TransformerSpec(
        kind="sentence-transformers",
        model=str(folder / "model"),
        dimension=8,
        query_prompt="q",
        document_prompt="d",
    )
    onnx = OnnxSpec(kind="onnx", path=folder / "onnx", precision=Precision.INT8)
    endpoint = EndpointSpec(kind="endpoint", base_url="http://127.0.0.1:1/v1", model="m", dimension=4)
    first, second = made(transformer, onnx)
    third, fourth = made(endpoint, EmbeddedSpec())
    assert isinstance(first, TransformerEncoder)
    assert (first.dimension, first.query_prompt, first.document_prompt) == (8, "q", "d")
    assert isinstance(second, Renamed)
    assert isinstance(second.encoder, OnnxEncoder)
    assert "/int8/" in second.key
    assert isinstance(third, EndpointEncoder)
    assert isinstance(fourth, EmbeddedEncoder)
    close_all([third])


def test_names_tell_two_encoders_apart(folder: Path) -> None:
    """One name for two, or the name of a ranking that is none of an encoder, gets a number; keys and vectors stay."""
    model = TransformerSpec(kind="sentence-transformers", model=str(folder / "model"))
    onnx = OnnxSpec(kind="onnx", path=folder / "onnx", precision=Precision.INT8)
    first, second = made(model, onnx)
    assert [first.name, second.name] == ["model", "model-2"]
    alone = OnnxEncoder(folder / "onnx", "int8")
    assert (second.key, second.dimension) == (alone.key, alone.dimension)
    assert np.array_equal(second.encode_query(["a question"]), alone.encode_query(["a question"]))
    (reserved,) = made(EndpointSpec(kind="endpoint", base_url="http://127.0.0.1:1/v1", model="lexical", dimension=4))
    assert (reserved.name, reserved.key.partition("/")[0]) == ("lexical-2", "endpoint")
    close_all([reserved, second])
    assert isinstance(reserved, Renamed)
    with pytest.raises(RuntimeError, match="closed"):
        reserved.encode_query(["text"])


def test_two_that_are_the_same_are_refused(folder: Path, tmp_path: Path) -> None:
    """One model in two places would be one index with two names."""
    copy = shutil.copytree(folder / "onnx", tmp_path / "copy")
    specs = [OnnxSpec(kind="onnx", path=path, precision=Precision.INT8) for path in (folder / "onnx", copy)]
    with pytest.raises(ConfigurationError, match="both are the same: onnx/model/int8/"):
        made(*specs)
