"""How a key looks, and what is kept of it.

`tfk_`, an id of 12 letters and digits, `_`, 43 of them that are the secret (256 bits), and 8 hexadecimal digits of
CRC-32 over all that: a scanner of repositories can tell a key from noise, and a mistyped one from an unknown one. Kept
is HMAC-SHA-256 of the whole key under the server's pepper: who reads the database has no key, and nothing to try keys
against.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_letters
_SHAPE = re.compile(rb"tfk_([0-9A-Za-z]{12})_[0-9A-Za-z]{43}[0-9a-f]{8}")


def make() -> tuple[str, str]:
    """Draw a new key; give its id and the key."""
    key_id, secret = _drawn(12), _drawn(43)
    begun = f"tfk_{key_id}_{secret}"
    return key_id, begun + _checksum(begun.encode())


def id_of(shown: bytes) -> str:
    """Give the id in a key, '' of what has not its form."""
    found = _SHAPE.fullmatch(shown)
    return found[1].decode() if found else ""


def is_mistyped(shown: bytes) -> bool:
    """Tell whether this was a key before it was cut or changed."""
    return shown.startswith(b"tfk_") and not (id_of(shown) and _checksum(shown[:-8]) == shown[-8:].decode())


def digest(key: bytes, pepper: bytes) -> str:
    """Give what is kept of a key."""
    return hmac.digest(pepper, key, "sha256").hex()


def _drawn(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(begun: bytes) -> str:
    return f"{zlib.crc32(begun):08x}"
