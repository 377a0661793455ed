"""A stand-in for a model: speaks Chat Completions, and says in its name and its words that it is none.

Of the tools it is given it calls the one whose text is nearest to the last question, with made-up arguments. It
exists so that the way of a request can be seen without a provider.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

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
        body = await request.json()
        message = await asyncio.to_thread(answer, body, encoder)
        if body.get("stream"):
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
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
        ]
    )


def answer(body: dict[str, Any], encoder: Encoder) -> dict[str, Any]:
    """Give the assistant's message: a call of the nearest tool, or words when there is nothing to call."""
    messages = body.get("messages") or [{}]
    tools = _readable(body)
    if messages[-1].get("role") == "tool":
        return {
            "role": "assistant",
            "content": "I am a stand-in, not a model: the tool has answered, thank you.",
        }
    if not tools or body.get("tool_choice") == "none":
        return {
            "role": "assistant",
            "content": "I am a stand-in, not a model, and was given no tools to call.",
        }
    chosen = _nearest(_question(messages), tools, encoder)
    schema = json.loads(chosen.definition)["function"].get("parameters") or {}
    arguments = {name: _example((schema.get("properties") or {}).get(name)) for name in schema.get("required", ())}
    return {
        "role": "assistant",
        "content": f"I am a stand-in, not a model. Of the {len(tools)} tools I was given, the nearest is: ",
        "tool_calls": [
            {
                "id": "call_standin",
                "type": "function",
                "function": {"name": chosen.name, "arguments": json.dumps(arguments, ensure_ascii=False)},
            }
        ],
    }


def _readable(body: dict[str, Any]) -> list[Tool]:
    tools = (tool_object.read(json.dumps(entry).encode()) for entry in body.get("tools") or ())
    return [tool for tool in tools if tool.kind is Kind.FUNCTION]


def _question(messages: list[dict[str, Any]]) -> str:
    content = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), "")
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _nearest(question: str, tools: list[Tool], encoder: Encoder) -> Tool:
    scores = tool_vectors(encoder, tools) @ encoder.encode([question])[0]
    return tools[int(np.argmax(scores))]


def _example(schema: object) -> object:
    """Make up a value that a JSON Schema allows, roughly."""
    if not isinstance(schema, dict):
        return "stand-in"
    if schema.get("enum"):
        return schema["enum"][0]
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
