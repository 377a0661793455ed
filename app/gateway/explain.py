"""Why the provider gave no answer, in words for the caller; never where it is, as that may be confidential."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import httpx

from app.errors import UpstreamBusy, UpstreamError, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from app.gateway.transport import Unwritable

_FAMILIES: tuple[tuple[type[httpx.TransportError], type[UpstreamError], str], ...] = (
    (httpx.PoolTimeout, UpstreamBusy, "Every connection to the provider is in use. Try again in a moment."),
    (httpx.ConnectTimeout, UpstreamTimeout, "No connection to the provider could be opened in time."),
    (httpx.TimeoutException, UpstreamTimeout, "The provider did not answer in time."),
    (httpx.ConnectError, UpstreamUnreachable, "No connection to the provider could be opened."),
    (httpx.ProtocolError, UpstreamInvalid, "The provider's answer is no HTTP that can be passed on."),
    (httpx.TransportError, UpstreamUnreachable, "The connection to the provider broke before it answered."),
)

_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)

# OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_…).
_UNTRUSTED = "its certificate is not signed by an authority that is trusted here"
_CERTIFICATE = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}
_OLD = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "WRONG_SSL_VERSION", "VERSION_TOO_LOW")


def explained(error: httpx.TransportError) -> UpstreamError:
    """Give the gateway's own error for one of the transport."""
    refusals = [cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)]
    if refusals:  # the innermost is OpenSSL's own
        return UpstreamUnreachable(f"No secure connection to the provider: {_refusal(refusals[-1])}.")
    if isinstance(error, Unwritable):
        return UpstreamInvalid(f"The provider's answer cannot be passed on: {error}.")
    if isinstance(error, httpx.ConnectError) and (reason := _unconnected(error)):
        return UpstreamUnreachable(reason)
    return next(family(text) for kind, family, text in _FAMILIES if isinstance(error, kind))


def _unconnected(error: httpx.TransportError) -> str:
    """Return why there is no connection, where it can be told from others."""
    causes = [cause for cause in _causes(error) if isinstance(cause, OSError)]
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "The name of the provider cannot be resolved: see upstream.base_url, and this machine's name service."
    if any(cause.errno == errno.ECONNREFUSED for cause in causes):
        return "The provider's port refuses connections: nothing listens there. See upstream.base_url."
    if any(cause.errno in _NO_WAY for cause in causes):
        return "No way leads to the provider's address from here. See upstream.base_url, and this machine's network."
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or getattr(error, "os_error", None) or getattr(error, "certificate_error", None)


def _refusal(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, "its certificate was refused")
    reason = error.reason or ""
    if any(sign in reason for sign in _OLD):
        return "it speaks only versions of TLS that are too old"
    if "WRONG_VERSION_NUMBER" in reason:
        return "it does not speak TLS there"
    return "its TLS was refused"
