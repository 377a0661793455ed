"""The encoders that the settings name."""

from __future__ import annotations

from collections.abc import Iterable

from app.errors import ConfigurationError
from app.settings import Settings
from app.settings.encoders import EmbeddedSpec, EncoderSpec, EndpointSpec, OnnxSpec, TransformerSpec
from router.types import KEYWORDS, LEXICAL, NAMES, Encoder

_RESERVED = (LEXICAL, NAMES, KEYWORDS)  # the other rankings of an explanation


class Renamed:
    """An encoder by another name for people; its vectors and their key are the same."""

    def __init__(self, encoder: Encoder, name: str) -> None:
        self.encoder = encoder
        self.name = name
        self.key = encoder.key
        self.dimension = encoder.dimension
        self.encode_query = encoder.encode_query
        self.encode_document = encoder.encode_document

    def close(self) -> None:
        """Close what it stands for."""
        close_all([self.encoder])


def make_encoders(settings: Settings) -> tuple[Encoder, ...]:
    """Load them, one or two, in the order of the settings. Takes seconds, on no event loop.

    Raises:
        EncoderError: One cannot be loaded. An endpoint that is down can: it is not asked here.
        ConfigurationError: Both are the same.
    """
    encoders = tuple(_make(spec) for spec in settings.encoder)
    if len({encoder.key for encoder in encoders}) < len(encoders):
        raise ConfigurationError(f"encoder: both are the same: {encoders[0].key}")
    return tuple(_named_apart(encoders))


def close_all(encoders: Iterable[Encoder]) -> None:
    """Let go of what encoders hold: an endpoint's connections."""
    for encoder in encoders:
        close = getattr(encoder, "close", None)
        if close is not None:
            close()


def _named_apart(encoders: Iterable[Encoder]) -> Iterable[Encoder]:
    """Number names that are taken: by another encoder, or by a way of finding that is none."""
    taken = set(_RESERVED)
    for encoder in encoders:
        name, number = encoder.name, 1
        while name in taken:
            number += 1
            name = f"{encoder.name}-{number}"
        taken.add(name)
        yield encoder if name == encoder.name else Renamed(encoder, name)


def _make(spec: EncoderSpec) -> Encoder:
    """Load one; each imports what it needs only when it is wanted."""
    match spec:
        case EmbeddedSpec():
            from router.embed.use import EmbeddedEncoder  # noqa: PLC0415

            return EmbeddedEncoder()
        case TransformerSpec():
            from router.embed.transformer import TransformerEncoder  # noqa: PLC0415

            return TransformerEncoder(
                spec.model,
                dimension=spec.dimension,
                query_prompt=spec.query_prompt,
                document_prompt=spec.document_prompt,
            )
        case OnnxSpec():
            from router.embed.onnx import OnnxEncoder  # noqa: PLC0415

            return OnnxEncoder(spec.path, spec.precision)
        case EndpointSpec():
            from app.encoders.endpoint import EndpointEncoder  # noqa: PLC0415

            return EndpointEncoder(spec)
