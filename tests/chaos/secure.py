"""A provider behind TLS whose handshake goes wrong in the way that `fault` names; without a fault it answers `{}`."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import trustme

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
_NO_TLS = "no TLS"
_STALLED = "stalled"


class SecureDoor:
    """One port. Set `fault` to one of `FAULTS` or to ''. `readable` is what came after a handshake, or without one."""

    FAULTS = ("expired", "untrusted", "another host", "old TLS", _NO_TLS, _STALLED)

    def __init__(self, directory: Path) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        self.authorities = directory / "authorities.pem"
        authority.cert_pem.write_to_path(str(self.authorities))
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        self._contexts = {
            "": _context(authority.issue_cert("localhost")),
            "expired": _context(authority.issue_cert("localhost", not_after=past)),
            "untrusted": _context(stranger.issue_cert("localhost")),
            "another host": _context(authority.issue_cert("elsewhere.example")),
            "old TLS": _old(_context(authority.issue_cert("localhost"))),
        }
        self.fault = ""
        self.readable: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, name="secure door", daemon=True).start()

    @property
    def base_url(self) -> str:
        """What to configure as the provider's base URL."""
        return f"https://localhost:{self._socket.getsockname()[1]}/v1"

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for held in self._held:
            held.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with suppress(OSError):
                    self._meet(connection)

    def _meet(self, connection: socket.socket) -> None:
        if self.fault == _STALLED:
            self._held.append(connection)
            return
        with connection:
            if self.fault == _NO_TLS:
                self.readable.append(connection.recv(65_536))
                connection.sendall(_ANSWER)
                return
            with self._contexts[self.fault].wrap_socket(connection, server_side=True) as secure:
                self.readable.append(secure.recv(65_536))
                secure.sendall(_ANSWER)


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let it speak TLS 1.1 at most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
