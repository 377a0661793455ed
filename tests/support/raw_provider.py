"""A provider that writes whatever bytes a test wants, also where nobody asked: behind an answer, before a body's end.

What it does is chosen by the last part of a request's path, out of `plays`. Any other path is answered with `MINE` and
the number of the connection.
"""

from __future__ import annotations

import array
import fcntl
import socket
import ssl
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

PATIENCE_S = 10.0
MINE = b"mine, over connection "


def answer(body: bytes, status: str = "200 OK", head: bytes = b"") -> bytes:
    """Write an answer with its length."""
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n%b\r\n%b" % (status.encode(), len(body), head, body)


@dataclass
class Line:
    """One connection. `go` is the test's signal to it, `done` its own to the test."""

    socket: socket.socket
    number: int
    go: threading.Event
    done: threading.Event
    buffer: bytes = b""

    def send(self, data: bytes) -> None:
        """Send bytes; when this returns they are at the gateway's end, read or not."""
        self.socket.sendall(data)
        unacknowledged = array.array("i", [1])
        while unacknowledged[0] and not self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            fcntl.ioctl(self.socket, termios.TIOCOUTQ, unacknowledged)

    def wait_to_go_on(self) -> None:
        """Wait for the test."""
        assert self.go.wait(PATIENCE_S)

    def head(self) -> bytes:
        """Read a request's head; empty at the end."""
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(65_536)
            if not data:
                return b""
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head

    def skip_body(self, head: bytes) -> None:
        """Read a body of a known length."""
        lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
        left = next((int(value) for name, _, value in lines if name == b"content-length"), 0) - len(self.buffer)
        self.buffer = b""
        while left > 0:
            left -= len(self.socket.recv(65_536))


Play = Callable[[Line], bool]  # False: the connection is not served any more


def says(data: bytes, *, ends: bool = False) -> Play:
    """Return a play that sends these bytes, and then serves on or ends the connection."""

    def play(line: Line) -> bool:
        line.send(data)
        return not ends

    return play


@dataclass
class RawProvider:
    """Plays for paths, and `early` ones for those that answer before they have read a request's body."""

    context: ssl.SSLContext | None = None
    plays: dict[str, Play] = field(default_factory=dict)
    early: dict[str, Play] = field(default_factory=dict)
    heads: list[bytes] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    _connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, name="raw provider", daemon=True).start()

    @property
    def base_url(self) -> str:
        """What to configure as the provider's base URL."""
        return f"http{'s' if self.context else ''}://localhost:{self._listener.getsockname()[1]}/v1"

    def play(self, name: str, play: Play, *, early: bool = False) -> None:
        """Do this for the path `/v1/<name>`, from anew."""
        (self.early if early else self.plays)[name] = play
        self.go, self.done, self.asked = threading.Event(), threading.Event(), threading.Event()
        self.heads.clear()

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections += 1
                arguments = (connection, self._connections)
                threading.Thread(target=self._meet, args=arguments, name="raw line", daemon=True).start()

    def _meet(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            connection.settimeout(6 * PATIENCE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                line = Line(connection, number, self.go, self.done)
                while self._answered(line):
                    pass

    def _answered(self, line: Line) -> bool:
        head = line.head()
        if not head:
            return False
        self.heads.append(head)
        self.asked.set()
        line.go, line.done = self.go, self.done
        name = head.split(b" ", 2)[1].rpartition(b"/")[2].decode()
        if name in self.early:
            return self.early[name](line)
        line.skip_body(head)
        if name in self.plays:
            return self.plays[name](line)
        line.send(answer(MINE + b"%d" % line.number))
        return True
