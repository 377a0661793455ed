"""`upstream`: the provider, and how long it is waited for."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from app.settings.secret import Secret
from app.settings.section import Section, check_base_url


class Credentials(StrEnum):
    """Whose key the provider sees: the caller's own, or the one of this server."""

    PASSTHROUGH = "passthrough"
    MANAGED = "managed"


class Refusal(StrEnum):
    """What a provider does not take of a tool's parameters, though it is valid JSON Schema."""

    TOP_LEVEL_COMBINATORS = "top_level_combinators"
    REFERENCES = "references"
    FORMATS = "formats"


def doubt_about_provider(upstream: UpstreamSettings) -> str:
    """Return what is probably not meant about the provider; '' where nothing is."""
    if not upstream.base_url:
        return "No provider is set: upstream.base_url is empty, and requests to models are answered 503."
    if not urlsplit(upstream.base_url).path.strip("/"):
        return "upstream.base_url has no path; that of most providers ends in /v1."
    return ""


class UpstreamSettings(Section):
    """`upstream`: the provider."""

    base_url: str = Field(
        "",
        description="The provider's OpenAI-compatible base URL, usually ending in /v1. "
        "What follows /v1 in a request is appended to it.",
    )
    api_key: Secret | None = Field(None, description="The provider's key, used in managed mode.")
    credentials: Credentials = Field(
        Credentials.PASSTHROUGH,
        description="passthrough: the caller's own key is forwarded. managed: callers show a key of this gateway and "
        "the provider sees upstream.api_key.",
    )
    connect_timeout_s: float = Field(
        5.0, gt=0, description="Seconds to open a connection to the provider: name, TCP and TLS."
    )
    first_byte_timeout_s: float | None = Field(
        600.0,
        gt=0,
        description="Seconds from a request to the headers of its answer; then it is answered 504. "
        "null waits for the caller.",
    )
    idle_timeout_s: float | None = Field(
        600.0,
        gt=0,
        description="Seconds without a byte of an answer that has begun; then it is broken off. "
        "null waits for the caller.",
    )
    vanished_timeout_s: float = Field(
        30.0,
        ge=2,
        le=3600,
        description="Seconds after which a connection is given up whose other side acknowledges nothing any more, not "
        "even a probe: its machine or the network is gone. A provider that is silent but there is not affected.",
    )
    max_connections: int = Field(
        1000, ge=1, description="Connections to the provider that may be in use at once, in each worker."
    )
    pool_timeout_s: float = Field(
        1.0, ge=0, description="Seconds that a request waits for one of them before it is answered 503."
    )
    max_header_bytes: int = Field(
        256 * 2**10, ge=8192, description="Largest headers of an answer; one with larger ones is answered 502."
    )

    refuses: tuple[Refusal, ...] = Field(
        (),
        description="What the provider does not take of tools' parameters: top_level_combinators (anyOf, oneOf, allOf, "
        "enum, not), references ($ref), formats. Tools of the catalogue are sent without it; what is stored, and the "
        "client's own tools, stay as they are.",
    )

    @model_validator(mode="after")
    def _check(self) -> UpstreamSettings:
        if self.base_url:
            check_base_url(self.base_url)
        if self.credentials is Credentials.MANAGED and self.base_url and self.api_key is None:
            raise ValueError("credentials: managed needs upstream.api_key, the key that the provider is shown")
        return self
