"""`toolfunnel demo`: a gateway with a catalogue, three questions in three languages, and a table of what happened."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import openai
from openai.types.chat import ChatCompletionChunk
from rich.box import SIMPLE_HEAD
from rich.table import Table

from app import serving
from app.demo import DemoFailed
from app.demo.upstream import MODEL
from app.settings import Credentials, Settings, override
from app.terminal import err, out, print_json

QUESTIONS = (
    "Find the open Jira bugs assigned to me, highest priority first",
    "帮我查一下明天北京到上海的高铁票",
    "東京に今出ている気象警報はありますか？",
)
_START_S = 60.0
_STOP_S = 10.0
_NO_KEY = "none"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TOOL_WIDTH = 27  # columns of a tool's name that stay whole; leaves 14 of 80 for the question
_TRIES = 3  # at a question that a busy machine could not route in time


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


def run(settings: Settings, *, model: str | None, once: bool, as_json: bool) -> None:
    """Start what is needed, ask, show, and serve until Ctrl-C.

    Raises:
        DemoFailed: A server did not start, or the provider refused a question.
    """
    url = serving.url(settings.server.host, settings.server.port)
    provider = settings.upstream.base_url
    with ExitStack() as started:
        if provider:
            model = model or _model_of(provider, _provider_key(settings))
        else:
            port = _free_port()
            arguments = ["demo-upstream", "--port", str(port)]
            _say("Starting a stand-in for a model: no provider is configured …")
            standin = started.enter_context(_running(arguments, f"http://127.0.0.1:{port}", "/v1/models"))
            override("upstream", "base_url", f"{standin}/v1")
            override("upstream", "api_key", _NO_KEY)  # managed mode asks for one
            model = MODEL
        _say(f"Starting the gateway at {url} …")
        started.enter_context(_running(["serve"], url, "/readyz"))
        admin = started.enter_context(_admin(settings, url))
        key = started.enter_context(_issued(admin)) if _needs_issued_key(settings) else _caller_key(settings)
        http = openai.DefaultHttpxClient(trust_env=False)  # no proxy between us and our own machine
        client = started.enter_context(
            openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, http_client=http)
        )
        asked = []
        for number, question in enumerate(QUESTIONS, start=1):
            _say(f"Asking question {number} of {len(QUESTIONS)} …")
            asked.append(_ask(client, admin, model, question))
        show(asked, model=model if provider else None, as_json=as_json)
        if not once:
            err.print(f"\nThe gateway serves at [bold]{url}/v1[/bold] until Ctrl-C.", highlight=False)
            err.print(f"Admin API: {url}/admin/docs\nFigures: {url}/admin/stats", highlight=False)
            _wait()


def show(asked: list[Asked], *, model: str | None, as_json: bool) -> None:
    """Print the table, or JSON."""
    if as_json:
        print_json({"model": model or MODEL, "questions": [asdict(a) for a in asked]})
        return
    out.print(f"\nModel: {model or f'{MODEL}, a stand-in: no provider is configured'}\n", markup=False, highlight=False)
    out.print(table_of(asked))
    out.print(f"\n{note_on(asked[0])}", style="dim", highlight=False)


def note_on(asked: Asked) -> str:
    """Return what the figures of the table are about."""
    return (
        f"All: the {asked.available:,} of the catalogue's {asked.catalogue:,} tools that may be offered "
        "(safety.allow says which risks may). Tokens are estimates."
    )


def table_of(asked: list[Asked]) -> Table:
    """Lay the questions out; 80 columns are enough."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nquestion", min_width=14, overflow="fold")
    table.add_column("tools\nall → sent", justify="right", no_wrap=True)
    short = all(len(a.called) <= _TOOL_WIDTH for a in asked)
    table.add_column("\ntool called", style="bold", no_wrap=short, overflow="fold")
    table.add_column("tool tokens\nbefore → after", justify="right", no_wrap=True)
    table.add_column("routing\nadded", justify="right", no_wrap=True)
    for a in asked:
        tokens = f"{a.tokens_before:,} → {a.tokens_after:,}"
        table.add_row(a.question, f"{a.available:,} → {a.sent}", a.called, tokens, f"{a.route_ms:.1f} ms")
    return table


def _say(what: str) -> None:
    """Tell what happens in the seconds to come."""
    err.print(what, markup=False, highlight=False)


def _model_of(provider: str, key: str) -> str:
    """Ask a provider for its model; one that serves several must be told which."""
    url = f"{provider.rstrip('/')}/models"
    try:
        answer = httpx.get(url, headers={"authorization": f"Bearer {key}"}, timeout=10.0, trust_env=False)
        answer.raise_for_status()
        names = [str(entry["id"]) for entry in answer.json()["data"]]
    except httpx.TransportError as error:
        raise DemoFailed(f"The provider at {provider} cannot be reached: {error}. See upstream.base_url.") from error
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise DemoFailed(f"GET {url} was answered with {code}{_advice(code)}; or name a model with --model.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DemoFailed(f"{url} does not list models; name one with --model.") from error
    if len(names) != 1:
        some = f", such as {', '.join(names[:3])}" if names else ""
        raise DemoFailed(f"The provider serves {len(names)} models; name one with --model{some}.")
    return names[0]


def _advice(status: int) -> str:
    return ": set OPENAI_API_KEY to the provider's key" if status in (401, 403) else ""


def _ask(client: openai.OpenAI, admin: httpx.Client, model: str, question: str) -> Asked:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}]}
    for _ in range(_TRIES):
        headers, called = _answer(client, body)
        if "x-toolfunnel-tools" in headers:
            break
    else:
        raise DemoFailed("The question went out unrouted: this machine was too busy to route it in time. Try again.")
    try:
        decision = admin.post("/admin/route", json=body).raise_for_status().json()
        tools = admin.get("/admin/stats").raise_for_status().json()["catalog"]["tools"]
    except httpx.HTTPError as error:
        raise DemoFailed(f"The gateway's admin API failed: {error}") from error
    sent, _, available = headers["x-toolfunnel-tools"].partition("/")
    return Asked(
        question=question,
        catalogue=tools,
        available=int(available),
        sent=int(sent),
        called=called or "(none, only words)",
        tokens_before=decision["tokens"]["before"],
        tokens_after=decision["tokens"]["after"],
        route_ms=float(headers["x-toolfunnel-route-ms"]),
    )


def _answer(client: openai.OpenAI, body: dict[str, Any]) -> tuple[Mapping[str, str], str]:
    """Ask as an application would, streaming; give the headers and the names of the tools called."""
    try:
        with client.chat.completions.with_streaming_response.create(**body, stream=True) as answer:
            return answer.headers, _called(answer.parse())
    except openai.APIStatusError as error:
        advice = _advice(error.status_code)
        raise DemoFailed(f"The provider refused the question: {error.message}{advice}") from error
    except openai.APIError as error:
        raise DemoFailed(f"The provider did not answer the question: {error.message}") from error


def _called(stream: Iterable[ChatCompletionChunk]) -> str:
    names = [
        call.function.name
        for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
        if call.function and call.function.name
    ]
    return ", ".join(dict.fromkeys(names))


def _caller_key(settings: Settings) -> str:
    """Give the key that a caller shows to the gateway."""
    if settings.upstream.credentials is Credentials.MANAGED:
        keys = settings.callers.keys
        return keys[0].get_secret_value() if keys else _NO_KEY
    return _provider_key(settings)


def _needs_issued_key(settings: Settings) -> bool:
    return settings.callers.pepper is not None and not settings.callers.keys


@contextmanager
def _issued(admin: httpx.Client) -> Iterator[str]:
    """Make a key for the demonstration; it is revoked in the end."""
    made = admin.post("/admin/keys", json={"name": "toolfunnel demo"}).raise_for_status().json()
    yield made["key"]
    admin.delete(f"/admin/keys/{made['id']}").raise_for_status()


def _provider_key(settings: Settings) -> str:
    """Give the provider's key: the one that is set, or what the official client finds itself."""
    if not settings.upstream.base_url:
        return _NO_KEY
    if settings.upstream.api_key is not None:
        return settings.upstream.api_key.get_secret_value()
    try:
        return openai.OpenAI().api_key  # reads OPENAI_API_KEY
    except openai.OpenAIError:
        return _NO_KEY  # a provider of one's own may need none


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
    # -P: a folder `app` of whoever runs this is not ours. A group of its own: Ctrl-C reaches us alone, we end the rest.
    command = [sys.executable, "-P", "-m", "app", *arguments]
    process = None
    try:
        with _interrupts_held_back():  # one that came when it runs, but is not yet ours to end, would leave it behind
            process = subprocess.Popen(command, stdout=sys.stderr, process_group=0)  # noqa: S603 - our own
        _until_ready(process, f"{url}{path}", " ".join(arguments))
        yield url
    finally:
        if process is not None:
            _end(process)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let the signals that end us raise KeyboardInterrupt only when the block has ended."""
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    held = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until_ready(process: subprocess.Popen[bytes], url: str, name: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoFailed(f"'toolfunnel {name}' ended with exit code {process.returncode}; its message is above.")
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
