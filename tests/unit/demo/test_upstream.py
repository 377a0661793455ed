"""The stand-in for a model: the protocol, and that it never passes for a model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
import uvicorn
from openai.types.chat import ChatCompletionChunk

from app.demo.upstream import MODEL, create_upstream
from tests.support import tools
from tests.support.gateway import free_port

TOOLS: list[Any] = [
    tools.function("play_song", "Play a song."),
    {
        "type": "function",
        "function": {
            "name": "weather_forecast",
            "description": "Weather forecast for a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "unit": {"enum": ["celsius", "fahrenheit"]},
                    "days": {"type": "integer", "minimum": 3},
                    "lang": {"default": "ja"},
                    "extra": {"type": "string"},
                },
                "required": ["city", "unit", "days", "lang", "undescribed"],
            },
        },
    },
]
MADE_UP = {"city": "stand-in", "unit": "celsius", "days": 3, "lang": "ja", "undescribed": "stand-in"}
QUESTION: list[Any] = [tools.user("明日の天気予報は？")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The stand-in on a real port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_upstream(), port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    """The official client, pointed at it."""
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as made:
        yield made


def stream(client: openai.OpenAI, **options: Any) -> list[ChatCompletionChunk]:
    """Ask for a stream; give its chunks."""
    return list(client.chat.completions.create(model=MODEL, messages=QUESTION, tools=TOOLS, stream=True, **options))


def test_answer_calls_the_nearest_tool_with_made_up_arguments(client: openai.OpenAI) -> None:
    """A question about the weather calls the forecast; required parameters are made up by their schema."""
    answer = client.chat.completions.create(model="any", messages=QUESTION, tools=TOOLS)
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather_forecast", MADE_UP)
    assert (answer.choices[0].finish_reason, answer.model) == ("tool_calls", MODEL)
    assert "I am a stand-in, not a model. Of the 2 tools" in (answer.choices[0].message.content or "")


def test_stream_gives_the_same_call_in_pieces(client: openai.OpenAI) -> None:
    """Name first, arguments in pieces, a reason to finish, and no usage unless it is asked for."""
    chunks = stream(client)
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    functions = [call.function for call in calls if call.function]
    assert [function.name for function in functions if function.name] == ["weather_forecast"]
    assert json.loads("".join(function.arguments or "" for function in functions)) == MADE_UP
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "tool_calls"]
    assert all(chunk.usage is None and chunk.model == MODEL for chunk in chunks)


def test_stream_ends_with_usage_where_it_is_asked_for(client: openai.OpenAI) -> None:
    """`include_usage` adds a last chunk without choices that holds the usage."""
    last = stream(client, stream_options={"include_usage": True})[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("messages", "options", "said"),
    [
        (QUESTION, {}, "was given no tools to call"),
        (QUESTION, {"tools": TOOLS, "tool_choice": "none"}, "was told to call no tool"),
        ([*QUESTION, *tools.called("weather_forecast")], {"tools": TOOLS}, "the tool has answered"),
        (QUESTION, {"tools": [tools.custom("shell")]}, "was given no tools to call"),
    ],
    ids=["no tools", "tool_choice none", "tool answer", "custom tools"],
)
def test_answer_is_words_where_nothing_is_to_be_called(
    client: openai.OpenAI, messages: list[Any], options: dict[str, Any], said: str
) -> None:
    """Without a tool to call it answers in words, and says what it is."""
    (choice,) = client.chat.completions.create(model=MODEL, messages=messages, **options).choices
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert (choice.message.content or "").startswith("I am a stand-in, not a model")
    assert said in (choice.message.content or "")


def test_answer_calls_the_tool_that_is_named(client: openai.OpenAI) -> None:
    """`tool_choice` with a name decides, whatever is nearer."""
    named: Any = {"type": "function", "function": {"name": "play_song"}}
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, tools=TOOLS, tool_choice=named)
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("play_song", "{}")


def test_question_may_come_in_parts(client: openai.OpenAI) -> None:
    """Text in content parts is read like text."""
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "weather forecast please"}]}]
    answer = client.chat.completions.create(model=MODEL, messages=parts, tools=TOOLS)
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "weather_forecast"


def test_models_are_the_stand_in_alone(client: openai.OpenAI) -> None:
    """Its one model says in its name what it is."""
    assert [model.id for model in client.models.list()] == [MODEL]
    assert "stand-in" in MODEL


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": "hello"}',
        b'{"messages": ["hello"]}',
        b'{"messages": [{}], "tools": {"a": 1}}',
        b'{"messages": [{}], "tools": [1]}',
        b'{"messages": [{}], "tools": [{"type": "function"}]}',
    ],
    ids=lambda body: repr(body[:50]),
)
def test_malformed_request_is_refused_in_the_form_of_openai(url: str, body: bytes) -> None:
    """What is no chat request is answered 400 with an error object."""
    answer = httpx.post(f"{url}/chat/completions", content=body, trust_env=False)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith("The stand-in")


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": 5},
        {"stream": True, "stream_options": 5},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": "\ud800"}]},
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": [1]}}]},
        {
            "tools": [
                {"type": "function", "function": {"name": "a", "parameters": {"properties": 1, "required": ["b", 2]}}}
            ]
        },
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"required": 5}}}]},
    ],
    ids=repr,
)
def test_odd_request_is_answered_all_the_same(url: str, change: dict[str, Any]) -> None:
    """Fields of a wrong kind that it can do without are no reason to fail."""
    body = json.dumps({"messages": QUESTION, "tools": TOOLS} | change)
    assert httpx.post(f"{url}/chat/completions", content=body, trust_env=False).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/chat/completions"), ("POST", "/embeddings")])
def test_unknown_path_is_refused_in_the_form_of_openai(url: str, method: str, path: str) -> None:
    """What it does not offer is an error object that names the path."""
    answer = httpx.request(method, url + path, trust_env=False)
    assert answer.status_code in (404, 405)
    assert path in answer.json()["error"]["message"]
