"""A provider that plays a plan: it calls the planned tools one by one, where they were offered, and then answers.

It speaks Chat Completions, Responses and Messages, streamed or not, as strictly as the clients read them. Which plan it
plays follows from the request's `model`, how far it is from the results in the conversation: it remembers nothing, so
that a client may ask again or two at a time. A planned tool that was not offered is told in the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.upstream import DONE, Answer, Request, event, json_answer, sse

ENDS = "final_answer"  # an agent's control tool: it is called with the answer as soon as the plan is through
_PIECE = 9  # characters of a streamed text or argument

Tool = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a model would do: call these tools, then say this."""

    calls: tuple[str, ...] = ()
    answer: str = "Hello."


@dataclass(frozen=True)
class Move:
    """What the model does in one answer: a call, or a text."""

    text: str = ""
    name: str = ""
    arguments: str = ""
    place: int = 0

    @property
    def id(self) -> str:
        """The id of the call."""
        return f"call_{self.place}_{self.name}"


class Provider:
    """Answers requests by their model's plan."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = plans

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        body = request.json()
        path = request.target.partition("?")[0]
        plan = self._plans.get(body.get("model", ""))
        if plan is None:
            return json_answer({"error": {"message": f"There is no plan for {body.get('model')!r}."}}, 400)
        for end, read in (("/chat/completions", _chat), ("/responses", _responses), ("/messages", _messages)):
            if path.endswith(end):
                return read(body, plan)
        return json_answer({"error": {"message": f"{path} is not played."}}, 404)


def filled(schema: Mapping[str, Any], answer: str, root: Mapping[str, Any] | None = None) -> Any:
    """Return a value that a JSON Schema allows; a property `answer` is the answer, other texts are "Berlin"."""
    root = root or schema
    if "$ref" in schema:
        return filled(root["$defs"][schema["$ref"].rpartition("/")[2]], answer, root)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return filled(schema[key][0], answer, root)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {name: answer if name == "answer" else filled(one, answer, root) for name, one in properties.items()}
    return {"array": [], "integer": 3, "number": 3.5, "boolean": True, "null": None}.get(schema["type"], "Berlin")


def _move(plan: Plan, tools: Mapping[str, Tool], place: int, choice: str | None, schema: Any) -> Move:
    """Decide: a forced call first, then the plan, then the control tool that ends an agent's run, then the answer."""
    calls = (*plan.calls, *((ENDS,) if ENDS in tools and ENDS not in plan.calls else ()))
    if choice is not None and place == 0:
        calls = (choice,)
    if place < len(calls):
        name = calls[place]
        if name not in tools:
            return Move(f"{name} was not offered, only: {', '.join(sorted(tools)) or 'nothing'}.")
        return Move(name=name, arguments=json.dumps(filled(tools[name], plan.answer)), place=place)
    return Move(json.dumps(filled(schema, plan.answer)) if schema else plan.answer)


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _forced(choice: Any, tools: Mapping[str, Tool]) -> str | None:
    """Return the tool that must be called; where any will do the first one."""
    if isinstance(choice, dict):
        return str((choice.get("function") or choice).get("name", "")) or None
    return next(iter(tools), None) if choice in ("required", "any") else None


def _results(messages: Sequence[Mapping[str, Any]]) -> int:
    """Count the tool results of a chat; some frameworks write them as a user's text."""
    return sum(
        message["role"] == "tool"
        or (message["role"] == "user" and "Observation:" in json.dumps(message.get("content", "")))
        for message in messages
    )


def _chat(body: Mapping[str, Any], plan: Plan) -> Answer:
    functions = [tool["function"] for tool in body.get("tools") or []]
    tools = {one["name"]: one.get("parameters") or {"type": "object"} for one in functions}
    form = body.get("response_format") or {}
    schema = form["json_schema"]["schema"] if form.get("type") == "json_schema" else None
    if form.get("type") == "json_object":
        schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    choice = _forced(body.get("tool_choice"), tools)
    move = _move(plan, tools, _results(body["messages"]), choice, schema)
    return _chat_stream(move, body) if body.get("stream") else _chat_answer(move)


_USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def _chat_answer(move: Move) -> Answer:
    message: dict[str, Any] = {"role": "assistant", "content": move.text or None, "refusal": None}
    if move.name:
        called = {"name": move.name, "arguments": move.arguments}
        message["tool_calls"] = [{"id": move.id, "type": "function", "function": called}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if move.name else "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted"}
    return json_answer(head | {"choices": [choice], "usage": _USAGE})


def _chat_stream(move: Move, body: Mapping[str, Any]) -> Answer:
    pieces = [event({"role": "assistant", "content": None if move.name else ""})]
    if move.name:
        begun = {"index": 0, "id": move.id, "type": "function", "function": {"name": move.name, "arguments": ""}}
        pieces.append(event({"tool_calls": [begun]}))
        parts = ({"index": 0, "function": {"arguments": part}} for part in _pieces(move.arguments))
        pieces += [event({"tool_calls": [part]}) for part in parts]
    pieces += [event({"content": part}) for part in _pieces(move.text)]
    pieces.append(event({}, "tool_calls" if move.name else "stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        pieces.append(event({}, choices=[], usage=_USAGE))
    return sse(*pieces, DONE)


def _responses(body: Mapping[str, Any], plan: Plan) -> Answer:
    items = body["input"] if isinstance(body.get("input"), list) else []
    place = sum(item.get("type") == "function_call_output" for item in items)
    tools = {tool["name"]: tool.get("parameters") or {"type": "object"} for tool in body.get("tools") or []}
    form = (body.get("text") or {}).get("format") or {}
    move = _move(plan, tools, place, _forced(body.get("tool_choice"), tools), form.get("schema"))
    item: dict[str, Any]
    if move.name:
        called = {"name": move.name, "arguments": move.arguments}
        item = {"type": "function_call", "id": f"fc_{place}", "call_id": move.id, "status": "completed", **called}
    else:
        part = {"type": "output_text", "text": move.text, "annotations": [], "logprobs": []}
        item = {"type": "message", "id": f"msg_{place}", "status": "completed", "role": "assistant", "content": [part]}
    return _responses_stream(item, body) if body.get("stream") else json_answer(_response(body, "completed", [item]))


def _response(body: Mapping[str, Any], status: str, output: Sequence[object]) -> dict[str, Any]:
    """Give a Response object with what clients check."""
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 11,
    }
    return {
        "id": f"resp_{len(body['input'])}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "model": "scripted",
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": usage if status == "completed" else None,
    }


def _responses_stream(item: Mapping[str, Any], body: Mapping[str, Any]) -> Answer:
    place: dict[str, Any] = {"output_index": 0, "item_id": item["id"]}
    begun: dict[str, Any] = {**item, "status": "in_progress"}
    events: list[tuple[str, dict[str, Any]]] = []
    if item["type"] == "function_call":
        begun["arguments"] = ""
        events += [("function_call_arguments.delta", {**place, "delta": part}) for part in _pieces(item["arguments"])]
        events.append(("function_call_arguments.done", {**place, "name": item["name"], "arguments": item["arguments"]}))
    else:
        begun["content"] = []
        (part,) = item["content"]
        place["content_index"] = 0
        events.append(("content_part.added", {**place, "part": {**part, "text": ""}}))
        events += [("output_text.delta", {**place, "delta": text, "logprobs": []}) for text in _pieces(part["text"])]
        events.append(("output_text.done", {**place, "text": part["text"], "logprobs": []}))
        events.append(("content_part.done", {**place, "part": part}))
    whole: list[tuple[str, dict[str, Any]]] = [
        ("created", {"response": _response(body, "in_progress", [])}),
        ("output_item.added", {"output_index": 0, "item": begun}),
        *events,
        ("output_item.done", {"output_index": 0, "item": item}),
        ("completed", {"response": _response(body, "completed", [item])}),
    ]
    return sse(*(_named(f"response.{kind}", {"sequence_number": n, **data}) for n, (kind, data) in enumerate(whole)))


def _named(kind: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _messages(body: Mapping[str, Any], plan: Plan) -> Answer:
    parts = [part for message in body["messages"] for part in message["content"] if isinstance(part, dict)]
    place = sum(part.get("type") == "tool_result" for part in parts)
    tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools") or []}
    move = _move(plan, tools, place, _forced(body.get("tool_choice"), tools), None)
    content: dict[str, Any] = {"type": "text", "text": move.text}
    if move.name:
        content = {"type": "tool_use", "id": move.id, "name": move.name, "input": json.loads(move.arguments)}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [content],
        "stop_reason": "tool_use" if move.name else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    return _messages_stream(message, move) if body.get("stream") else json_answer(message)


def _messages_stream(message: Mapping[str, Any], move: Move) -> Answer:
    content: dict[str, Any] = message["content"][0]
    empty: dict[str, Any] = {"text": ""} if content["type"] == "text" else {"input": {}}
    deltas: list[dict[str, Any]] = [{"type": "text_delta", "text": part} for part in _pieces(move.text)]
    deltas += [{"type": "input_json_delta", "partial_json": part} for part in _pieces(move.arguments)]
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    return sse(
        _named("message_start", {"message": {**message, "content": [], "stop_reason": None}}),
        _named("content_block_start", {"index": 0, "content_block": content | empty}),
        *(_named("content_block_delta", {"index": 0, "delta": delta}) for delta in deltas),
        _named("content_block_stop", {"index": 0}),
        _named("message_delta", {"delta": end, "usage": {"output_tokens": 4}}),
        _named("message_stop", {}),
    )
