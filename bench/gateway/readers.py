"""Readers that do not read: what each costs the gateway while it waits, and what is left when all have gone."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence

from bench.gateway.servers import Server

_FLOOD_MIB = 64
_BUFFER = 4_096
_SETTLE_S = 3.0

Figures = dict[str, float]


def measure(gateway: Server, count: int = 100) -> Figures:
    """Let many clients with small buffers ask for much and read nothing; give MiB a reader, and MiB left afterwards."""
    _leave(_begin(gateway, 2))
    time.sleep(_SETTLE_S)
    before = gateway.rss_mib()
    readers = _begin(gateway, count)
    time.sleep(_SETTLE_S)
    held = gateway.rss_mib()
    _leave(readers)
    time.sleep(_SETTLE_S)
    return {"reader_mib": (held - before) / count, "left_mib": gateway.rss_mib() - before}


def _begin(gateway: Server, count: int) -> list[socket.socket]:
    """Ask and read the first bytes of each answer only."""
    body = json.dumps({"model": f"flood-{_FLOOD_MIB}", "messages": [{"role": "user", "content": "hi"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    readers = []
    for _ in range(count):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        reader.connect(("127.0.0.1", gateway.port))
        reader.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        assert reader.recv(15).startswith(b"HTTP/1.1 200")
        readers.append(reader)
    return readers


def _leave(readers: Sequence[socket.socket]) -> None:
    for reader in readers:
        reader.close()
