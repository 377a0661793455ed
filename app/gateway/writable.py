"""Whether the head of a provider's answer can be passed on. Pure: version, status and headers in, a problem or '' out.

Law: what this server could not write as it is, or a client would read with another end, is never begun to be relayed:
it becomes a 502 that names the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.digits import MOST_LENGTH, whole

_VERSIONS = ((1, 0), (1, 1))
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def problem(version: tuple[int, int], status: int, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Return why an answer cannot be passed on, '' where it can be. 101 is the caller's to refuse."""
    if version not in _VERSIONS:
        return f"it speaks HTTP/{version[0]}.{version[1]}"
    if not 200 <= status <= 599 and status != 101:
        return f"its status is {status}"
    if not all(_TOKEN.fullmatch(name) for name, _ in headers):
        return "one of its headers has a name that HTTP does not allow"
    if _CONTROL.search(b"".join(value for _, value in headers)):
        return "one of its headers holds a control character"
    return _framing_problem(version, headers)


def _framing_problem(version: tuple[int, int], headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Find more than one end. A coding that was not asked for cannot be undone: removed, its bytes would look plain."""
    lengths, codings = [], []
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-length":
            lengths.append(value)
        elif lower == b"transfer-encoding":
            codings.append(value.strip().lower())
    if any(whole(value, MOST_LENGTH) is None for value in lengths) or len(lengths) > 1:
        return "its content-length is not a length"
    if codings and (codings != [b"chunked"] or version == (1, 0) or lengths):
        return "its transfer-encoding is other than chunked, once, in HTTP/1.1"
    return ""
