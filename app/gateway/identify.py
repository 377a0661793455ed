"""Headers -> Caller. Happens before the body is read: strangers' bodies never are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from app import options
from app.credentials import Headers, bearer, matches
from app.errors import Unauthorized
from app.routing import Options
from app.settings import Credentials, Settings


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for what.

    `owner` is a digest of the credential: it separates callers and gives nothing away.
    """

    owner: str
    options: Options


def identify(headers: Headers, settings: Settings) -> Caller:
    """Find out who asks.

    Raises:
        Unauthorized: In managed mode, the key shown is not one of `callers.keys`.
        BadRequest: An `x-toolfunnel-…` header cannot be read.
    """
    credential = b"\0".join(value for name, value in headers if name in (b"authorization", b"api-key", b"x-api-key"))
    if settings.upstream.credentials is Credentials.MANAGED and settings.callers.keys:
        _check(headers, settings)
    return Caller(hashlib.blake2b(credential, digest_size=16).hexdigest(), options.read(headers))


def is_own_header(name: bytes) -> bool:
    """Tell whether a header is meant for the gateway and not for the provider."""
    return name.startswith(options.PREFIX)


def _check(headers: Headers, settings: Settings) -> None:
    shown = bearer(headers)
    known = [matches(shown, key.get_secret_value().encode()) for key in settings.callers.keys]
    if not any(known):
        raise Unauthorized("Incorrect API key provided. Use a key that this gateway's operator gave you.")
