"""How credentials look, whosever they are and however they are written: plain, in a URL, in base64, in hexadecimal."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

# This gateway's own wherever they stand; those of providers and other services at the beginning of a word.
_KEY = re.compile(
    r"tfk[-_][a-z0-9_\-.]{4,}"
    r"|(?<![a-z0-9])(?:(?:sk|pk|rk)[-_][a-z0-9_\-.]{4,}"
    r"|(?:gsk|csk|xai|hf|nvapi|pplx|glpat|github_pat|gh[opsu]|xox[abp])[-_][a-z0-9_\-]{16,}|AIza[a-z0-9_\-]{20,}|eyJ[a-z0-9_\-]{8,}\.[a-z0-9_\-.]{8,})",
    re.IGNORECASE,
)
# Our own without its first word: an id, and a secret with its check.
_HEADLESS = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{12}_[0-9A-Za-z]{43}[0-9a-f]{8}(?![0-9A-Za-z])")
_BEGINNINGS = ("tfk_", "sk-")
_WORD = re.compile(r"[A-Za-z0-9+/_=%.~\-]{8,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){4,}")
_ID_OF_DIGITS = re.compile(r"[0-9A-Fa-f-]*")  # such as a UUID
_ROUNDS = 3  # of URL-encoding


def any_of(signs: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of some words at once, grouped by their first characters: twice as fast as one by one."""
    rests: dict[str, list[str]] = {}
    for sign in signs:
        rests.setdefault(sign[0], []).append(re.escape(sign[1:]))
    return re.compile("|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in rests.items()))


def masked(text: str, stars: str) -> str:
    """Return a text in which what has the form of a key is covered."""
    text = _HEADLESS.sub(stars, _KEY.sub(stars, text))
    if any(sign in text.lower() for sign in _CODED_SIGNS):
        text = _WORD.sub(lambda word: stars if hides_key(word[0]) else word[0], text)
    return text


def hides_key(word: str) -> bool:
    """Return whether a word is a key, holds one, or does once it is decoded."""
    if _ID_OF_DIGITS.fullmatch(word) and not any(sign in word.lower() for sign in _HEX_SIGNS):
        return False
    if _HEADLESS.search(word):
        return True
    if not _SIGN.search(word.lower()):
        return False
    if _KEY.search(word):
        return True
    return any(_KEY.search(form) for form in _decoded(word) if any(sign in form for sign in _BEGINNINGS))


def _decoded(word: str) -> Iterator[str]:
    """Give what a word may stand for."""
    plain = word
    for _ in range(_ROUNDS):
        if "%" not in plain:
            break
        plain = unquote(plain, "latin-1")
        yield plain
    for run in _BASE64.findall(plain.replace("-", "+").replace("_", "/")):
        for start in range(4):
            whole = (len(run) - start) // 4 * 4
            yield base64.b64decode(run[start : start + whole]).decode("latin-1")
    for digits in _HEX.findall(plain):
        for start in (0, 1):
            yield bytes.fromhex(digits[start : len(digits) - start]).decode("latin-1")


def _coded(beginning: bytes) -> Iterator[str]:
    """Give how the beginning of a key is written in base64, as far as that does not depend on its neighbours."""
    for skip in range(3):
        first, end = -(-skip * 4 // 3), (skip + len(beginning)) * 4 // 3
        yield base64.b64encode(bytes(skip) + beginning).decode()[first:end].lower()


_HEX_SIGNS = tuple(beginning.encode().hex() for beginning in _BEGINNINGS)
_CODED_SIGNS = ("%", *_HEX_SIGNS, *(form for beginning in _BEGINNINGS for form in _coded(beginning.encode())))
# One of these, in lower case, is in every text in which `masked` changes anything but keys without their first word.
SIGNS = (
    *("tfk", "sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "xai-", "xai_", "hf-", "hf_", "aiza", "eyj"),
    *("nvapi", "pplx", "glpat", "github_pat", "gho", "ghp", "ghs", "ghu", "xoxa", "xoxb", "xoxp"),
    *_CODED_SIGNS,
)
_SIGN = any_of(SIGNS)
