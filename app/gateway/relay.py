"""The provider's answer to the client, byte for byte, read by read; nothing is inserted, ever.

When the provider's answer breaks, the transfer to the client is broken off too: no terminator, no `[DONE]`, so that
half an answer never looks whole.
"""

from __future__ import annotations

from collections.abc import Iterable

import httpx
from starlette.types import Send

from app.credentials import Headers
from app.gateway.forward import HOP_BY_HOP, connection_named
from app.gateway.transport import Answer
from app.telemetry import BrokenOff

# No more than this at a time waits for a client that reads slowly, besides what was read and not yet passed on.
_PIECE = 65_536
# They have no body. A length beside it is one that the server would wait for.
_BODILESS = (204, 304)


async def relay(answer: Answer, send: Send, added: Headers) -> None:
    """Send the answer with `added` headers.

    Raises:
        BrokenOff: The provider's answer broke in its body.
    """
    headers = [(name.lower(), value) for name, value in answer.headers]
    hop = HOP_BY_HOP | connection_named(headers)
    if answer.status in _BODILESS:
        hop |= {b"content-length"}
    headers = [(name, value) for name, value in headers if name not in hop]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers + added})
    try:
        async for chunk in answer.body:
            for piece in _pieces(chunk):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except httpx.TransportError as error:
        raise BrokenOff(f"the provider's answer broke off: {error}") from error
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _pieces(chunk: bytes) -> Iterable[bytes]:
    if len(chunk) <= _PIECE:
        return (chunk,)
    return (chunk[start : start + _PIECE] for start in range(0, len(chunk), _PIECE))
