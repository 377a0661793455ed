"""A stand-in for a model: speaks Chat Completions, and says in its name and its words that it is none.

Of the tools it is given it calls the one that the request names, else the one whose text is nearest to the last
question, with made-up arguments. It exists so that the way of a request can be seen without a provider.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.errors import Answer, BadRequest, answer_for, openai_body
from app.wire import tool_object
from router.embed.embedder import tool_vectors
from router.embed.use import EmbeddedEncoder
from router.types import Encoder, Kind, Tool

MODEL = "toolfunnel-stand-in"
_PAUSE_S = 0.02


def create_upstream() -> Starlette:
    """Make the application; loads the embedded encoder."""
    encoder = EmbeddedEncoder()

    async def complete(request: Request) -> Response:
        body = _read(await request.body())
        message = await asyncio.to_thread(answer, body, encoder)
        if body.get("stream"):
            options = body.get("stream_options")
            usage = isinstance(options, dict) and bool(options.get("include_usage"))
            return StreamingResponse(_events(message, body, usage=usage), media_type="text/event-stream")
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return JSONResponse(_envelope("chat.completion", [choice]) | {"usage": _usage(body)})

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "toolfunnel"}]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
        ],
        exception_handlers={BadRequest: _on_bad_request, HTTPException: _on_http_error},
    )


def answer(body: dict[str, Any], encoder: Encoder) -> dict[str, Any]:
    """Give the assistant's message: a call of the nearest tool, or words when there is nothing to call.

    Raises:
        BadRequest: A tool cannot be read.
    """
    messages, choice = body["messages"], body.get("tool_choice")
    tools = _readable(body)
    if messages[-1].get("role") == "tool":
        return _words(": the tool has answered, thank you.")
    if not tools:
        return _words(" and was given no tools to call.")
    if choice == "none":
        return _words(" and was told to call no tool.")
    chosen = _named(tools, choice) or _nearest(_question(messages), tools, encoder)
    return _words(f". Of the {len(tools)} tools I was given, the nearest is: ") | {
        "tool_calls": [
            {
                "id": f"call_standin_{len(messages)}",
                "type": "function",
                "function": {"name": chosen.name, "arguments": json.dumps(_arguments(chosen), ensure_ascii=False)},
            }
        ],
    }


def _read(raw: bytes) -> dict[str, Any]:
    """Read a request.

    Raises:
        BadRequest: It is not one of Chat Completions.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The stand-in cannot read this body as JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("The stand-in expects a JSON object.")
    messages, tools = body.get("messages"), body.get("tools") or []
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise BadRequest("The stand-in expects 'messages' to be a list of messages, at least one.")
    if not isinstance(tools, list):
        raise BadRequest("The stand-in expects 'tools' to be a list.")
    return body


def _readable(body: dict[str, Any]) -> list[Tool]:
    try:
        tools = [tool_object.read(json.dumps(entry).encode()) for entry in body.get("tools") or ()]
    except tool_object.MalformedTool as error:
        raise BadRequest(f"The stand-in cannot read a tool: {error}") from error
    return [tool for tool in tools if tool.kind is Kind.FUNCTION]


def _words(rest: str) -> dict[str, Any]:
    return {"role": "assistant", "content": f"I am a stand-in, not a model{rest}"}


def _named(tools: list[Tool], choice: object) -> Tool | None:
    """Give the tool that the request says must be called."""
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return next((tool for tool in tools if tool.name == name), None)


def _question(messages: list[dict[str, Any]]) -> str:
    content = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), "")
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _arguments(tool: Tool) -> dict[str, object]:
    """Make up what a tool requires."""
    schema = json.loads(tool.definition)["function"].get("parameters")
    parts = schema if isinstance(schema, dict) else {}
    properties, required = parts.get("properties"), parts.get("required")
    known = properties if isinstance(properties, dict) else {}
    names = required if isinstance(required, list) else []
    return {name: _example(known.get(name)) for name in names if isinstance(name, str)}


def _nearest(question: str, tools: list[Tool], encoder: Encoder) -> Tool:
    scores = tool_vectors(encoder, tools) @ encoder.encode_query([question])[0]
    return tools[int(np.argmax(scores))]


def _example(schema: object) -> object:
    """Make up a value that a JSON Schema allows, roughly."""
    if not isinstance(schema, dict):
        return "stand-in"
    values = schema.get("enum")
    if isinstance(values, list) and values:
        return values[0]
    if "default" in schema:
        return schema["default"]
    made: dict[str, object] = {
        "integer": schema.get("minimum", 1),
        "number": schema.get("minimum", 1),
        "boolean": True,
        "array": [],
        "object": {},
    }
    return made.get(str(schema.get("type")), "stand-in")


def _on_bad_request(_: Request, error: Exception) -> Response:
    known = answer_for(BadRequest())
    return Response(openai_body(str(error), known), known.status, media_type="application/json")


def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    text = f"The stand-in has no {request.method} {request.url.path}, only chat completions and models."
    body = openai_body(text, Answer(status, "invalid_request_error", "not_found"))
    return Response(body, status, media_type="application/json")


async def _events(message: dict[str, Any], body: dict[str, Any], *, usage: bool) -> AsyncIterator[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word + " "} for word in message["content"].split()]
    for call in message.get("tool_calls", ()):
        function = call["function"]
        deltas.append({"tool_calls": [{"index": 0, **call, "function": {**function, "arguments": ""}}]})
        pieces = [function["arguments"][i : i + 12] for i in range(0, len(function["arguments"]), 12)]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    for delta in deltas:
        yield _event([{"index": 0, "delta": delta, "finish_reason": None}])
        await asyncio.sleep(_PAUSE_S)
    yield _event([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}])
    if usage:
        yield _event([], usage=_usage(body))
    yield b"data: [DONE]\n\n"


def _event(choices: list[dict[str, Any]], **more: object) -> bytes:
    chunk = _envelope("chat.completion.chunk", choices) | more
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def _envelope(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-standin",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
        "choices": choices,
    }


def _usage(body: dict[str, Any]) -> dict[str, int]:
    prompt = len(json.dumps(body)) // 4
    return {"prompt_tokens": prompt, "completion_tokens": 30, "total_tokens": prompt + 30}
