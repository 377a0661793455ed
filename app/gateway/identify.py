"""Headers -> Caller. Happens before the body is read: strangers' bodies never are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from app import options
from app.callers import form
from app.callers.ring import Holder, Keyring
from app.credentials import Headers, bearer, matches
from app.errors import Unauthorized
from app.routing import Options
from app.settings import CallerSettings, Credentials, Settings


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for what.

    `owner` is a digest of the credential: it separates callers and gives nothing away. `key` is the id of the key
    shown, '' where none is asked for; `limits` are those of the key.
    """

    owner: str
    options: Options
    key: str = ""
    limits: tuple[str, ...] = ()


def identify(headers: Headers, settings: Settings, keyring: Keyring) -> Caller:
    """Find out who asks.

    Raises:
        Unauthorized: In managed mode, the key shown opens nothing. Or it is one of this gateway's own, which would go
            to the provider.
        BadRequest: An `x-toolfunnel-…` header cannot be read.
    """
    credential = b"\0".join(value for name, value in headers if name in (b"authorization", b"api-key", b"x-api-key"))
    holder = None
    if settings.upstream.credentials is Credentials.MANAGED and settings.callers.are_asked_for:
        holder = _holder(bearer(headers), settings.callers, keyring)
    elif keyring.made(bearer(headers)):
        raise Unauthorized(
            "This is a key of this gateway, which is not configured to ask for its keys now. It was not passed on."
        )
    owner, asked = hashlib.blake2b(credential, digest_size=16).hexdigest(), options.read(headers)
    if holder is None:
        return Caller(owner, asked)
    limits = holder.limits or settings.limits.default
    return Caller(owner, replace(asked, grants=holder.grants, of_key=holder.source), holder.id, limits)


def is_own_header(name: bytes) -> bool:
    """Tell whether a header is meant for the gateway and not for the provider."""
    return name.startswith(options.PREFIX)


def _holder(shown: bytes, callers: CallerSettings, keyring: Keyring) -> Holder:
    if callers.pepper is not None:
        holder = keyring.open(shown, callers.pepper.get_secret_value().encode())
        if holder is not None:
            return holder
    known = [matches(shown, key.get_secret_value().encode()) for key in callers.keys]
    if any(known):
        return Holder(f"callers.keys[{known.index(True)}]")
    if form.is_mistyped(shown):
        raise Unauthorized("Incorrect API key provided: it is incomplete or mistyped.")
    raise Unauthorized("Incorrect API key provided. Use a key that this gateway's operator gave you.")
