"""The way of one request: identify, parse and route, splice, forward, relay, account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from app.callers.rate import RateLimits
from app.callers.ring import Keyring
from app.credentials import Headers
from app.digits import MOST_LENGTH, whole
from app.errors import (
    BodyTooLarge,
    GatewayError,
    Stopping,
    Unauthorized,
    UpstreamError,
    answer_for,
    headers_for,
    openai_body,
)
from app.gateway import set_aside, unsupported
from app.gateway.account import account, add_routing, headers_of
from app.gateway.exchange import Entrance, Exchange
from app.gateway.forward import Upstream
from app.gateway.identify import Caller, identify
from app.gateway.inbox import ClientGone, Inbox
from app.gateway.relay import relay
from app.hosts import check_caller
from app.recent import Recent
from app.registry.snapshot import Snapshots
from app.routing import Routed, Routing
from app.settings import Settings, SourcePolicy
from app.telemetry import BrokenOff, Telemetry
from app.telemetry.traces import Tracing
from app.wire import coding

_RECENT_BYTES = 2**20  # unless it is told otherwise
_CLIENT_GONE = 499  # nginx's number for it; never sent, only counted


@dataclass(slots=True)
class Gateway:
    """Everything a request needs. A new configuration replaces some of it, all at once."""

    settings: Settings
    snapshots: Snapshots
    routing: Routing
    upstream: Upstream
    telemetry: Telemetry
    tracing: Tracing | None = None
    entrance: Entrance = field(default_factory=Entrance)
    keyring: Keyring = field(default_factory=Keyring)
    limits: RateLimits = field(default_factory=RateLimits)
    recent: Recent = field(default_factory=lambda: Recent(_RECENT_BYTES))

    def now(self) -> Gateway:
        """Give it as it is: a new configuration is for the requests that come after it."""
        parts = self.settings, self.snapshots, self.routing, self.upstream, self.telemetry, self.tracing
        return Gateway(*parts, self.entrance, self.keyring, self.limits, self.recent)


_STOPPED = Stopping("The gateway was stopped before this request was answered.")
_REVOKED = Unauthorized("This API key was revoked before the request was answered.")

_Steps = Callable[[Gateway, Exchange, Inbox], Awaitable[None]]


async def chat(gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer `POST /v1/chat/completions`."""
    await _handle(gateway, Exchange("chat", scope, send, gateway.tracing), Inbox(receive), _chat)


async def passed(gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything else below `/v1/` with what the provider answers."""
    await _handle(gateway, Exchange("other", scope, send, gateway.tracing), Inbox(receive), _passed)


async def _chat(gateway: Gateway, exchange: Exchange, inbox: Inbox) -> None:
    caller = await _admitted(gateway, exchange)
    server = gateway.settings.server
    with gateway.entrance.bodies.held(max(server.max_bodies_bytes, server.max_body_bytes)) as exchange.held:
        exchange.body = await _body(gateway, exchange, inbox, caller)
        await inbox.while_present(_exchanged(gateway, exchange, headers_of(exchange.usage)))


async def _body(gateway: Gateway, exchange: Exchange, inbox: Inbox, caller: Caller) -> bytes:
    """Read a body and route it; return the one to send."""
    headers: Headers = exchange.scope["headers"]
    body = await inbox.body(gateway.settings.server.max_body_bytes, _announced(headers), exchange.hold)
    exchange.mark("receive")
    routed = await _routed(gateway, caller, exchange.scope, body, exchange.hold)
    if routed.parsed is not None:
        exchange.mark("route")
    if routed.body is not body:
        exchange.scope = {**exchange.scope, "headers": _plain(headers)}
    add_routing(exchange, routed, len(body), explain=gateway.settings.safety.explain_requests)
    return routed.body


async def _passed(gateway: Gateway, exchange: Exchange, inbox: Inbox) -> None:
    caller = await _admitted(gateway, exchange)
    if _catalogue_only(gateway, caller) and exchange.scope["method"] == "POST":
        set_aside.check_path(exchange.scope["path"])
    exchange.body = inbox.stream() if _has_body(exchange.scope["headers"]) else b""
    if not exchange.body:
        await inbox.body(0, None)
    if unsupported.may_carry_tools(exchange.scope["method"], exchange.scope["path"]):
        exchange.usage.untrimmed = unsupported.REASON
    await inbox.while_present(_exchanged(gateway, exchange, headers_of(exchange.usage)))


async def _admitted(gateway: Gateway, exchange: Exchange) -> Caller:
    """Find out who asks, and count the request against the limits of its key.

    Raises:
        ForeignHost, ForeignOrigin: No key is asked for, and a page in a browser may have sent it.
        Unauthorized: The key shown opens nothing.
        RateLimited: It is one request too many.
        BadRequest: An `x-toolfunnel-…` header cannot be read.
    """
    check_caller(exchange.scope["method"], exchange.scope["headers"], gateway.settings)
    caller = identify(exchange.scope["headers"], gateway.settings, gateway.keyring)
    exchange.usage.caller = caller.key
    if caller.key:
        gateway.keyring.attend(caller.key)
    if caller.limits:
        await gateway.limits.count(caller.key, caller.limits)
    exchange.mark("identify")
    return caller


async def _handle(gateway: Gateway, exchange: Exchange, inbox: Inbox, steps: _Steps) -> None:
    """Go through the steps; whatever happens, an answer is given where that is possible, and accounted for."""
    gateway, usage = gateway.now(), exchange.usage
    bind_contextvars(request_id=exchange.id)
    try:
        with (
            gateway.entrance.entered(gateway.settings.server.max_requests, gateway.telemetry),
            gateway.upstream.held(),  # from the first step on: its connections stay until this request has ended
        ):
            await steps(gateway, exchange, inbox)
    except ClientGone:
        usage.status, usage.end = _CLIENT_GONE, "client_gone"
    except GatewayError as error:
        await _refuse(exchange, inbox, error)
    except BrokenOff:
        usage.failure, usage.end = "upstream_broke_off", "broken_off"
        raise
    except asyncio.CancelledError:
        revoked = gateway.keyring.took_back(usage.caller)
        if revoked and exchange.ended:
            return
        usage.end = "cut_off"
        if exchange.begun:
            raise (BrokenOff("the caller's key was revoked") if revoked else asyncio.CancelledError) from None
        await _refuse(exchange, inbox, _REVOKED if revoked else _STOPPED)
    except Exception:  # a fault of ours: the server logs it
        usage.end = "failed"
        if not exchange.begun:
            await _refuse(exchange, inbox, GatewayError("The gateway failed. Its log says more."))
        raise
    finally:
        account(exchange, gateway.telemetry, gateway.recent if gateway.settings.safety.explain_requests else None)


async def _routed(gateway: Gateway, caller: Caller, scope: Scope, body: bytes, hold: Callable[[int], None]) -> Routed:
    """Route a body, unpacked where it is packed. One that stays as it was goes out as it came.

    Raises:
        BodyTooLarge: Unpacked, it is larger than is accepted.
        BadRequest: Duplicate keys hide the tool list or what decides about it; or see `set_aside.route`.
        Overloaded: See `set_aside.route`.
    """
    only = _catalogue_only(gateway, caller)
    if caller.options.off and not only:
        return Routed(body, "off")
    catalog, plain, share = gateway.snapshots.catalog, body, _share(caller, scope)
    if applied := coding.codings(scope["headers"]):
        limit = gateway.settings.server.max_body_bytes
        try:
            plain = await gateway.routing.unpack(body, applied, limit, share, hold)
        except coding.Unpackable:
            if only:
                raise set_aside.unreadable() from None
            return Routed(body, "unreadable")
        except TimeoutError:
            if only:
                raise set_aside.late() from None
            return Routed(body, "timeout")
        except coding.TooLarge:
            raise BodyTooLarge(f"Unpacked, the request body is larger than the {limit} bytes accepted.") from None
    if only:
        return await set_aside.route(gateway.routing, plain, catalog, caller, share)
    routed = await gateway.routing.route(plain, catalog, caller.options, caller.owner, share)
    return routed if routed.outcome == "routed" or routed.body is body else replace(routed, body=body)


def _catalogue_only(gateway: Gateway, caller: Caller) -> bool:
    return caller.options.granted(gateway.settings).policy is SourcePolicy.REGISTRY


def _share(caller: Caller, scope: Scope) -> str:
    """Return whose share of the threads a request takes: its key's, else, as anything may be shown, its machine's."""
    client: tuple[str, int] | None = scope.get("client")
    return caller.key or f"{client[0] if client else ''} {caller.owner}"


async def _exchanged(gateway: Gateway, exchange: Exchange, added: Headers) -> None:
    scope = exchange.scope
    path = scope["raw_path"].partition(b"?")[0]
    upstream = gateway.upstream
    outgoing, sending = exchange.outgoing(), exchange.take_body()
    answer = await upstream.send(scope["method"], path, scope["query_string"], outgoing, sending)
    del sending  # an answer may take minutes; its request is held no longer
    exchange.release_body()
    exchange.mark("forward")
    exchange.usage.upstream_status = answer.status
    try:
        await relay(answer, exchange, added)
    finally:
        await answer.body.aclose()


async def _refuse(exchange: Exchange, inbox: Inbox, error: GatewayError) -> None:
    """Send an own error in the caller's dialect, as long as no answer has begun."""
    entry = answer_for(error)
    usage = exchange.usage
    if usage.end in ("whole", "failed"):
        usage.end = "refused"
    if inbox.gone or exchange.is_deserted():
        usage.status, usage.end = _CLIENT_GONE, "client_gone"
        return
    usage.failure = entry.code
    usage.reason = str(error) if isinstance(error, UpstreamError) else ""
    if exchange.begun:
        raise error
    body = openai_body(str(error), entry)
    headers = [*headers_for(entry), *error.headers, (b"content-length", str(len(body)).encode())]
    try:
        await exchange({"type": "http.response.start", "status": entry.status, "headers": headers})
        await exchange({"type": "http.response.body", "body": body, "more_body": False})
    except ClientGone:
        usage.status, usage.end = _CLIENT_GONE, "client_gone"


def _announced(headers: Headers) -> int | None:
    value = next((value for name, value in headers if name == b"content-length"), b"")
    return whole(value, MOST_LENGTH)


def _has_body(headers: Headers) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def _plain(headers: Headers) -> Headers:
    """Give the headers of the same body, unpacked."""
    return [(name, value) for name, value in headers if name != b"content-encoding"]
