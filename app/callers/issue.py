"""What an operator asks for -> a new key. The admin API and the command line issue alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.callers import form
from app.callers.rate import parsed
from app.errors import BadRequest, Conflict
from app.registry.keys import Key
from app.settings import Settings, SourcePolicy
from router.types import Risk

_LONGEST = 200
_MOST = 1_000
_LAST_YEAR = 9_000  # beyond 9999 there are no times in UTC


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A key as it is asked for; see `registry.keys.Key`."""

    name: str
    tenants: list[str] = []
    sources: list[str] = []
    tags: list[str] = []
    risks: list[Risk] = []
    limits: list[str] = []
    tools_source: SourcePolicy | None = None
    expires_at: datetime | None = None


_WANTED = msgspec.json.Decoder(Wanted)


def read(body: bytes) -> Wanted:
    """Read what is asked for.

    Raises:
        BadRequest: It cannot be read.
    """
    try:
        return _WANTED.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"This key is not valid: {error}") from error


def issue(wanted: Wanted, settings: Settings) -> tuple[Key, str]:
    """Make a new key; give what is kept of it, and the key itself, which is nowhere else.

    Raises:
        BadRequest: What is asked for cannot be granted.
        Conflict: There is no pepper.
    """
    pepper = settings.callers.pepper
    if pepper is None:
        raise Conflict("Keys need callers.pepper. `openssl rand -hex 32` makes one; it is kept out of the database.")
    _check(wanted)
    key_id, secret = form.make()
    key = Key(
        id=key_id,
        name=wanted.name.strip(),
        created_at=datetime.now(UTC).replace(microsecond=0),
        tenants=_words(wanted.tenants, "tenants"),
        sources=_words(wanted.sources, "sources"),
        tags=_words(wanted.tags, "tags"),
        risks=tuple(dict.fromkeys(risk.value for risk in wanted.risks)),
        limits=tuple(dict.fromkeys(limit.strip() for limit in wanted.limits)),
        tools_source=wanted.tools_source or "",
        expires_at=wanted.expires_at and wanted.expires_at.astimezone(UTC),
        digest=form.digest(secret.encode(), pepper.get_secret_value().encode()),
    )
    return key, secret


def as_record(key: Key) -> dict[str, Any]:
    """Give a key as people are shown it; what is kept of its secret is not among it."""
    fields = {name: getattr(key, name) for name in Key.__slots__ if name != "digest"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()} | {
        "tools_source": key.source,
        "state": key.state(datetime.now(UTC)),
    }


def _check(wanted: Wanted) -> None:
    if not (wanted.name.strip() and wanted.name.isprintable() and len(wanted.name) <= _LONGEST):
        raise BadRequest(f"name is a text of 1 to {_LONGEST} characters that says whose key it is.")
    if Risk.DANGEROUS in wanted.risks:
        raise BadRequest("risks holds read and write; dangerous tools are never offered.")
    if wanted.expires_at is not None and wanted.expires_at.tzinfo is None:
        raise BadRequest("expires_at needs a zone, for example 2027-01-31T00:00:00Z.")
    if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
        raise BadRequest("expires_at has passed already.")
    if wanted.expires_at is not None and wanted.expires_at.year > _LAST_YEAR:
        raise BadRequest("expires_at is too far away; null is never.")
    for limit in wanted.limits:
        try:
            parsed(limit.strip())
        except ValueError:
            raise BadRequest(f"limits: {limit[:80]!r} is none; write for example 60/minute or 5000/day.") from None


def _words(words: Sequence[str], field: str) -> tuple[str, ...]:
    if not all(word and word.isprintable() and len(word) <= _MOST for word in words) or len(words) > _MOST:
        raise BadRequest(f"{field} holds at most {_MOST} names, none of them empty.")
    return tuple(dict.fromkeys(words))
