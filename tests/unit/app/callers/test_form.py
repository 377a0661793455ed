"""How a key looks, and what is kept of it."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest

from app.callers import form
from app.telemetry.redact import Redaction

PEPPER = b"pepper"


def test_a_key_has_its_id_in_it() -> None:
    """Prefix, id, 256 bits of letters and digits, checksum; all of it one word."""
    key_id, key = form.make()
    assert re.fullmatch(rf"tfk_{key_id}_[0-9A-Za-z]{{43}}[0-9a-f]{{8}}", key)
    assert form.id_of(key.encode()) == key_id


def test_no_two_keys_are_alike() -> None:
    """Every one is drawn."""
    made = [form.make() for _ in range(1_000)]
    assert len({key_id for key_id, _ in made}) == len({key[17:] for _, key in made}) == 1_000


def test_what_is_kept_is_an_hmac_under_the_pepper() -> None:
    """HMAC-SHA-256 of the whole key, as hexadecimal digits."""
    assert form.digest(b"a key", PEPPER) == hmac.new(PEPPER, b"a key", hashlib.sha256).hexdigest()


@pytest.mark.parametrize("shown", [b"", b"tfk_", b"sk-123", b"tfk_abc_def", b"\xff" * 68])
def test_what_is_no_key_has_no_id(shown: bytes) -> None:
    """Another form is nobody's."""
    assert form.id_of(shown) == ""


def test_a_mistyped_key_is_told_from_an_unknown_one() -> None:
    """By its checksum; what never was a key is not mistyped."""
    key = form.make()[1].encode()
    assert [form.is_mistyped(shown) for shown in (key, key[:-1], key[:-1] + b"x", b"sk-1")] == [
        False,
        True,
        True,
        False,
    ]


def test_keys_are_masked_in_lines() -> None:
    """A key that finds its way into a text of the log does not stay there, nor does a part of one."""
    key = form.make()[1]
    assert Redaction().text(f"got {key}, or {key[:30]}") == "got ***, or ***"
