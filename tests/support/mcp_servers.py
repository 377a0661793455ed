"""MCP servers on real ports: the SDK's own, of both protocol generations or held to one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.types import ListToolsResult, NotificationParams, PaginatedRequestParams, Tool, ToolAnnotations
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.served import serve

MODERN, LEGACY = "2026-07-28", "2025-11-25"
Pages = Callable[[str | None], tuple[Sequence[Tool], str | None]]


def tool(name: str, description: str = "Does something.", hints: dict[str, bool] | None = None, **more: Any) -> Tool:
    """Give a tool of one text parameter."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    said = None if hints is None else ToolAnnotations(**{f"{key}_hint": value for key, value in hints.items()})
    return Tool(**{"name": name, "description": description, "input_schema": schema, "annotations": said} | more)


class RawText(str):
    """A result as it stands on the wire: what no JSON library of ours would write."""

    __slots__ = ()


@dataclass
class McpServer:
    """What a server says; a test may change it while it runs. `pages` takes the place of `tools`, and so does `raw`.

    `raw` is the result of `tools/list` as JSON, whatever the protocol says that it should be.
    """

    tools: list[Tool] = field(default_factory=list)
    raw: dict[str, Any] | RawText | None = None
    pages: Pages | None = None
    ttl_ms: int = 0
    only: str = ""
    token: str = ""
    url: str = ""
    methods: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    sessions: list[Any] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    def tell(self) -> None:
        """Tell whoever listens that the list is another one."""
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(self._tell(), self.loop).result(10)

    async def _tell(self) -> None:
        await self.bus.publish(ToolsListChanged())
        for session in self.sessions:
            await session.send_tool_list_changed()

    async def begun(self, ctx: Any, params: NotificationParams) -> None:
        """Keep a session of the generation before: it can be told of changes."""
        self.sessions.append(ctx.session)

    async def listed(self, ctx: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        """Answer `tools/list`."""
        self.loop = asyncio.get_running_loop()
        cursor = params.cursor if params is not None else None
        found, following = self.pages(cursor) if self.pages is not None else (self.tools, None)
        return ListToolsResult(tools=list(found), next_cursor=following, ttl_ms=self.ttl_ms)


class _Telling(Server[Any]):
    """A server that says to clients of the generation before, too, that it tells of changes."""

    def create_initialization_options(self, *args: Any, **options: Any) -> Any:
        return super().create_initialization_options(NotificationOptions(tools_changed=True))


@contextmanager
def serve_mcp(said: McpServer) -> Iterator[McpServer]:
    """Serve MCP over streamable HTTP; `url` is where."""
    server = _Telling("tests", on_list_tools=said.listed, on_subscriptions_listen=ListenHandler(said.bus))
    server.add_notification_handler("notifications/initialized", NotificationParams, said.begun)
    with serve(_Gate(server.streamable_http_app(), said)) as port:
        said.url = f"http://127.0.0.1:{port}/mcp"
        yield said


class _Gate:
    """Notes what is asked, wants a token, and lets one protocol generation through."""

    def __init__(self, app: ASGIApp, said: McpServer) -> None:
        self._app = app
        self._said = said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = await _body(receive)
        asked = json.loads(body) if body else {}
        method = str(asked.get("method")) if body else scope["method"]
        self._said.headers.append(headers)
        self._said.methods.append(method)
        refusal = self._refusal(headers, method)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if self._said.raw is not None and method == "tools/list":
            result = self._said.raw if isinstance(self._said.raw, RawText) else json.dumps(self._said.raw)
            answer = f'{{"jsonrpc": "2.0", "id": {json.dumps(asked["id"])}, "result": {result}}}'
            await Response(answer, media_type="application/json")(scope, receive, send)
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, again, send)

    def _refusal(self, headers: dict[str, str], method: str) -> JSONResponse | None:
        if self._said.token and headers.get("authorization") != f"Bearer {self._said.token}":
            asks = 'Bearer resource_metadata="https://auth.example/.well-known/oauth-protected-resource"'
            return JSONResponse({}, 401, {"www-authenticate": asks})
        if self._said.only == MODERN and method == "initialize":
            return _error(-32022, "unsupported protocol version", {"supported": [MODERN], "requested": LEGACY})
        if self._said.only == LEGACY and headers.get("mcp-protocol-version") == MODERN:
            return _error(-32600, "Bad Request: Missing session ID", None)
        return None


def _error(code: int, message: str, data: object) -> JSONResponse:
    error = {"code": code, "message": message} | ({"data": data} if data else {})
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)


async def _body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body
