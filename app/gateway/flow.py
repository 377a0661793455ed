"""The way of one request: identify, parse and route, splice, forward, relay, account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from starlette.types import Message, Receive, Scope, Send

from app.credentials import Headers
from app.errors import BodyTooLarge, GatewayError, answer_for, headers_for, openai_body
from app.gateway.account import account, headers_of, usage_of
from app.gateway.forward import Upstream
from app.gateway.identify import Caller, identify
from app.gateway.inbox import ClientGone, Inbox
from app.gateway.relay import relay
from app.registry.snapshot import Snapshots
from app.routing import Routed, Routing
from app.settings import Settings
from app.telemetry import BrokenOff, Telemetry, Usage
from app.wire import coding

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
        routed = await _routed(gateway, caller, headers, body)
        answer.usage = usage_of(routed)
        if routed.outcome == "routed":
            scope = {**scope, "headers": _plain(headers)}
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


async def _routed(gateway: Gateway, caller: Caller, headers: Headers, body: bytes) -> Routed:
    """Route a body, unpacked where it is packed. One that stays as it was goes out as it came.

    Raises:
        BodyTooLarge: Unpacked, it is larger than is accepted.
        BadRequest: Duplicate keys hide the tool list or what decides about it.
    """
    if caller.options.off:
        return Routed(body, "off")
    catalog, plain = gateway.snapshots.catalog, body
    if applied := coding.codings(headers):
        limit = gateway.settings.server.max_body_bytes
        try:
            plain = await asyncio.to_thread(coding.unpack, body, applied, limit)
        except coding.Unpackable:
            return Routed(body, "unreadable")
        except coding.TooLarge:
            raise BodyTooLarge(f"Unpacked, the request body is larger than the {limit} bytes accepted.") from None
    routed = await gateway.routing.route(plain, catalog, caller.options, caller.owner)
    return routed if routed.outcome == "routed" else replace(routed, body=body)


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


def _plain(headers: Headers) -> Headers:
    """Give the headers of the same body, unpacked."""
    return [(name, value) for name, value in headers if name != b"content-encoding"]
