"""Pages of an MCP server's tools, as they came.

The SDK validates a page as a whole: one tool that is not as it should be costs all of them, in a validator's words. So
the tools are taken out of the message before the SDK sees it, whichever protocol generation is spoken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse, jsonrpc_message_adapter
from pydantic import ValidationError

from app.errors import SourceRefused
from app.imports.mcp.mending import mended

Streams = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its tools, the cursor of the next one, None for the last, and for how long it is fresh, 0 if not told."""

    tools: list[Any]
    cursor: str | None
    ttl_ms: float


class Pages:
    """Keeps the last page that went by."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}

    @asynccontextmanager
    async def watched(self, transport: AbstractAsyncContextManager[Streams]) -> AsyncIterator[Streams]:
        """Return a transport whose lists of tools come here, and go on without them."""
        async with transport as (reading, writing):
            yield _Reading(reading, self), writing

    def page(self, server: str) -> Page:
        """Return the last page.

        Raises:
            SourceRefused: It is none.
        """
        said, self._last = self._last, {}
        tools, cursor, ttl = said.get("tools"), said.get("nextCursor"), said.get("ttlMs")
        if not isinstance(tools, list):
            raise SourceRefused(f"{server}: what it answered has no list of tools")
        if not isinstance(cursor, str | None):
            raise SourceRefused(f"{server}: the cursor of its next page is not a text")
        return Page(tools, cursor, max(ttl, 0) if isinstance(ttl, int | float) else 0)

    def take(self, item: Any) -> Any:
        """Keep what a message says of tools; return it with an empty list in their place."""
        item = _read_again(item) if isinstance(item, ValidationError) else item
        message = item.message if isinstance(item, SessionMessage) else None
        if not isinstance(message, JSONRPCResponse) or "tools" not in message.result:
            return item
        self._last = message.result
        kind = message.result.get("resultType")  # "input_required" is no list, and the SDK's to refuse
        kept = {"resultType": kind if isinstance(kind, str) else "complete", "cacheScope": "private"}
        stripped = message.model_copy(update={"result": kept | {"tools": [], "ttlMs": 0}})
        return SessionMessage(stripped, item.metadata)


def _read_again(error: ValidationError) -> SessionMessage | ValidationError:
    """Return what a command wrote, mended; answers over HTTP are mended as they come. The error, where that is no help.

    The SDK would wait for the message that it could not read until its time is up.
    """
    line = error.errors(include_url=False)[0]["input"]
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(mended(str(line).encode()), by_name=False))
    except ValidationError:
        return error


class _Reading:
    """A stream of messages from a server."""

    def __init__(self, stream: Any, pages: Pages) -> None:
        self._stream = stream
        self._pages = pages

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> Any:
        return self._pages.take(await self._stream.receive())

    def __aiter__(self) -> _Reading:
        return self

    async def __anext__(self) -> Any:
        return self._pages.take(await self._stream.__anext__())

    async def __aenter__(self) -> _Reading:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        closed: bool | None = await self._stream.__aexit__(kind, error, trace)
        return closed
