"""What must never be read in a log: the configured secrets, what looks like one, and the texts of unknown errors.

Nothing of a request is logged in the first place. This stands behind that: always on, at every level.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from traceback import walk_tb
from urllib.parse import quote, urlsplit

from structlog.typing import EventDict, WrappedLogger

from app.telemetry import credentials

STARS = "***"

_SHORTEST = 6  # a shorter secret would blot out half of every line
_PRIVATE = frozenset(
    {"authorization", "proxy_authorization", "api_key", "x_api_key", "cookie", "set_cookie", "password", "secret"}
    | {"token", "headers", "body", "messages", "arguments", "query"}
)
_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"), rf"\1 {STARS}"),
    (
        re.compile(r"(?i)(?:(?<=key)|(?<=token)|(?<=secret)|(?<=password)|(?<=signature)|(?<=sig))=[^&\s\"'#]+"),
        f"={STARS}",
    ),
    (re.compile(r"(?<=://)[^\s/@\"']+@"), f"{STARS}@"),
    (re.compile(r"(?i)(https?://[^\s?#\"']{1,2048})\?[^\s\"']+"), rf"\1?{STARS}"),
)
# Each pattern needs one of these, whatever its case: a line without any need not be looked at more closely.
_SIGN = credentials.any_of(("bearer", "basic", "=", "://", *credentials.SIGNS))
_LONGEST = 16_384  # characters of a text: patterns take long for longer ones
_PLAIN_PART = re.compile(r"[a-z-]{0,20}|v[0-9]{1,2}(?:(?:alpha|beta)[0-9]{0,2})?")  # such as compatible-mode and v1
_PLAIN = (int, float, bool, type(None))
_ROOT = Path(__file__).parents[2]
_DEEPEST = 5


def looks_secret(text: str) -> bool:
    """Tell whether a word has the form of a credential."""
    return credentials.hides_key(text) or (_has_sign(text) and any(pattern.search(text) for pattern, _ in _PATTERNS))


def place(url: str) -> str:
    """Return scheme, host, port and path of a URL, '' of none. What is no plain word or version in it may be secret."""
    if not url:
        return ""
    parts = urlsplit(url)
    path = "/".join(part if _PLAIN_PART.fullmatch(part) else "…" for part in parts.path.split("/"))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


class Redaction:
    """Masks lines. Knows the configured secrets, also as they look in a URL, in hexadecimal or in base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(known, key=len, reverse=True)  # one may be a part of another

    def text(self, text: str) -> str:
        """Give a text without secrets."""
        for form in self._forms:
            text = text.replace(form, STARS)
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}…"
        text = credentials.masked(text, STARS)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        """Mask a line, as a processor of structlog."""
        if self._is_harmless(line):
            return line
        return {name: value if name.startswith("_") else self._named(name, value) for name, value in line.items()}

    def _is_harmless(self, line: EventDict) -> bool:
        """Tell whether masking would change nothing; of one line in a thousand or so it would."""
        names = "\n".join(line)
        if names != names.lower() or "-" in names or not _PRIVATE.isdisjoint(line):
            return False
        texts = [value for value in line.values() if type(value) not in _PLAIN]
        if not all(isinstance(value, str) for value in texts):
            return False
        text = "\n".join(texts)
        return not (_has_sign(text) or any(form in text for form in self._forms))

    def _named(self, name: object, value: object) -> object:
        return STARS if _is_private(name) else self._value(value)

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self._named(name, inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner) for inner in value]
        return value if value is None or isinstance(value, bool | int | float) else self.text(str(value))


def _is_private(name: object) -> bool:
    return str(name).lower().replace("-", "_") in _PRIVATE


def _has_sign(text: str) -> bool:
    return _SIGN.search(text.lower()) is not None


def explain_error(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Write an error as its kinds and places, as a processor of structlog: its text may quote what it failed on."""
    info = line.pop("exc_info", None)
    if isinstance(info, tuple):
        info = info[1]
    elif info and not isinstance(info, BaseException):
        info = sys.exc_info()[1]
    if isinstance(info, BaseException):
        line["exception"] = "\n".join(_told(info))
    return line


def _told(error: BaseException) -> Iterator[str]:
    """Say kind by kind where errors came from, the first cause last."""
    current: BaseException | None = error
    for _ in range(_DEEPEST):
        if current is None:
            return
        number = f" {os.strerror(current.errno)}" if isinstance(current, OSError) and current.errno else ""
        yield f"{type(current).__module__}.{type(current).__qualname__}{number}"
        for frame, number_of_line in walk_tb(current.__traceback__):
            yield f"  {_shown(frame.f_code.co_filename)}:{number_of_line} {frame.f_code.co_name}"
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _shown(path: str) -> str:
    place = Path(path)
    return str(place.relative_to(_ROOT)) if place.is_relative_to(_ROOT) else str(Path(*place.parts[-3:]))


def _forms(secret: str) -> set[str]:
    """Return a secret as it may be written: as it is, in a URL, in hexadecimal, in base64 (whole groups of it)."""
    data, quoted = secret.encode(), quote(secret, safe="")
    coded = {base64.b64encode(b" " * skip + data)[(skip * 4 + 2) // 3 :] for skip in range(3)}
    in_base64 = {text.rstrip(b"=")[:-1].decode() for text in coded}
    in_urls = {text.replace("+", "-").replace("/", "_") for text in in_base64}
    return {secret, quoted, quoted.lower(), data.hex(), data.hex().upper(), *in_base64, *in_urls}
