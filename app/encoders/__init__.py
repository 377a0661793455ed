"""The encoders that the settings name."""

from __future__ import annotations

from app.errors import ConfigurationError
from app.settings import Settings
from app.settings.encoders import EmbeddedSpec, EncoderSpec, EndpointSpec, OnnxSpec, TransformerSpec
from router.types import Encoder


def make_encoders(settings: Settings) -> tuple[Encoder, ...]:
    """Load them, one or two, in the order of the settings. Takes seconds, on no event loop.

    Raises:
        EncoderError: One cannot be loaded. An endpoint that is down can: it is not asked here.
        ConfigurationError: Both are the same.
    """
    encoders = tuple(_make(spec) for spec in settings.encoder)
    if len({encoder.key for encoder in encoders}) < len(encoders):
        raise ConfigurationError(f"encoder: both are the same: {encoders[0].key}")
    return encoders


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
