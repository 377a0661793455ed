"""Everything that can go wrong on purpose, and the one table from error to answer.

GatewayError
├── BadRequest              the request cannot be read as what it claims to be
├── Unauthorized            no credential, or one that is not known
├── ForeignHost             a Host header that names another machine
├── ForeignOrigin           a page of another origin sent it
├── NotFound                no such tool, no such path
├── RateLimited             more requests than a key may make
├── Conflict                the change contradicts what is there
├── BodyTooLarge            more bytes than are accepted
├── HeadersTooLarge         more, or larger, headers than are accepted
├── RequestTimeout          the request did not come in time
├── TooManyConnections      more clients than can be served at once
├── InvalidRecords          entries of a catalogue that cannot be taken, each with its reason
├── SourceRefused           where tools are to be imported from cannot be read
├── Overloaded              more requests at once than the gateway takes
├── Stopping                the gateway ends before this request was answered
├── RefusedConfiguration    a new configuration that cannot be used; the old one stays
├── UpstreamError           the provider
│   ├── UpstreamNotConfigured
│   ├── UpstreamUnreachable
│   ├── UpstreamInvalid     an answer that cannot be passed on
│   ├── UpstreamBusy        every connection to it is in use
│   └── UpstreamTimeout
├── RegistryError           the tools' home
│   ├── RegistryBusy        another process is writing
│   ├── RegistryFull        no room on the disk
│   ├── RegistryAway        the database cannot be reached now
│   └── RegistryUnusable    not a registry, damaged, or written by a newer version
└── ConfigurationError      settings that cannot be used; never leaves the process as an answer

The status and the form of every answer follow from `ANSWERS`; a test holds the table complete.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


class GatewayError(Exception):
    """Base of all. Its text is shown to callers: it says what to do, and never holds a secret.

    `headers` are those of its answer, besides the table's.
    """

    headers: Sequence[tuple[bytes, bytes]] = ()


class BadRequest(GatewayError):
    """The request cannot be read as what it claims to be."""


class Unauthorized(GatewayError):
    """No credential, or one that is not known."""


class ForeignHost(GatewayError):
    """A Host header that names another machine: a page whose own name was pointed here."""


class ForeignOrigin(GatewayError):
    """A page of another origin sent the request."""


class RateLimited(GatewayError):
    """More requests than a key may make."""

    def __init__(self, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.headers = headers


class NotFound(GatewayError):
    """There is no such thing."""


class Conflict(GatewayError):
    """The change contradicts what is there."""


class BodyTooLarge(GatewayError):
    """More bytes than are accepted."""


class HeadersTooLarge(GatewayError):
    """More, or larger, headers than are accepted."""


class RequestTimeout(GatewayError):
    """The request did not come in time."""


class TooManyConnections(GatewayError):
    """More clients than can be served at once."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry that cannot be taken: its place in the input (from 0), its name where it has one, and why."""

    index: int
    name: str
    reason: str


class InvalidRecords(GatewayError):
    """Entries that cannot be taken. Nothing of the input was taken."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"Nothing was imported: entry {first.index} ({first.name or 'no name'}): {first.reason}{more}")
        self.problems = tuple(problems)


class SourceRefused(GatewayError):
    """Where tools are to be imported from cannot be read, or says more than it may. Nothing was changed."""


class Overloaded(GatewayError):
    """More requests at once than the gateway takes."""


class Stopping(GatewayError):
    """The gateway ends before this request was answered."""


class RefusedConfiguration(GatewayError):
    """A new configuration that cannot be used; the old one stays."""


class UpstreamError(GatewayError):
    """The provider did not answer."""


class UpstreamNotConfigured(UpstreamError):
    """No provider is configured."""


class UpstreamUnreachable(UpstreamError):
    """No connection, or one that broke before the answer began."""


class UpstreamInvalid(UpstreamError):
    """The provider's answer cannot be passed on: it is no HTTP, or nothing that one hop may pass to the next."""


class UpstreamBusy(UpstreamError):
    """Every connection to the provider is in use."""


class UpstreamTimeout(UpstreamError):
    """The provider took longer than is allowed."""


class RegistryError(GatewayError):
    """The tools' home failed."""


class RegistryBusy(RegistryError):
    """Another process is writing."""


class RegistryFull(RegistryError):
    """No room on the disk."""


class RegistryAway(RegistryError):
    """The database cannot be reached now."""


class RegistryUnusable(RegistryError):
    """Not a registry, damaged, or written by a newer version."""


class ConfigurationError(GatewayError):
    """Settings that cannot be used. Its text is printed; the process ends."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an error becomes on the wire. `retry`: what `x-should-retry` says, None for nothing."""

    status: int
    type: str
    code: str
    retry: bool | None = None


ANSWERS: dict[type[GatewayError], Answer] = {
    GatewayError: Answer(500, "api_error", "internal_error"),
    BadRequest: Answer(400, "invalid_request_error", "invalid_request"),
    Unauthorized: Answer(401, "authentication_error", "invalid_api_key"),
    ForeignHost: Answer(403, "invalid_request_error", "host_not_allowed", retry=False),
    ForeignOrigin: Answer(403, "invalid_request_error", "origin_not_allowed", retry=False),
    RateLimited: Answer(429, "requests", "rate_limit_exceeded"),
    NotFound: Answer(404, "invalid_request_error", "not_found"),
    Conflict: Answer(409, "invalid_request_error", "conflict", retry=False),
    BodyTooLarge: Answer(413, "invalid_request_error", "request_too_large"),
    HeadersTooLarge: Answer(431, "invalid_request_error", "headers_too_large"),
    RequestTimeout: Answer(408, "invalid_request_error", "request_timeout"),
    TooManyConnections: Answer(503, "api_error", "too_many_connections"),
    InvalidRecords: Answer(422, "invalid_request_error", "invalid_records"),
    SourceRefused: Answer(422, "invalid_request_error", "source_refused", retry=False),
    Overloaded: Answer(503, "api_error", "overloaded"),
    Stopping: Answer(503, "api_error", "shutting_down"),
    RefusedConfiguration: Answer(400, "invalid_request_error", "invalid_configuration", retry=False),
    UpstreamError: Answer(502, "api_error", "upstream_error"),
    UpstreamNotConfigured: Answer(503, "api_error", "upstream_not_configured", retry=False),
    UpstreamUnreachable: Answer(502, "api_error", "upstream_unreachable"),
    UpstreamInvalid: Answer(502, "api_error", "upstream_invalid_answer"),
    UpstreamBusy: Answer(503, "api_error", "upstream_busy"),
    UpstreamTimeout: Answer(504, "api_error", "upstream_timeout"),
    RegistryError: Answer(500, "api_error", "registry_error"),
    RegistryBusy: Answer(503, "api_error", "registry_busy"),
    RegistryFull: Answer(507, "api_error", "registry_full", retry=False),
    RegistryAway: Answer(503, "api_error", "registry_away"),
    RegistryUnusable: Answer(503, "api_error", "registry_unusable", retry=False),
    ConfigurationError: Answer(500, "api_error", "configuration_error", retry=False),
}


# Worth another try after a second.
_PASSING = frozenset(
    {"registry_busy", "registry_away", "too_many_connections", "upstream_busy", "overloaded", "shutting_down"}
)


def answer_for(error: GatewayError) -> Answer:
    """Look an error up in the table; a subclass without an entry answers as its parent."""
    return next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)


def openai_body(message: str, answer: Answer, **extra: object) -> bytes:
    """Write an error in the form of OpenAI's API."""
    error = {"message": message, "type": answer.type, "param": None, "code": answer.code, **extra}
    return json.dumps({"error": error}, ensure_ascii=False).encode()


def headers_for(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Give the headers that tell a client whether to try again."""
    headers = [(b"content-type", b"application/json")]
    if answer.retry is not None:
        headers.append((b"x-should-retry", b"true" if answer.retry else b"false"))
    if answer.code in _PASSING:
        headers.append((b"retry-after", b"1"))
    return headers
