"""What a caller's `x-toolfunnel-…` headers ask for; the gateway and the explanation of the admin API read alike."""

from __future__ import annotations

from app.credentials import Headers
from app.digits import whole
from app.errors import BadRequest
from app.routing import Options
from app.settings import SourcePolicy

PREFIX = b"x-toolfunnel-"
_NONE = Options()
_MOST = 999_999
_MOST_KEPT = 128  # names of tools to keep


def read(headers: Headers) -> Options:
    """Read the options; a header that stands there twice counts with its last value.

    Raises:
        BadRequest: One of them cannot be read.
    """
    values = {name: _text(value) for name, value in headers if name.startswith(PREFIX)}
    if not values:
        return _NONE
    mode = values.get(b"x-toolfunnel-tools", "auto").lower()
    if mode not in ("auto", "off"):
        raise BadRequest("x-toolfunnel-tools is 'auto' or 'off'")
    keep = _words(values.get(b"x-toolfunnel-keep"))
    if len(keep) > _MOST_KEPT:
        raise BadRequest(f"x-toolfunnel-keep names {_MOST_KEPT} tools at most")
    return Options(
        off=mode == "off",
        k=_positive(values.get(b"x-toolfunnel-k")),
        tags=frozenset(_words(values.get(b"x-toolfunnel-tags"))),
        source=_source(values.get(b"x-toolfunnel-source")),
        keep=keep,
    )


def _text(value: bytes) -> str:
    """Clients write tags that are not ASCII as UTF-8; HTTP's own reading is Latin-1."""
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _words(value: str | None) -> tuple[str, ...]:
    words = (word.strip() for word in (value or "").split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def _source(value: str | None) -> SourcePolicy | None:
    if value is None:
        return None
    try:
        return SourcePolicy(value.lower())
    except ValueError:
        raise BadRequest(f"x-toolfunnel-source is one of {', '.join(SourcePolicy)}") from None


def _positive(value: str | None) -> int | None:
    if value is None:
        return None
    number = whole(value, _MOST)
    if not number:
        raise BadRequest(f"x-toolfunnel-k is a whole number from 1 to {_MOST:,}")
    return number
