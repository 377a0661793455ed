"""Asks MCP servers, of the present protocol generation and of the one before, for their tools.

The SDK speaks; what it speaks through is ours: the guarded client over HTTP, a command of the configuration
otherwise. What the SDK raises becomes one error with a reason; what it logs is about single messages, and goes
nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx2
import structlog
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.types import Implementation, ToolListChangedNotification
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from app import __version__
from app.errors import GatewayError, SourceRefused
from app.imports import fetch
from app.imports.found import Found, Refused
from app.imports.mcp import tools
from app.imports.mcp.mending import Mended
from app.imports.mcp.pages import Pages
from app.settings.imports import ImportSettings, SourceSpec

_MOST_PAGES = 1_000
_OURS = (MCPError, SubscriptionLost, httpx2.HTTPError, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)

_log = structlog.get_logger()

logging.getLogger("mcp").addHandler(logging.NullHandler())
logging.getLogger("mcp").propagate = False


async def read(spec: SourceSpec, settings: ImportSettings) -> tuple[list[Found | Refused], float | None]:
    """Give all tools of a server, and the seconds for which it says that the list is fresh.

    Raises:
        SourceRefused: It does not answer, or does not come to an end.
    """
    pages = Pages()
    async with _connected(spec, settings, pages=pages) as client:
        return await _listed(client, pages, spec, settings)


async def follow(spec: SourceSpec, settings: ImportSettings, changed: Callable[[], Awaitable[None]]) -> bool:
    """Await `changed` whenever a server says that its list is another one; False where it does not say so.

    Once at the beginning, too: what was changed before, nobody heard. Returns when the server ends the conversation.

    Raises:
        SourceRefused: It does not answer, or the connection broke.
    """
    told = anyio.Event()

    async def hear(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            told.set()

    async with _connected(spec, settings, hear, waits=True) as client:
        announced = client.server_capabilities.tools
        if announced is None or not announced.list_changed:
            return False
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
            async with client.listen(tools_list_changed=True) as events:
                await changed()
                async for _ in events:
                    await changed()
            return True
        await changed()
        while True:
            await told.wait()
            told = anyio.Event()
            await changed()


async def _listed(
    client: Client, pages: Pages, spec: SourceSpec, settings: ImportSettings
) -> tuple[list[Found | Refused], float | None]:
    modern = client.protocol_version in MODERN_PROTOCOL_VERSIONS
    found: list[Found | Refused] = []
    fresh_ms: list[float] = []
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        await client.list_tools(cursor=cursor)
        page = pages.page(spec.origin)
        found += [tools.read(one, len(found) + at, spec, modern=modern) for at, one in enumerate(page.tools, start=1)]
        fresh_ms += [page.ttl_ms] if page.ttl_ms else []
        cursor = page.cursor
        if cursor is None:  # an empty text is a cursor like any other
            return found, min(fresh_ms) / 1_000 if fresh_ms else None
        if cursor in seen:
            raise SourceRefused(f"{spec.origin} gives the same page of tools again and again")
        seen.add(cursor)
        if len(found) > settings.max_tools or len(seen) >= _MOST_PAGES:
            most = f"imports.max_tools, {settings.max_tools:,}" if len(seen) < _MOST_PAGES else f"{_MOST_PAGES:,} pages"
            raise SourceRefused(f"{spec.origin} has more tools than {most}, or its list does not end")


@asynccontextmanager
async def _connected(
    spec: SourceSpec, settings: ImportSettings, hear: Any = None, *, waits: bool = False, pages: Pages | None = None
) -> AsyncIterator[Client]:
    refusals: list[str] = []
    try:
        async with AsyncExitStack() as closing:
            transport = await _transport(spec, settings, closing, refusals, waits=waits)
            client = Client(
                transport if pages is None else pages.watched(transport),
                read_timeout_seconds=settings.timeout_s,
                client_info=Implementation(name="toolfunnel", version=__version__),
                message_handler=hear,
                cache=None,
            )
            yield await closing.enter_async_context(client)
    except (GatewayError, *_OURS, ValidationError, ExceptionGroup) as error:
        if isinstance(error, GatewayError):
            raise
        raise SourceRefused(f"{spec.origin}: {refusals[-1] if refusals else _reason(error)}") from error


async def _transport(
    spec: SourceSpec, settings: ImportSettings, closing: AsyncExitStack, refusals: list[str], *, waits: bool
) -> Any:
    if spec.command:
        program, *arguments = spec.command
        env = {name: value.get_secret_value() for name, value in spec.env.items()}
        odd = "replace"  # bytes that are no UTF-8 would end the conversation
        return stdio_client(StdioServerParameters(command=program, args=arguments, env=env, encoding_error_handler=odd))
    fetch.url_of(spec.url)

    async def note(answer: httpx2.Response) -> None:
        if answer.status_code in (401, 403):
            refusals.append(f"it answered {answer.status_code}{fetch.reason(answer)}")
        answer.stream = Mended(answer.stream)

    options: dict[str, Any] = {"headers": fetch.headers_of(spec), "event_hooks": {"response": [note]}}
    asking = await closing.enter_async_context(fetch.client(settings, **options))
    if waits:
        asking.timeout = httpx2.Timeout(settings.timeout_s, read=None)
    return streamable_http_client(spec.url, http_client=asking, max_sse_event_size=settings.max_bytes)


def _reason(error: BaseException) -> str:
    """Say what is at the bottom of an error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return (
            f"what it answered is not of the protocol: {'.'.join(map(str, first['loc']))[:200]}: {first['msg'][:200]}"
        )
    return str(error)[:500] or type(error).__name__
