"""The way of one request: identify, parse and route, splice, forward, relay, account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Scope, Send

from app.credentials import Headers
from app.errors import GatewayError, answer_for, headers_for, openai_body
from app.gateway.account import account, headers_of, usage_of
from app.gateway.forward import Upstream
from app.gateway.identify import identify
from app.gateway.inbox import ClientGone, Inbox
from app.gateway.relay import relay
from app.registry.snapshot import Snapshots
from app.routing import Routed, Routing
from app.settings import Settings
from app.telemetry import BrokenOff, Telemetry, Usage

_CLIENT_GONE = 499  # nginx's number for it; never sent, only counted


@dataclass(slots=True)
class Gateway:
    """Everything a request needs, wired once."""

    settings: Settings
    snapshots: Snapshots
    routing: Routing
    upstream: Upstream
    telemetry: Telemetry


@dataclass(slots=True)
class _Answer:
    """The sending side of one exchange: knows whether the answer has begun."""

    send: Send
    usage: Usage = field(default_factory=Usage)
    begun: bool = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.usage.status = message["status"]
        await self.send(message)


async def chat(gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer `POST /v1/chat/completions`."""
    answer, inbox = _Answer(send), Inbox(receive)
    try:
        headers: Headers = scope["headers"]
        caller = identify(headers, gateway.settings)
        body = await inbox.body(gateway.settings.server.max_body_bytes, _announced(headers))
        catalog = gateway.snapshots.catalog
        if caller.options.off or _encoded(headers):
            routed = Routed(body, "off" if caller.options.off else "unreadable")
        else:
            routed = await gateway.routing.route(body, catalog, caller.options, caller.owner)
        answer.usage = usage_of(routed)
        await inbox.while_present(_exchange(gateway, scope, routed.body, answer, headers_of(answer.usage)))
    except ClientGone:
        answer.usage.status = _CLIENT_GONE
    except GatewayError as error:
        await _refuse(answer, error)
    except BrokenOff:
        answer.usage.failure = "upstream_broke_off"
        raise
    finally:
        account(answer.usage, gateway.telemetry)


async def passed(gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything else below `/v1/` with what the provider answers."""
    answer, inbox = _Answer(send), Inbox(receive)
    try:
        identify(scope["headers"], gateway.settings)
        body = inbox.stream() if _has_body(scope["headers"]) else b""
        if not body:
            await inbox.body(0, None)
        await inbox.while_present(_exchange(gateway, scope, body, answer, []))
    except ClientGone:
        pass
    except GatewayError as error:
        if not inbox.gone:
            await _refuse(answer, error)
            gateway.telemetry.count_failure(answer.usage.failure)
    except BrokenOff:
        gateway.telemetry.count_failure("upstream_broke_off")
        raise


async def _exchange(
    gateway: Gateway, scope: Scope, body: bytes | AsyncIterator[bytes], answer: _Answer, added: Headers
) -> None:
    path = scope["raw_path"].partition(b"?")[0]
    response = await gateway.upstream.send(scope["method"], path, scope["query_string"], scope["headers"], body)
    try:
        await relay(response, answer, added)
    finally:
        await response.aclose()


async def _refuse(answer: _Answer, error: GatewayError) -> None:
    """Send an own error in the caller's dialect, as long as no answer has begun."""
    entry = answer_for(error)
    answer.usage.failure = entry.code
    if answer.begun:
        raise error
    body = openai_body(str(error), entry)
    headers = [*headers_for(entry), (b"content-length", str(len(body)).encode())]
    await answer({"type": "http.response.start", "status": entry.status, "headers": headers})
    await answer({"type": "http.response.body", "body": body, "more_body": False})


def _announced(headers: Headers) -> int | None:
    value = next((value for name, value in headers if name == b"content-length"), b"")
    return int(value) if value.isdigit() else None


def _has_body(headers: Headers) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def _encoded(headers: Headers) -> bool:
    """Whether the body is compressed: it passes as it is."""
    return any(name == b"content-encoding" and value.strip().lower() != b"identity" for name, value in headers)
