"""`toolfunnel eval`: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

import pytest

from tests.cli.command import TRACEBACK, Place, catalogue, wait_until
from tests.support.datasets import SAME_WEATHER, WEATHER, lines, question, write

ASKED = [
    question(1, "Will it rain in Rome tomorrow?", "weather_forecast", lang="en"),
    question(2, "歌を流して", "play_song", lang="ja"),
    question(3, ["Flights from Rome to Oslo", "And what is a krone in euros?"], "exchange_rate", lang="en"),
    question(4, "Hello!"),
]


@pytest.fixture
def weather(place: Place) -> Place:
    """A directory with a data set of five tools and four questions."""
    write(place.path / "weather", WEATHER, ASKED, SAME_WEATHER)
    return place


def test_eval_prints_tables_for_people(weather: Place) -> None:
    """Figures by language and ranking, the curve, and a sentence each on what is sent, later turns and small talk."""
    done = weather.run("eval", "weather", "--reference")
    rows = {words[0]: words[1:] for line in reversed(done.out.splitlines()) if (words := line.split())}
    assert done.code == 0
    assert rows["weather:"] == ["5", "tools,", "4", "questions"]
    assert rows["all"][:3] == ["3", "100.0", "100.0"]
    assert {"use", "lexical", "names", "reference", "Sent:", "Later", "Nothing", "Routing"} <= rows.keys()
    assert "language ja" in done.out
    assert "asking" in done.err


def test_eval_fits_a_narrow_terminal(weather: Place) -> None:
    """At 80 columns labels are cut, figures are whole, and what is left out is said."""
    asked = [*ASKED, question(5, "zebra", "play_song", category="a_category_with_a_very_long_name_indeed")]
    write(weather.path / "weather", WEATHER, asked, SAME_WEATHER)
    done = weather.in_terminal(80, "eval", "weather")
    shown = [line.rstrip() for line in done.out.split("weather: 5 tools")[1].splitlines()]
    assert max(map(len, shown)) <= 80
    assert any(line.startswith("category a_cat") and "…" in line.split()[1] for line in shown)
    assert not any("…" in line.split(maxsplit=2)[-1] for line in shown if line.startswith(("all", "category", "fused")))
    assert "C@5 and C@10: in a wider terminal, or with --json." in shown


def test_eval_prints_json_for_programs(weather: Place) -> None:
    """Figures, and every question with its ranks."""
    done = weather.run("eval", "weather", "--json", "--k", "2")
    (found,) = done.json["datasets"]
    assert [(one["id"], one["ranks"]["fused"], one["sent"]) for one in found["results"][:2]] == [
        ("1", [1], 2),
        ("2", [1], 2),
    ]
    assert (found["summary"]["nothing_wanted"]["all"]["queries"], found["summary"]["later_turns"]) == (1, 1)
    assert found["summary"]["curves"]["fused"]["5"] == 1.0
    assert (done.json["max"], done.json["encoder"]) == (2, "use-multilingual-3/0.2/512")


def test_eval_compares_with_an_earlier_run(weather: Place) -> None:
    """The same again moves no rank; with one tool a request less is sent."""
    weather.write("earlier.json", weather.run("eval", "weather", "--json").out)
    done = weather.run("eval", "weather", "--k", "1", "--compare", "earlier.json")
    cells = {line[:12].strip(): line[12:].split() for line in done.out.splitlines()}
    assert "weather, compared over 4 questions" in done.out
    assert cells["R@5"][:3] == ["100.0", "100.0", "+0.0"]
    assert cells["tools sent"][:2] == ["5.0", "1.0"]
    assert cells["tools sent"][-1] == "*"


def test_eval_writes_a_page(weather: Place) -> None:
    """One file with a chart, and nothing else beside it."""
    before = set(weather.path.iterdir())
    done = weather.run("eval", "weather", "--report", "page.html")
    assert done.code == 0
    assert set(weather.path.iterdir()) - before == {weather.path / "page.html"}
    assert "<polyline" in (weather.path / "page.html").read_text(encoding="utf-8")


def test_eval_overwrites_no_page_unless_forced(weather: Place) -> None:
    """What is there stays, and is not measured for nothing; --force replaces it."""
    weather.write("page.html", "mine")
    done = weather.run("eval", "weather", "--report", "page.html")
    assert (done.code, done.err) == (1, "page.html is there already. --force replaces it\n")
    assert (weather.path / "page.html").read_text() == "mine"
    assert weather.run("eval", "weather", "--report", "page.html", "--force").code == 0
    assert (weather.path / "page.html").read_text() != "mine"


def test_eval_samples_and_takes_other_questions(weather: Place) -> None:
    """`--limit` draws of the questions of a file that stands in for the data set's own."""
    weather.write("mine.jsonl", lines([question(number, "a song", "play_song") for number in range(9)]))
    done = weather.run("eval", "weather", "--queries", "mine.jsonl", "--limit", "2", "--json")
    (found,) = done.json["datasets"]
    assert (found["queries"], found["sampled"]) == (2, True)


def test_eval_of_the_live_catalogue_asks_for_registered_tools(stocked: Place) -> None:
    """Gold are names; a dangerous tool may not be offered, which is said, and is not found."""
    asked = [question(1, "天気予報", "weather_forecast"), question(2, "Erase a disk", "wipe_disk")]
    stocked.write("mine.jsonl", lines(asked))
    done = stocked.run("eval", "--catalog", "live", "--queries", "mine.jsonl", "--json")
    (found,) = done.json["datasets"]
    assert (found["name"], found["tools"]) == ("live", 40)
    assert [one["ranks"]["fused"] for one in found["results"]] == [[1], [None]]
    assert "1 of the wanted tools may not be offered" in done.err


def test_eval_takes_the_tools_of_catalogue_files(weather: Place) -> None:
    """Questions and equivalences of the folder, tools of the file, and only the questions of a split."""
    weather.write("tools.json", catalogue([one["tool"] for one in WEATHER]))
    asked = [question(1, "rain tomorrow?", "forecast_weather", split="test"), question(2, "x", split="dev")]
    weather.write("mine.jsonl", lines(asked))
    options = ["--catalog", "tools.json", "--queries", "mine.jsonl", "--split", "test", "--json"]
    named, alone = (weather.run("eval", *folder, *options).json["datasets"][0] for folder in (["weather"], []))
    assert [(one["name"], one["tools"], one["queries"]) for one in (named, alone)] == [
        ("weather", 5, 1),
        ("mine", 5, 1),
    ]
    assert named["results"][0]["ranks"]["fused"] == [1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name data sets, or a --catalog"),
        (["--catalog", "live"], "name data sets, or a --catalog"),
        (["weather", "other", "--queries", "mine.jsonl"], "one data set"),
        (["weather", "weather"], "the same name"),
        (["weather", "--limit", "0"], "Invalid value for '--limit'"),
    ],
    ids=" ".join,
)
def test_eval_written_wrong_exits_2(weather: Place, arguments: list[str], said: str) -> None:
    """The message says what is wrong, and nothing is printed."""
    done = weather.run("eval", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.replace("│", " ").split())


def test_eval_without_a_catalogue_exits_2(weather: Place) -> None:
    """Where only the client's own tools are sent there is nothing to measure."""
    done = weather.run("eval", "weather", variables={"TOOLFUNNEL_TOOLS__SOURCE": "request"})
    assert (done.code, done.out) == (2, "")
    assert "tools.source" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "none: there is no such folder"),
        (["weather", "--queries", "bad.jsonl"], "bad.jsonl, line 1: there is no tool 'x'"),
        (["weather", "--compare", "bad.jsonl"], "bad.jsonl: this is not what 'toolfunnel eval --json' prints"),
        (["weather", "--report", "none/page.html"], "none/page.html: a report cannot be written there"),
        (["--catalog", "live", "--queries", "bad.jsonl"], "bad.jsonl, line 1: there is no tool 'x'"),
        (["weather", "--catalog", "none.yaml"], "none.yaml: there is no such file"),
        (["weather", "--split", "dev"], "weather: no question is of the split 'dev'"),
    ],
    ids=" ".join,
)
def test_eval_of_what_cannot_be_used_exits_1(weather: Place, arguments: list[str], said: str) -> None:
    """Found before anything is measured; nothing is printed."""
    weather.write("bad.jsonl", lines([question(1, "x", "x")]))
    done = weather.run("eval", *arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_eval_stopped_by_ctrl_c_writes_nothing(weather: Place) -> None:
    """No figures, no page, no traceback; the exit code says that it was stopped."""
    write(weather.path / "long", WEATHER, [question(n, f"What is {n} krone in euros?") for n in range(200_000)])
    process = weather.start("eval", "long", "--report", "page.html", "--json")
    try:
        wait_until(lambda: "indexing tools" in weather.written())  # shown when it is over: it is asking now
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
    assert (weather.written("out"), (weather.path / "page.html").exists()) == ("", False)
    assert "Stopped. Nothing was written." in weather.written()
    assert TRACEBACK not in weather.written()


def test_eval_keeps_the_registry_as_it_is(stocked: Place) -> None:
    """Asking about the live catalogue registers nothing and changes nothing."""
    stocked.write("mine.jsonl", lines([question(1, "天気予報", "weather_forecast")]))
    with closing(sqlite3.connect(stocked.database)) as connection:
        before = connection.execute("SELECT * FROM tools").fetchall()
        assert stocked.run("eval", "--catalog", "live", "--queries", "mine.jsonl").code == 0
        assert connection.execute("SELECT * FROM tools").fetchall() == before
