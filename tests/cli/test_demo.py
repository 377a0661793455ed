"""`toolfunnel demo` and `toolfunnel demo-upstream`: what a stranger sees first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import openai
import psutil
import pytest

from app.demo.upstream import MODEL
from tests.cli.command import Place, wait_until
from tests.support.documents import ROOT
from tests.support.gateway import free_port

CATALOG = str(ROOT / "examples" / "catalog")
TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Look around.", "parameters": {"type": "object"}},
}


def test_demo_asks_in_three_languages_and_shows_a_table(place: Place) -> None:
    """Each question finds its service among hundreds of tools; the stand-in says what it is."""
    done = place.run("demo", "--catalog", CATALOG, "--once", "--port", "0", "--json")
    assert (done.code, done.json["model"]) == (0, MODEL)
    called = [asked["called"] for asked in done.json["questions"]]
    assert [name.partition("_")[0] for name in called] == ["jira", "amap", "jp"]
    assert all(asked["sent"] <= 20 and asked["catalogue"] >= 240 for asked in done.json["questions"])
    shown = place.in_terminal(100, "demo", "--catalog", CATALOG, "--once", "--port", "0").out
    assert "stand-in" in shown
    assert all(name in shown for name in called)
    assert max(map(len, shown.split("Model:")[1].splitlines())) <= 100


def test_demo_serves_on_until_ctrl_c_with_the_provider_it_is_given(place: Place) -> None:
    """With a provider in the environment that one is asked; Ctrl-C ends everything that was started."""
    provider, port = free_port(), free_port()
    upstream = place.start("demo-upstream", "--port", str(provider))
    wait_until(lambda: "serves at" in place.written())
    demo_place = Place(place.path, {"UPSTREAM__BASE_URL": f"http://127.0.0.1:{provider}/v1"})
    demo = demo_place.start("demo", "--catalog", CATALOG, "--port", str(port))
    try:
        wait_until(lambda: "until Ctrl-C" in place.written(), 60)
        children = psutil.Process(demo.pid).children(recursive=True)
        assert [child.cmdline()[-1] for child in children] == ["serve"]
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k")
        assert [model.id for model in client.models.list()] == [MODEL]
        client.close()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
        assert psutil.wait_procs(children, timeout=10)[1] == []
    finally:
        demo.terminate()
        upstream.terminate()
        upstream.wait(30)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """The stand-in as a process of its own, and the official client to talk to it."""
    place, port = Place(tmp_path_factory.mktemp("standin"), {}), free_port()
    process = place.start("demo-upstream", "--port", str(port))
    wait_until(lambda: "serves at" in place.written())
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=5) as client:
        yield client
    process.terminate()
    assert process.wait(30) == 0


def test_stand_in_streams_a_call(stand_in: openai.OpenAI) -> None:
    """A streamed answer holds words that say what it is, one call, its end and the usage."""
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "look around"}], "tools": [TOOL]}
    asked = stand_in.chat.completions.create(model="any", stream=True, stream_options={"include_usage": True}, **body)
    chunks = list(asked)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "stand-in" in "".join(delta.content or "" for delta in deltas)
    assert [
        call.function.name for d in deltas for call in d.tool_calls or () if call.function and call.function.name
    ] == ["look"]
    assert chunks[-1].usage is not None


def test_stand_in_answers_in_words_without_tools(stand_in: openai.OpenAI) -> None:
    """Without tools, or after a tool's answer, it speaks; its model's name says what it is."""
    answer = stand_in.chat.completions.create(model="any", messages=[{"role": "user", "content": "hello"}])
    assert answer.model == MODEL
    assert "stand-in" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"


def test_stand_in_refuses_what_is_no_request(stand_in: openai.OpenAI) -> None:
    """A malformed body is the client's fault, told in OpenAI's form."""
    with pytest.raises(openai.BadRequestError):
        stand_in.post("/chat/completions", body=["nonsense"], cast_to=object)
