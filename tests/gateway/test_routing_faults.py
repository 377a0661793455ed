"""Routing that fails, hangs or is not ready never fails a request."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.embed.embedder import Embedder
from router.errors import EncoderError, RouterError
from router.pipeline import Router
from router.types import Selection
from tests.cli.command import wait_until
from tests.conftest import StartGateway
from tests.support import inside, tools
from tests.support.gateway import PLAIN
from tests.support.inside import WordEncoder
from tests.support.upstream import COMPLETION, Upstream

FORTY = tools.distinct(40)
BODY = b" " + tools.encoded(tools.chat("list the invoices", FORTY)) + b"\n"


class Broken(Router):
    """A core that raises."""

    error: BaseException = RuntimeError("bug")

    def route(self, *args: object, **options: object) -> Selection:
        """Raise."""
        raise self.error


class Stuck(Router):
    """A core that does not come back until it is released."""

    released = threading.Event()

    def route(self, *args: Any, **options: Any) -> Selection:
        """Wait, then route."""
        self.released.wait(60.0)  # longer than the client waits
        return super().route(*args, **options)


def ask(base_url: str, body: bytes, key: str = "Bearer key") -> httpx.Response:
    """Send a chat request."""
    headers = {"authorization": key}
    return httpx.post(f"{base_url}/chat/completions", content=body, headers=headers, timeout=30.0, **PLAIN)


@pytest.mark.expects_fault("routing failed")
@pytest.mark.parametrize(
    "error", [RuntimeError("bug"), KeyError("x"), RouterError("no"), EncoderError("x"), MemoryError()]
)
def test_e06_when_routing_raises_the_request_goes_out_as_it_came(
    upstream: Upstream, tmp_path: Path, error: BaseException
) -> None:
    """A fault in the core, of any kind, costs the trimming and nothing else."""
    router = Broken(Embedder(WordEncoder()))
    router.error = error
    with inside.serve(router, upstream.base_url, tmp_path) as base_url:
        answer = ask(base_url, BODY)
    assert (answer.status_code, answer.content) == (200, COMPLETION.body)
    assert answer.headers["x-toolfunnel-tools"] == "untrimmed; reason=failed"
    assert [request.body for request in upstream.requests] == [BODY]


@pytest.mark.expects_fault("routing took too long")
def test_c16_when_routing_takes_too_long_the_request_goes_out_as_it_came(upstream: Upstream, tmp_path: Path) -> None:
    """A core that hangs is not waited for; once it is well again, requests are routed."""
    Stuck.released.clear()
    with inside.serve(Stuck(Embedder(WordEncoder())), upstream.base_url, tmp_path, 200.0) as base_url:
        answer = ask(base_url, BODY)
        assert answer.content == COMPLETION.body
        assert answer.headers["x-toolfunnel-tools"] == "untrimmed; reason=timeout"
        assert upstream.last.body == BODY
        Stuck.released.set()
        while upstream.last.body == BODY:
            ask(base_url, BODY)
        assert len(upstream.last.tool_names) == 12


def test_c16_an_unseen_list_does_not_wait_for_its_vectors(upstream: Upstream, tmp_path: Path) -> None:
    """300 tools never seen before are chosen by words; the second request begins with the first one's list."""
    encoder = WordEncoder()
    encoder.gate.clear()
    listed = tools.distinct(300)
    first = [tools.user("export the invoices of the last quarter")]
    second = [*first, {"role": "assistant", "content": "Yes."}, tools.user("thanks, and now share a playlist")]
    with inside.serve(Router(Embedder(encoder)), upstream.base_url, tmp_path) as base_url:
        answer = ask(base_url, tools.encoded(tools.chat(first, listed)))
        encoder.gate.set()
        time.sleep(0.5)  # vectors arrive: they must not rewrite the list of a running conversation
        ask(base_url, tools.encoded(tools.chat(first, listed)))
        ask(base_url, tools.encoded(tools.chat(second, listed)))
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert answer.headers["x-toolfunnel-tools"] == "12/300"
    assert "export_invoice" in upstream.requests[0].tool_names
    assert lists[1][:12] == lists[0]
    assert lists[2][: len(lists[1])] == lists[1]


def test_what_was_found_in_haste_is_extended_once_and_stays(upstream: Upstream, tmp_path: Path) -> None:
    """A first question and a tool call, sent again and again: once the vectors are there the list does not change."""
    encoder = WordEncoder()
    encoder.gate.clear()
    listed = tools.distinct(300)
    first = [tools.user("which spreadsheet period is newest with paging")]
    with inside.serve(Router(Embedder(encoder)), upstream.base_url, tmp_path) as base_url:
        ask(base_url, tools.encoded(tools.chat(first, listed)))
        encoder.gate.set()
        wait_until(lambda: asked_anew(upstream, base_url, tools.encoded(tools.chat(first, listed))) != early(upstream))
        del upstream.requests[1:]
        called = upstream.requests[0].tool_names[0]
        loop = [*first, *tools.called(called)]
        for messages in (first, first, first, loop, loop):
            ask(base_url, tools.encoded(tools.chat(messages, listed)))
    lists = [request.tool_names for request in upstream.requests]
    assert lists[1][: len(lists[0])] == lists[0]
    assert lists[1] == lists[2] == lists[3] == lists[4] == lists[5]
    assert len(lists[1]) < 20


def early(upstream: Upstream) -> list[bytes]:
    """Give the list that the provider got first."""
    return tools.listed(upstream.requests[0].body)


def asked_anew(upstream: Upstream, base_url: str, body: bytes) -> list[bytes]:
    """Ask as a caller that nobody knows; give the list that the provider got."""
    ask(base_url, body, f"Bearer {secrets.token_hex(8)}")
    return tools.listed(upstream.last.body)


def test_c34_callers_share_nothing_that_is_remembered(upstream: Upstream, tmp_path: Path) -> None:
    """A list that one caller got while vectors were missing stays that caller's; another's is chosen with them."""
    encoder = WordEncoder()
    encoder.gate.clear()
    body = tools.encoded(tools.chat("which spreadsheet period is newest with paging", tools.distinct(300)))
    with inside.serve(Router(Embedder(encoder)), upstream.base_url, tmp_path) as base_url:
        ask(base_url, body, "Bearer early")
        encoder.gate.set()
        wait_until(lambda: asked_anew(upstream, base_url, body) != tools.listed(upstream.requests[0].body))
        del upstream.requests[1:]
        for caller in ("Bearer early", "Bearer late", "Bearer later"):
            ask(base_url, body, caller)
    early, again, late, later = [tools.listed(request.body) for request in upstream.requests]
    assert again[: len(early)] == early
    assert late == later
    assert late[: len(early)] != early


def test_c33_an_unseen_list_starts_a_conversation(start_gateway: StartGateway, upstream: Upstream) -> None:
    """The same with the real encoder: what goes out second begins with what went out first."""
    gateway = start_gateway(SELECT__BUDGET_MS="400")
    listed = tools.distinct(300, "new_")
    first = [tools.user("export the invoices of the last quarter")]
    second = [*first, {"role": "assistant", "content": "Yes."}, tools.user("and those of this one")]
    for messages in (first, first, second):
        gateway.post(tools.chat(messages, listed))
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert "new_export_invoice" in upstream.requests[0].tool_names
    assert lists[1][: len(lists[0])] == lists[0]
    assert lists[2][: len(lists[1])] == lists[1]
    assert len(lists[2]) <= 20
