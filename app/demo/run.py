"""`toolfunnel demo`: a gateway with a catalogue, three questions in three languages, and a table of what happened."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import openai
from openai.types.chat import ChatCompletionChunk
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.demo.upstream import MODEL
from app.settings import Credentials, Settings, override

QUESTIONS = (
    "Which open bugs are assigned to me in Jira?",
    "帮我查一下明天北京到上海的高铁票",
    "今週末、東京の天気はどうなりますか？",
)
_START_S = 60.0


class DemoFailed(Exception):
    """The demonstration cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of one question. Tokens are estimates."""

    question: str
    catalogue: int
    available: int
    sent: int
    called: str
    tokens_before: int
    tokens_after: int
    route_ms: float


def run(settings: Settings, console: Console, *, model: str | None, once: bool, as_json: bool) -> None:
    """Start what is needed, ask, show, and serve until Ctrl-C.

    Raises:
        DemoFailed: A server did not start, or the provider refused a question.
    """
    url = f"http://{settings.server.host}:{settings.server.port}"
    provider, key = settings.upstream.base_url, _caller_key(settings)
    with ExitStack() as started:
        if provider:
            model = model or _model_of(provider, key)
        else:
            port = _free_port()
            arguments = ["demo-upstream", "--port", str(port)]
            standin = started.enter_context(_running(arguments, f"http://127.0.0.1:{port}", "/v1/models"))
            override("upstream", "base_url", f"{standin}/v1")
        started.enter_context(_running(["serve"], url, "/readyz"))
        client = started.enter_context(openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0))
        admin = started.enter_context(_admin(settings, url))
        asked = [_ask(client, admin, model or MODEL, question) for question in QUESTIONS]
        show(asked, console, model=model if provider else None, as_json=as_json)
        if not once:
            console.print(f"\nThe gateway serves at [bold]{url}/v1[/bold] until Ctrl-C.")
            console.print(f"Admin API: {url}/admin/docs   Figures: {url}/admin/stats")
            _wait()


def show(asked: list[Asked], console: Console, *, model: str | None, as_json: bool) -> None:
    """Print the table, or JSON."""
    if as_json:
        console.print_json(json.dumps([asdict(a) for a in asked], ensure_ascii=False))
        return
    table = Table(title_justify="left", padding=(0, 1, 0, 0), box=SIMPLE)
    table.add_column("question", min_width=16, overflow="fold")
    table.add_column("tools in catalogue\n→ sent", justify="right", max_width=12)
    table.add_column("tool called", style="bold", no_wrap=True)
    table.add_column("tool tokens\nbefore → after", justify="right", no_wrap=True)
    table.add_column("routing\nadded", justify="right", no_wrap=True)
    for a in asked:
        tokens = f"{a.tokens_before:,} → {a.tokens_after:,}"
        table.add_row(a.question, f"{a.catalogue:,} → {a.sent}", a.called, tokens, f"{a.route_ms:.1f} ms")
    console.print(f"\nModel: {model or 'a stand-in, for no provider is configured'}", highlight=False)
    console.print(table)
    console.print(
        f"Tokens are estimates; before: all {asked[0].available:,} tools that may be offered "
        "(safety.allow decides which risks may).",
        style="dim",
        highlight=False,
    )


def _model_of(provider: str, key: str | None) -> str:
    """Ask a provider for its model; one that serves several must be told which."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{provider.rstrip('/')}/models", headers=headers, timeout=10.0, trust_env=False)
        answer.raise_for_status()
        names = [str(entry["id"]) for entry in answer.json()["data"]]
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        raise DemoFailed(f"The provider does not list its models ({error}); name one with --model.") from error
    if len(names) != 1:
        raise DemoFailed(f"The provider serves {len(names)} models; name one with --model, such as {names[:3]}.")
    return names[0]


def _ask(client: openai.OpenAI, admin: httpx.Client, model: str, question: str) -> Asked:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}]}
    try:
        with client.chat.completions.with_streaming_response.create(**body, stream=True) as answer:
            headers = answer.headers
            called = _called(answer.parse())
    except openai.APIError as error:
        raise DemoFailed(f"The provider refused the question: {error.message}") from error
    decision = admin.post("/admin/route", json=body).raise_for_status().json()
    tools = admin.get("/admin/stats").raise_for_status().json()["catalog"]["tools"]
    if "x-toolfunnel-tools" not in headers:
        raise DemoFailed("The question went out unrouted: this machine was too busy to route it in time. Try again.")
    sent, _, available = headers["x-toolfunnel-tools"].partition("/")
    return Asked(
        question=question,
        catalogue=tools,
        available=int(available),
        sent=int(sent),
        called=called or "(none: it answered in words)",
        tokens_before=decision["tokens"]["before"],
        tokens_after=decision["tokens"]["after"],
        route_ms=float(headers["x-toolfunnel-route-ms"]),
    )


def _called(stream: Iterable[ChatCompletionChunk]) -> str:
    names = [
        call.function.name
        for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
        if call.function and call.function.name
    ]
    return ", ".join(dict.fromkeys(names))


def _caller_key(settings: Settings) -> str | None:
    """Give the key that a caller shows; None leaves it to the client, which looks into OPENAI_API_KEY."""
    if settings.upstream.credentials is Credentials.MANAGED:
        keys = settings.callers.keys
        return keys[0].get_secret_value() if keys else "demo"
    if settings.upstream.api_key is not None:
        return settings.upstream.api_key.get_secret_value()
    return None if settings.upstream.base_url else "demo"


def _admin(settings: Settings, url: str) -> httpx.Client:
    key = settings.admin.key
    headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    return httpx.Client(base_url=url, headers=headers, timeout=30.0, trust_env=False)


@contextmanager
def _running(arguments: list[str], url: str, path: str) -> Iterator[str]:
    """Run a command of ours until the block ends; enter the block when it answers.

    Raises:
        DemoFailed: It ended, or did not answer in time.
    """
    process = subprocess.Popen([sys.executable, "-m", "app.cli", *arguments])  # noqa: S603 - our own command
    try:
        _until_ready(process, f"{url}{path}", " ".join(arguments))
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_ready(process: subprocess.Popen[bytes], url: str, name: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoFailed(f"'toolfunnel {name}' ended with exit code {process.returncode}; see above.")
        try:
            if httpx.get(url, timeout=1.0, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise DemoFailed(f"'toolfunnel {name}' was not ready after {_START_S:.0f} seconds.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
