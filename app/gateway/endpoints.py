"""Everything below `/v1/`: plain ASGI, so that a client that leaves early is noticed."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from app.gateway import flow
from app.gateway.flow import Gateway

BELOW = "/v1/"
_CHAT = ("POST", "/v1/chat/completions")


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request: a chat is routed, everything else passes as it is."""
    gateway: Gateway = scope["state"]["gateway"]
    steps = flow.chat if (scope["method"], scope["path"]) == _CHAT else flow.passed
    await steps(gateway, scope, receive, send)
