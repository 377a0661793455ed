"""`encoder` in the settings: a word, a mapping or a list, in the file and in the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app import settings
from app.errors import ConfigurationError
from app.settings import load, redacted
from app.settings.encoders import EmbeddedSpec, EncodingFormat, EndpointSpec, OnnxSpec, Precision, TransformerSpec

ONNX = {"kind": "onnx", "path": "/models/m"}
ENDPOINT = {"kind": "endpoint", "base_url": "http://localhost/v1", "model": "m", "dimension": 8}


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start every test in an empty directory, without any variable of ours."""
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(monkeypatch: pytest.MonkeyPatch, value: object) -> str:
    """Give the reason for which a value of the variable is refused."""
    text = value if isinstance(value, str) else json.dumps(value)
    monkeypatch.setenv("TOOLFUNNEL_ENCODER", text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    return str(caught.value)


@pytest.mark.parametrize("value", ["embedded", '{"kind": "embedded"}', '["embedded"]', ' [{"kind": "embedded"}]'])
def test_embedded_is_a_word_or_a_mapping(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """All are the default, and are shown as the word."""
    monkeypatch.setenv("TOOLFUNNEL_ENCODER", value)
    assert load().encoder == (EmbeddedSpec(),) == settings.Settings().encoder
    assert redacted(load())["encoder"] == "embedded"


def test_file_names_two_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list in the file is two encoders in its order; what is shown can be written back."""
    Path("config.yaml").write_text(json.dumps({"encoder": ["embedded", ONNX | {"precision": "int8"}]}))
    loaded = load()
    assert loaded.encoder == (EmbeddedSpec(), OnnxSpec(kind="onnx", path=Path("/models/m"), precision=Precision.INT8))
    shown = redacted(loaded)["encoder"]
    assert shown == ["embedded", ONNX | {"precision": "int8"}]
    monkeypatch.setenv("TOOLFUNNEL_ENCODER", json.dumps(shown))
    assert load().encoder == loaded.encoder


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable replaces the whole of it."""
    Path("config.yaml").write_text(json.dumps({"encoder": ["embedded", ONNX]}))
    monkeypatch.setenv("TOOLFUNNEL_ENCODER", json.dumps({"kind": "sentence-transformers", "model": "a/b"}))
    assert load().encoder == (TransformerSpec(kind="sentence-transformers", model="a/b"),)


def test_endpoint_keeps_its_key_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key may be a reference, and is shown as stars."""
    monkeypatch.setenv("SOME_KEY", "sk-0123456789-do-not-print")
    monkeypatch.setenv("TOOLFUNNEL_ENCODER", json.dumps(ENDPOINT | {"api_key": "env:SOME_KEY"}))
    loaded = load()
    assert isinstance(spec := loaded.encoder[0], EndpointSpec)
    assert spec.api_key is not None
    assert spec.api_key.get_secret_value() == "sk-0123456789-do-not-print"
    assert (spec.batch, spec.encoding_format) == (64, EncodingFormat.FLOAT)
    assert "do-not-print" not in f"{redacted(loaded)} {loaded!r}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("use", "the only encoder named by a word is 'embedded'"),
        ("{", "this is not JSON"),
        ("3", "others are mappings with a 'kind'"),
        ([], "one encoder or two"),
        (["embedded", ONNX, ENDPOINT], "one encoder or two"),
        (["embedded", "embedded"], "the same encoder stands there twice"),
        ([1], "encoder.0"),
        ({"kind": "magic"}, "'magic'"),
        ({"path": "/m"}, "kind"),
        ({"kind": "onnx"}, "encoder.0.onnx.path: Field required"),
        (["embedded", ONNX | {"pth": "/m"}], "encoder.1.onnx.pth: there is no such key"),
        (ONNX | {"precision": "fp16"}, "'fp32' or 'int8'"),
        ({"kind": "endpoint", "base_url": "http://h/v1", "model": "m"}, "endpoint.dimension: Field required"),
        (ENDPOINT | {"base_url": "localhost:80"}, "base_url starts with http:// or https://"),
        (ENDPOINT | {"base_url": "http://user:pw@h/v1"}, "no user name"),
        (ENDPOINT | {"api_key": "env:NOT_THERE"}, "NOT_THERE is not set"),
    ],
)
def test_what_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, value: Any, reason: str) -> None:
    """The message says where and why."""
    assert reason in refusal(monkeypatch, value)


def test_refusal_does_not_quote_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither broken JSON nor a wrong value shows what else stood there."""
    secret = ENDPOINT | {"api_key": "sk-0123456789 do-not-print", "extra": 1}
    for value in (json.dumps(secret), json.dumps(secret)[:-1]):
        assert "do-not-print" not in refusal(monkeypatch, value)


def test_parts_cannot_be_set_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of one key would not say of which encoder."""
    monkeypatch.setenv("TOOLFUNNEL_ENCODER__KIND", "onnx")
    with pytest.raises(ConfigurationError, match="TOOLFUNNEL_ENCODER__KIND"):
        load()
