"""Ask for a scenario through a gateway, and read its answer as it came over the wire."""

from __future__ import annotations

from typing import Any

from tests.support import sockets, tools
from tests.support.sockets import RawClient, parsed


def question(scenario: str, *, stream: bool = False) -> dict[str, Any]:
    """Ask for a scenario."""
    return {**tools.chat("list exams", stream=stream), "model": f"chaos/{scenario}"}


def broken_answer(port: int, scenario: str, *, stream: bool) -> tuple[bytes, bytes]:
    """Give head and body of an answer up to where the gateway ended the connection."""
    with RawClient(port) as client:
        client.send(sockets.request(tools.encoded(question(scenario, stream=stream))))
        head, _, body = client.receive_all().partition(b"\r\n\r\n")
        return head, body


def answered(port: int, scenario: str, *, stream: bool) -> tuple[int, dict[str, str], bytes]:
    """Give status, headers and body of an answer, the body as it is framed; the connection ends with it."""
    body = tools.encoded(question(scenario, stream=stream))
    with RawClient(port) as client:
        client.send(sockets.request(body, headers=[("connection", "close")]))
        head, _, body = client.receive_all().partition(b"\r\n\r\n")
    return *parsed(head), body


def unchunked(data: bytes) -> tuple[bytes, bool]:
    """Give what the chunks hold, and whether the last one came."""
    parts: list[bytes] = []
    while True:
        size, _, rest = data.partition(b"\r\n")
        if not size or not rest:
            return b"".join(parts), False
        length = int(size, 16)
        if not length:
            return b"".join(parts), True
        parts.append(rest[:length])
        data = rest[length + 2 :]
