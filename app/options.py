"""What a caller's `x-toolfunnel-…` headers ask for; the gateway and the explanation of the admin API read alike."""

from __future__ import annotations

from app.credentials import Headers
from app.digits import whole
from app.errors import BadRequest
from app.routing import Options

PREFIX = b"x-toolfunnel-"
_NONE = Options()
_MOST = 999_999


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
    tags = values.get(b"x-toolfunnel-tags", "").split(",")
    return Options(
        off=mode == "off",
        k=_positive(values.get(b"x-toolfunnel-k")),
        tags=frozenset(tag.strip() for tag in tags if tag.strip()),
    )


def _text(value: bytes) -> str:
    """Clients write tags that are not ASCII as UTF-8; HTTP's own reading is Latin-1."""
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _positive(value: str | None) -> int | None:
    if value is None:
        return None
    number = whole(value, _MOST)
    if not number:
        raise BadRequest(f"x-toolfunnel-k is a whole number from 1 to {_MOST:,}")
    return number
