"""`encoder`: one or two ways to make vectors.

Written as the word `embedded`, as one mapping, or as a list of one or two; in the environment as the word or as JSON.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, TypeAdapter
from pydantic_settings import NoDecode

from app.settings.secret import Secret
from app.settings.section import Section, check_base_url

EMBEDDED = "embedded"


class Precision(StrEnum):
    """The numbers of an exported model."""

    FP32 = "fp32"
    INT8 = "int8"


class EncodingFormat(StrEnum):
    """How an endpoint is asked to write its vectors."""

    FLOAT = "float"
    BASE64 = "base64"


class EmbeddedSpec(Section):
    """The encoder inside the package."""

    kind: Literal["embedded"] = "embedded"


class TransformerSpec(Section):
    """A sentence-transformers model, run by torch."""

    kind: Literal["sentence-transformers"]
    model: str = Field(min_length=1, description="A folder, or the id of a model in the local cache of the hub.")
    dimension: int | None = Field(
        None, ge=1, description="Keep so many numbers of a vector; for models trained to allow it."
    )
    query_prompt: str | None = Field(None, description="Put before each question. null: the model's own, if any.")
    document_prompt: str | None = Field(None, description="Put before each tool's text. null: the model's own, if any.")


class OnnxSpec(Section):
    """A model that `toolfunnel encoder export` wrote."""

    kind: Literal["onnx"]
    path: Path = Field(description="The folder that `toolfunnel encoder export` wrote.")
    precision: Precision = Field(Precision.FP32, description="fp32: the original's vectors. int8: faster and smaller.")


class EndpointSpec(Section):
    """An OpenAI-compatible `/embeddings` endpoint."""

    kind: Literal["endpoint"]
    base_url: Annotated[str, AfterValidator(check_base_url)] = Field(
        description="What `/embeddings` is appended to, usually ending in /v1."
    )
    model: str = Field(min_length=1, description="The model's name there.")
    dimension: int = Field(ge=1, description="Numbers in a vector. An answer with another length is refused.")
    send_dimension: bool = Field(False, description="Ask for this dimension; only for models that can shorten vectors.")
    api_key: Secret | None = Field(None, description="Shown as a bearer key.")
    batch: int = Field(64, ge=1, le=2048, description="Texts in one request at most.")
    timeout_s: float = Field(10.0, gt=0, description="Seconds for one request, its retries included.")
    encoding_format: EncodingFormat = Field(
        EncodingFormat.FLOAT, description="float or base64, which is a quarter of the bytes. Either answer is read."
    )
    query_prompt: str = Field("", description="Put before each question.")
    document_prompt: str = Field("", description="Put before each tool's text.")


EncoderSpec = Annotated[EmbeddedSpec | TransformerSpec | OnnxSpec | EndpointSpec, Field(discriminator="kind")]


def _as_list(value: object) -> object:
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("this is not JSON") from None  # what is beneath quotes the text, and it may hold a key
    if not isinstance(value, list | tuple):
        value = [value]
    return [_as_mapping(one) for one in value]


def _as_mapping(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value != EMBEDDED:
        raise ValueError(f"the only encoder named by a word is {EMBEDDED!r}; others are mappings with a 'kind'")
    return {"kind": EMBEDDED}


def _one_or_two(specs: tuple[EncoderSpec, ...]) -> tuple[EncoderSpec, ...]:
    if len(specs) not in (1, 2):
        raise ValueError("one encoder or two")
    if len(set(specs)) < len(specs):
        raise ValueError("the same encoder stands there twice")
    return specs


def _as_written(specs: tuple[EncoderSpec, ...]) -> Any:
    values = [EMBEDDED if isinstance(spec, EmbeddedSpec) else spec.model_dump(mode="json") for spec in specs]
    return values[0] if len(values) == 1 else values


_LIST = TypeAdapter(tuple[EncoderSpec, ...])


def dumped(specs: tuple[EncoderSpec, ...]) -> str:
    """Write specs down without their secrets."""
    return json.dumps([spec.model_dump(mode="json", exclude={"api_key"}) for spec in specs], sort_keys=True)


def restored(text: str, known: tuple[EncoderSpec, ...]) -> tuple[EncoderSpec, ...]:
    """Read what `dumped` wrote; an endpoint gets the key that a known one at the same address has.

    Raises:
        ValueError: It was written by a version that knew other encoders.
    """
    keys = {spec.base_url: spec.api_key for spec in known if isinstance(spec, EndpointSpec)}
    return tuple(
        spec.model_copy(update={"api_key": keys.get(spec.base_url)}) if isinstance(spec, EndpointSpec) else spec
        for spec in _LIST.validate_json(text)
    )


EncoderSpecs = Annotated[
    tuple[EncoderSpec, ...],
    BeforeValidator(_as_list),
    AfterValidator(_one_or_two),
    PlainSerializer(_as_written),
    NoDecode,
]
