"""Keys in headers: how one is shown, and how it is compared."""

from __future__ import annotations

import hashlib
import hmac

Headers = list[tuple[bytes, bytes]]


def bearer(headers: Headers) -> bytes:
    """Give the token of `authorization: Bearer …`, empty where there is none."""
    shown = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, token = shown.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def matches(shown: bytes, expected: bytes) -> bool:
    """Compare keys in a time that says nothing about where they differ, or how long they are."""
    return hmac.compare_digest(hashlib.sha256(shown).digest(), hashlib.sha256(expected).digest())
