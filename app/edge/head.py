"""What a request's head must be. Pure: target, version and headers in, an error or nothing out.

Law: whatever another server in the way could read differently is refused, not repaired.
"""

from __future__ import annotations

import re

from app.credentials import Headers
from app.digits import MOST_LENGTH
from app.errors import BadRequest, GatewayError, HeadersTooLarge

# RFC 9112, 3.2: uri-host [ ":" port ]. No user, no path, no query.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
# Visible ASCII; a fragment is for browsers and never sent.
_TARGET = re.compile(rb"/[!\"$-~]*")
_MAX_TARGET_BYTES = 65_535  # of the parser
# Leading zeros count: HTTP allows any number of them, and some who read them do not.
_MAX_LENGTH_DIGITS = len(str(MOST_LENGTH))
_VERSIONS = ("1.0", "1.1")
_AROUND_A_HEADER = len(b": \r\n")


def check(version: str, target: bytes, headers: Headers, max_bytes: int, max_headers: int) -> GatewayError | None:
    """Give what is wrong with a head, None for nothing."""
    hosts, codings, size = [], [], len(target)
    for name, value in headers:
        size += len(name) + len(value) + _AROUND_A_HEADER
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value.strip().lower())
        elif name == b"content-length" and len(value) > _MAX_LENGTH_DIGITS:
            return BadRequest(f"The Content-Length has more than the {_MAX_LENGTH_DIGITS} digits that are accepted.")
    if size > max_bytes or len(target) > _MAX_TARGET_BYTES:
        return HeadersTooLarge("The request's headers, or its path, are larger than what is accepted.")
    if len(headers) > max_headers:
        return HeadersTooLarge(f"The request has more than the {max_headers} headers that are accepted.")
    if version not in _VERSIONS:
        return BadRequest("This server speaks HTTP/1.1.")
    return _target_problem(target) or _host_problem(version, hosts) or _coding_problem(version, codings)


def _target_problem(target: bytes) -> GatewayError | None:
    """Refuse absolute-form, too: the host to decide by would be in two places."""
    return None if _TARGET.fullmatch(target) else BadRequest("The request target is not a path.")


def _host_problem(version: str, hosts: list[bytes]) -> GatewayError | None:
    if not hosts and version == "1.0":  # health checks of load balancers
        return None
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        return None
    return BadRequest("A request needs one Host header that names a host.")


def _coding_problem(version: str, codings: list[bytes]) -> GatewayError | None:
    """Content-Length beside it is refused by the parser."""
    if not codings or (codings == [b"chunked"] and version == "1.1"):
        return None
    return BadRequest("The only Transfer-Encoding is chunked, once, in HTTP/1.1.")
