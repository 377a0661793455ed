"""The keys that open the gateway now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.callers import form
from app.callers.ring import Keyring
from app.registry.keys import Key
from router.types import Grants, Risk

PEPPER = b"pepper"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Tells the time that a test says."""

    def __init__(self) -> None:
        self.at = NOW.timestamp()

    def __call__(self) -> float:
        """Tell it."""
        return self.at


def made(**fields: object) -> tuple[Key, bytes]:
    """Make a key and what is kept of it."""
    key_id, secret = form.make()
    kept = Key(key_id, "a test", NOW, digest=form.digest(secret.encode(), PEPPER))
    return replace(kept, **fields), secret.encode()  # type: ignore[arg-type]


def test_ring_opens_to_its_keys_alone() -> None:
    """A known key gives its holder; unknown, cut and changed ones, and another pepper, nothing."""
    ring, (key, secret) = Keyring(), made(limits=("1/hour",))
    ring.hold([key])
    holder = ring.open(secret, PEPPER)
    assert holder is not None
    assert (holder.id, holder.limits) == (key.id, ("1/hour",))
    tried = [
        (made()[1], PEPPER),
        (secret[:-1], PEPPER),
        (secret, b"salt"),
        (b"", PEPPER),
        (key.digest.encode(), PEPPER),
    ]
    assert [ring.open(*one) for one in tried] == [None] * 5


def test_ring_forgets_what_it_is_no_longer_given() -> None:
    """Revoked and missing keys open nothing."""
    ring, (key, secret) = Keyring(), made()
    ring.hold([key])
    ring.hold([replace(key, revoked_at=NOW)])
    assert (ring.open(secret, PEPPER), ring.holder_of(key.id)) == (None, None)


def test_a_key_opens_until_it_expires() -> None:
    """From that moment on it does not."""
    clock = Clock()
    ring, (key, secret) = Keyring(clock), made(expires_at=datetime(2026, 1, 2, tzinfo=UTC))
    ring.hold([key])
    assert ring.open(secret, PEPPER)
    clock.at += 86_400
    assert ring.open(secret, PEPPER) is None


def test_ring_notes_who_opened() -> None:
    """By id, and when they did last; those who were refused are not among them."""
    clock = Clock()
    ring, (key, secret), (other, _) = Keyring(clock), made(), made()
    ring.hold([key, other])
    ring.open(secret, PEPPER)
    clock.at += 5
    ring.open(secret, PEPPER)
    ring.open(secret[:-1], PEPPER)
    assert ring.used == {key.id: clock.at}


@pytest.mark.parametrize(
    ("fields", "grants"),
    [
        ({}, Grants(frozenset(Risk))),
        ({"risks": ("read",)}, Grants()),
        (
            {"tenants": ("a",), "sources": ("b",), "tags": ("c",)},
            Grants(frozenset(Risk), frozenset("c"), frozenset("b"), frozenset("a")),
        ),
    ],
)
def test_a_key_grants_what_it_names(fields: dict[str, object], grants: Grants) -> None:
    """Without risks all that the configuration allows; tenants only where they are named."""
    ring, (key, _) = Keyring(), made(**fields)
    ring.hold([key])
    holder = ring.holder_of(key.id)
    assert holder is not None
    assert holder.grants == grants
