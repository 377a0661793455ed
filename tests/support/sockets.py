"""A client without manners: bytes over a socket, for what no HTTP client would send or hide."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

_PATIENCE_S = 15.0


def request(
    body: bytes = b"",
    *,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    headers: Sequence[tuple[str, str]] = (),
    length: int | None = None,
) -> bytes:
    """Write a request with its length, or another one that is a lie."""
    lines = [f"{method} {target} HTTP/1.1", "host: gateway", *(f"{name}: {value}" for name, value in headers)]
    if "transfer-encoding" not in {name.lower() for name, _ in headers}:
        lines.append(f"content-length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def listens(port: int) -> bool:
    """Tell whether a connection is taken."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes over a connection of their own, and give all that comes until the server closes it."""
    with RawClient(port) as client:
        client.send(data)
        return client.receive_all()


def statuses(received: bytes) -> list[int]:
    """Give the statuses of all answers in what came."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]


class RawClient:
    """One connection. `received` is all that came."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes, as far as the server takes them."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def send_last(self, data: bytes) -> None:
        """Send bytes and close the sending side, so that both arrive at once."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self.send(data)
        self.shutdown()

    def receive_until(self, marker: bytes) -> bytes:
        """Read until a marker has come; give all that came.

        Raises:
            AssertionError: The connection ended before.
        """
        while marker not in self.received:
            data = self._socket.recv(65_536)
            assert data, f"the connection ended: {self.received[-500:]!r}"
            self.received += data
        return self.received

    def receive_all(self) -> bytes:
        """Read until the connection ends, well or not; give all that came."""
        try:
            while data := self._socket.recv(65_536):
                self.received += data
        except ConnectionResetError:
            pass
        return self.received

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one whole answer, with the connection still open: status, headers (lower case), body as framed."""
        head, _, rest = self.receive_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        status, headers = parsed(head)
        if "content-length" in headers:
            size = int(headers["content-length"])
            body = bytearray(rest)
            while len(body) < size:
                body += self._socket.recv(65_536)
            self.received = bytes(body[size:])
            return status, headers, bytes(body[:size])
        rest = self.receive_until(b"0\r\n\r\n").partition(b"\r\n\r\n")[2]
        self.received = b""
        return status, headers, rest

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def shutdown(self) -> None:
        """Leave, but read on."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def parsed(head: bytes) -> tuple[int, dict[str, str]]:
    """Give the status and the headers of an answer's head; of several of one name, the last."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}
