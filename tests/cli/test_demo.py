"""`toolfunnel demo` and `demo-upstream`, from a directory that is not the project's."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app.demo.upstream import MODEL
from tests.cli.command import TRACEBACK, Done, Place, wait_until
from tests.support.gateway import free_port
from tests.support.upstream import Answer, Request, Upstream, completes, json_answer

SAMPLE = Path(__file__).parents[2] / "examples" / "catalog"
SERVICES = ("amap", "gmail", "jira", "jp_transit", "openweather", "spotify")
QUESTION_LETTERS = ("bugs", "高铁", "気象")


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Done]:
    """The demonstration with six services of the sample, run once; its directory holds their vectors."""
    place = Place(tmp_path_factory.mktemp("demo"), {"SELECT__BUDGET_MS": "3000"})
    (place.path / "some").mkdir()
    (place.path / "app").mkdir()  # the stranger has a package `app`, too
    place.write("app/__init__.py", "raise SystemExit('the wrong app')")
    for service in SERVICES:
        shutil.copy(SAMPLE / f"{service}.yaml", place.path / "some")
    return place, place.run("demo", "--catalog", "some", "--once", "--port", "0")


@pytest.fixture
def demo_place(demonstrated: tuple[Place, Done], tmp_path: Path) -> Place:
    """A directory in which the demonstration has run before."""
    shutil.copytree(demonstrated[0].path, tmp_path / "demo")
    return Place(tmp_path / "demo", demonstrated[0].settings)


def rows(out: str) -> list[list[str]]:
    """Give the table's rows: question, catalogue, →, sent, tool, …"""
    return [line.split("→") for line in out.splitlines() if any(letters in line for letters in QUESTION_LETTERS)]


def test_demo_shows_three_questions_and_the_right_tools(demonstrated: tuple[Place, Done]) -> None:
    """The table has an English, a Chinese and a Japanese row; the tool called fits; it says that the model is none."""
    done = demonstrated[1]
    assert done.code == 0
    table = rows(done.out)
    assert [row[1].split()[1] for row in table] == [
        "jira_search_issues_jql",
        "amap_train_tickets",
        "jp_transit_weather_warnings",
    ]
    assert all(0 < int(row[1].split()[0]) <= 20 for row in table)
    assert f"Model: {MODEL}, a stand-in: no provider is configured" in done.out
    assert len({row[0].split()[-1] for row in table}) == 1
    offered = table[0][0].split()[-1]
    assert f"\nAll: the {offered} of the catalogue's " in done.out


def test_demo_says_what_it_is_doing(demonstrated: tuple[Place, Done]) -> None:
    """No step of some seconds is silent."""
    said = [line for line in demonstrated[1].err.splitlines() if line.endswith("…")]
    assert [line.split(" at ")[0] for line in said] == [
        "Reading the catalogue some …",
        "Starting a stand-in for a model: no provider is configured …",
        "Starting the gateway",
        *(f"Asking question {number} of 3 …" for number in (1, 2, 3)),
    ]


def test_demo_prints_json_and_uses_the_configured_provider(demo_place: Place, upstream: Upstream) -> None:
    """With a provider its one model is found and asked through the gateway; the stand-in is not started."""
    upstream.respond_by(provider)
    settings = {"UPSTREAM__BASE_URL": upstream.base_url, "SERVER__PORT": str(free_port())}
    done = Place(demo_place.path, demo_place.settings | settings).run(
        "demo", "--catalog", "some", "--once", "--json", variables={"OPENAI_API_KEY": "sk-test"}
    )
    asked: list[dict[str, Any]] = done.json["questions"]
    assert (done.code, done.json["model"]) == (0, "their-model")
    assert [question["called"] for question in asked] == ["(none, only words)"] * 3
    chats = [r for r in upstream.requests if r.target.endswith("/chat/completions")]
    assert [len(r.tool_names) for r in chats] == [question["sent"] for question in asked]
    assert {r.values("authorization")[0] for r in upstream.requests} == {"Bearer sk-test"}
    assert "stand-in" not in done.out + done.err


def provider(request: Request) -> Answer:
    """Answer as a provider with one model."""
    if request.target.endswith("/models"):
        return json_answer({"object": "list", "data": [{"id": "their-model", "object": "model"}]})
    return completes(request)


def test_demo_with_a_provider_that_is_not_there_says_so(demo_place: Place) -> None:
    """An unreachable provider is exit code 1 and its address."""
    settings = {"UPSTREAM__BASE_URL": f"http://127.0.0.1:{free_port()}/v1"}
    done = Place(demo_place.path, demo_place.settings | settings).run("demo", "--catalog", "some", "--port", "0")
    assert (done.code, done.out) == (1, "")
    assert f"The provider at {settings['UPSTREAM__BASE_URL']} cannot be reached" in done.err


def test_demo_without_its_catalogue_says_where_to_look(place: Place) -> None:
    """Outside of the project the sample is not there, and the option that names one is told."""
    done = place.run("demo", "--once")
    assert (done.code, done.out) == (1, "")
    assert done.err == ("examples/catalog: there is no such folder. Name one with catalogue files: --catalog PATH\n")


def test_demo_serves_until_ctrl_c_and_leaves_no_process(demo_place: Place) -> None:
    """After the questions the gateway answers; Ctrl-C ends it and the stand-in, with exit code 0."""
    port = free_port()
    process = demo_place.start("demo", "--catalog", "some", "--port", str(port))
    wait_until(lambda: "until Ctrl-C.\nAdmin API" in demo_place.written())
    models = httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False).json()
    assert [model["id"] for model in models["data"]] == [MODEL]
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert len(family) >= 2
    assert not any(child.is_running() for child in family)
    assert TRACEBACK not in demo_place.written()


def test_demo_that_is_stopped_while_it_starts_leaves_no_process(demo_place: Place) -> None:
    """SIGTERM before the first question ends what was started, with exit code 130."""
    process = demo_place.start("demo", "--catalog", "some", "--port", "0")
    parent = psutil.Process(process.pid)
    wait_until(lambda: bool(parent.children()))
    family = parent.children()
    process.terminate()
    assert process.wait(10) == 130
    assert not any(child.is_running() for child in family)
    assert TRACEBACK not in demo_place.written()


def test_demo_upstream_says_where_it_serves_and_what_it_is(place: Place) -> None:
    """It names its address and itself, and Ctrl-C ends it with 0."""
    process = place.start("demo-upstream", "--port", "0")
    wait_until(lambda: "until Ctrl-C" in place.written())
    said = place.written()
    address = said.split("serves at ")[1].split()[0]
    wait_until(lambda: answers(f"{address}/models"))
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0
    assert said == f"The stand-in for a model serves at {address} until Ctrl-C.\n" == place.written()


def answers(url: str) -> bool:
    """Tell whether a server answers."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_demo_upstream_on_a_busy_port_says_so(place: Place, upstream: Upstream) -> None:
    """A port that is taken is exit code 1 and what to do."""
    done = place.run("demo-upstream", "--port", str(upstream.port))
    assert done.code == 1
    assert "Address already in use. Choose another port with --port." in done.err


def test_demo_makes_a_key_where_callers_need_one(demo_place: Place) -> None:
    """In managed mode with a pepper it asks with a key of its own, which opens nothing afterwards."""
    managed = {"UPSTREAM__CREDENTIALS": "managed", "CALLERS__PEPPER": "a-pepper-of-more-than-32-characters"}
    place = Place(demo_place.path, demo_place.settings | managed)
    done = place.run("demo", "--catalog", "some", "--once", "--port", "0", "--json")
    assert (done.code, len(done.json["questions"])) == (0, 3)
    in_its_registry = Place(place.path, place.settings | {"REGISTRY__URL": "sqlite:///data/demo.db"})
    assert [key["state"] for key in in_its_registry.run("keys", "list", "--json").json] == ["revoked"]
