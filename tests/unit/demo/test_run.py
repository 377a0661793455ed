"""The demonstration without its servers: the table, the provider's model, the key that is shown."""

from __future__ import annotations

from io import StringIO

import pytest
from openai.types.chat import ChatCompletionChunk
from rich.console import Console

from app.demo import DemoFailed, run
from app.settings import Settings
from tests.support.upstream import Answer, Upstream, event, json_answer


def asked(called: str) -> run.Asked:
    """Give what became of a question."""
    return run.Asked(
        question="Find the open Jira bugs assigned to me, highest priority first",
        catalogue=458,
        available=293,
        sent=12,
        called=called,
        tokens_before=55_424,
        tokens_after=2_202,
        route_ms=14.36,
    )


def shown(called: str) -> list[str]:
    """Give the lines of a table of one question, at 80 columns."""
    text = StringIO()
    Console(file=text, width=80).print(run.table_of([asked(called)]))
    return text.getvalue().splitlines()


@pytest.mark.parametrize("called", ["jp_transit_weather_warnings", "x" * 64])
def test_table_fits_80_columns(called: str) -> None:
    """Figures stay whole at 80 columns, and a tool's name is cut nowhere, however long."""
    lines = shown(called)
    assert max(map(len, lines)) <= 80
    assert all(figure in lines[3] for figure in ("293 → 12", "55,424 → 2,202", "14.4 ms"))
    assert "".join(lines).count("x") >= called.count("x")


def test_model_is_asked_of_the_provider(upstream: Upstream) -> None:
    """A provider with one model is asked for it, with the caller's key."""
    upstream.respond_with(json_answer({"data": [{"id": "only"}]}))
    assert run._model_of(upstream.base_url, "sk-mine") == "only"
    assert (upstream.last.target, upstream.last.values("authorization")) == ("/v1/models", ["Bearer sk-mine"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (json_answer({"data": [{"id": "a"}, {"id": "b"}]}), "serves 2 models; name one with --model, such as a, b"),
        (json_answer({"data": []}), "serves 0 models; name one with --model."),
        (json_answer({}, status=401), "answered with 401: set OPENAI_API_KEY to the provider's key"),
        (json_answer({"models": 1}), "does not list models; name one with --model"),
        (json_answer(["nothing"]), "does not list models; name one with --model"),
    ],
    ids=["two", "none", "refused", "other", "list"],
)
def test_model_that_cannot_be_found_is_asked_of_the_user(upstream: Upstream, answer: Answer, said: str) -> None:
    """Where the provider does not have exactly one model, the message says what to do."""
    upstream.respond_with(answer)
    with pytest.raises(DemoFailed, match="--model") as raised:
        run._model_of(upstream.base_url, "none")
    assert said in str(raised.value)


def test_called_tools_are_named_once_each_in_order() -> None:
    """Of a stream with two calls the names are given, whatever pieces they came in."""
    deltas = [{"index": 0, "function": {"name": "b"}}, {"index": 0, "function": {"arguments": "{}"}}]
    deltas += [{"index": 1, "function": {"name": "a"}}]
    events = [event({"tool_calls": [delta]}).removeprefix(b"data: ") for delta in deltas]
    assert run._called([ChatCompletionChunk.model_validate_json(e) for e in events]) == "b, a"


HTTP = {"base_url": "http://x/v1"}
MANAGED = {"credentials": "managed", "api_key": "sk-set"}


@pytest.mark.parametrize(
    ("sections", "caller", "provider"),
    [
        ({}, "none", "none"),
        ({"upstream": HTTP}, "sk-environment", "sk-environment"),
        ({"upstream": HTTP | {"api_key": "sk-set"}}, "sk-set", "sk-set"),
        ({"upstream": HTTP | MANAGED}, "none", "sk-set"),
        ({"upstream": HTTP | MANAGED, "callers": {"keys": ["one", "two"]}}, "one", "sk-set"),
    ],
    ids=["stand-in", "environment", "settings", "managed", "managed with keys"],
)
def test_keys_are_those_of_caller_and_provider(
    monkeypatch: pytest.MonkeyPatch, sections: dict[str, object], caller: str, provider: str
) -> None:
    """In managed mode the gateway is shown a caller's key, and only the provider sees its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    settings = Settings.model_validate(sections)
    assert (run._caller_key(settings), run._provider_key(settings)) == (caller, provider)


def test_key_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider of one's own may need no key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert run._caller_key(Settings.model_validate({"upstream": {"base_url": "http://x/v1"}})) == "none"
