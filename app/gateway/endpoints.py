"""The routes of the data plane: plain ASGI callables, so that a client that leaves early is noticed."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from app.gateway import flow
from app.gateway.flow import Gateway


class _Chat:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway: Gateway = scope["state"]["gateway"]
        await flow.chat(gateway, scope, receive, send)


class _Passed:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway: Gateway = scope["state"]["gateway"]
        await flow.passed(gateway, scope, receive, send)


def routes() -> list[BaseRoute]:
    """Give the routes, the more particular one first."""
    return [
        Route("/v1/chat/completions", _Chat(), methods=["POST"]),
        Route("/v1/{path:path}", _Passed()),
    ]
