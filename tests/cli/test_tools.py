"""`toolfunnel tools` and `toolfunnel route`: the catalogue from the command line."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.command import Place, catalogue, wait_until
from tests.conftest import StartGateway
from tests.support import tools

ODD = (
    b'{ "type":"function", "function" : {"name":"odd","description":"caf\\u00e9 1.0","parameters":{"type":"object",'
    b'"properties":{"x":{"type":"number","default":1.0,"maximum":12345678901234567890}}}} }'
)


def test_import_is_idempotent_and_says_what_changed(stocked: Place) -> None:
    """The same tools again change nothing; another text of one updates it."""
    changed = tools.record(tools.function("weather_forecast", "Another text."))
    stocked.write("one.json", catalogue([changed]))
    first, second = (stocked.run("tools", "import", "one.json", "--json") for _ in range(2))
    assert first.json == {"created": [], "updated": ["weather_forecast"], "unchanged": []}
    assert second.json == {"created": [], "updated": [], "unchanged": ["weather_forecast"]}


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", b"[" + ODD + b"]"), ("a.jsonl", b"\xef\xbb\xbf\n" + ODD + b"\n\n")]
)
def test_import_keeps_definitions_byte_for_byte(place: Place, name: str, text: bytes) -> None:
    """JSON and JSONL tools are stored as the bytes that stand in the file, blank lines and a BOM or not."""
    place.write(name, text)
    assert place.run("tools", "import", name).code == 0
    with closing(sqlite3.connect(place.database)) as connection:
        assert connection.execute("SELECT definition FROM tools").fetchone()[0] == ODD


def test_import_of_yaml_keeps_what_people_mean(place: Place) -> None:
    """`no`, times and dates in an enum are texts, and full records carry their fields."""
    place.write(
        "a.yaml",
        "- tool:\n    type: function\n    function:\n      name: when\n      description: d\n      parameters:\n"
        "        type: object\n        properties:\n          x: {enum: [no, 12:30, 2024-05-01]}\n"
        "  tags: [t]\n  risk: write\n",
    )
    assert place.run("tools", "import", "a.yaml").code == 0
    shown = place.run("tools", "show", "when").json
    assert shown["tool"]["function"]["parameters"]["properties"]["x"]["enum"] == ["no", "12:30", "2024-05-01"]
    assert (shown["tags"], shown["risk"]) == (["t"], "write")


def test_import_names_every_bad_entry_and_takes_nothing(stocked: Place) -> None:
    """Three bad entries in two files are three lines with file, place and reason; the good ones are not taken."""
    good = json.dumps(tools.function("good"))
    stocked.write("a.jsonl", f'{good}\n{{"tool": 1}}\n\n{json.dumps(tools.function("bad name"))}\n')
    stocked.write("b.json", json.dumps([tools.record(tools.function("other"), risk="huge")]))
    done = stocked.run("tools", "import", "a.jsonl", "b.json")
    assert (done.code, done.out, stocked.count("tools")) == (1, "", 40)
    for place, reason in (("a.jsonl, line 2", "tool"), ("a.jsonl, line 4", "bad name"), ("b.json, entry 1", "risk")):
        assert any(place in line and reason in line for line in done.err.splitlines()), done.err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", "[{", "line 1"),
        ("x.yaml", "a: [", "line"),
        ("x.txt", "", "its name should end"),
        ("x.json", "", "empty"),
    ],
)
def test_import_of_a_broken_file_says_what_is_wrong(place: Place, name: str, text: str, said: str) -> None:
    """A broken file is named with what is broken, and where."""
    place.write(name, text)
    done = place.run("tools", "import", name)
    assert (done.code, place.count("tools")) == (1, 0)
    assert name in done.err
    assert said in done.err


def test_import_stopped_by_ctrl_c_leaves_nothing_half_done(place: Place) -> None:
    """Ctrl-C while tools are indexed: no tool is registered, there is no traceback, and the next import works."""
    place.write("many.json", catalogue([tools.record(tool) for tool in tools.distinct(300)]))
    process = place.start("tools", "import", "many.json")
    wait_until(lambda: place.count("vectors") > 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert "Traceback" not in place.written()
    assert place.count("tools") == 0
    assert "300 created" in place.run("tools", "import", "many.json").out


def test_list_filters_and_cuts_to_the_terminal(stocked: Place) -> None:
    """Filters narrow; a line a tool, whole names, within 80 columns."""
    assert [t["tool"]["function"]["name"] for t in stocked.run("tools", "list", "--tag", "weather", "--json").json] == [
        "weather_forecast"
    ]
    assert len(stocked.run("tools", "list", "--risk", "dangerous", "--json").json) == 1
    shown = stocked.in_terminal(80, "tools", "list", "--q", "weather")
    assert "weather_forecast" in shown.out
    assert "1 of 40 tools" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_list_into_a_closed_pipe_is_quiet(stocked: Place) -> None:
    """`tools list | head -1` shows one line and no error."""
    done = stocked.shell("toolfunnel tools list | head -1")
    assert (len(done.out.splitlines()), done.err) == (1, "")


def test_show_and_rm_of_a_missing_tool_fail(stocked: Place) -> None:
    """What is not there is said so, with exit code 1; what is there is removed all the same."""
    assert stocked.run("tools", "show", "nope").code == 1
    done = stocked.run("tools", "rm", "weather_forecast", "nope", "--json")
    assert (done.code, done.json) == (1, {"removed": ["weather_forecast"], "missing": ["nope"]})
    assert stocked.count("tools") == 39


def test_route_explains_a_decision(stocked: Place) -> None:
    """A Japanese question finds the tool; k bounds; the dangerous one is counted as not offered."""
    done = stocked.run("route", "東京の天気は？", "--k", "3", "--json")
    assert (len(done.json["sent"]), "weather_forecast" in done.json["sent"]) == (3, True)
    shown = stocked.run("route", "東京の天気は？", "--k", "3").out
    assert "3 of 39 tools" in shown
    assert "1 tools may not be offered" in shown


def test_route_on_an_empty_catalogue_says_what_to_do(place: Place) -> None:
    """Nothing to choose from is no error, and names the next step."""
    done = place.run("route", "hello")
    assert done.code == 0
    assert "toolfunnel tools import" in done.out


def test_output_in_a_terminal_without_unicode_is_no_error(stocked: Place) -> None:
    """LANG=C shows other characters instead of failing."""
    done = stocked.run(
        "route", "東京の天気は？", variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    )
    assert done.code == 0
    assert "weather_forecast" in done.out


def test_import_is_taken_up_by_a_running_server(start_gateway: StartGateway, place: Place, tmp_path: Path) -> None:
    """A server on the same registry offers what another process registered."""
    database = {"REGISTRY__URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    gateway = start_gateway(**database, REGISTRY__POLL_S="0.1")
    place = Place(place.path, database)
    place.write("one.json", catalogue([tools.function("brand_new", "A new tool.")]))
    assert place.run("tools", "import", "one.json").code == 0
    wait_until(lambda: gateway.admin("GET", "/readyz").json() == {"ready": True, "tools": 1, "pending": 0})


def test_import_while_another_process_writes_waits_or_says_so(stocked: Place) -> None:
    """A registry that stays locked is told by name, and nothing is lost."""
    stocked.write("one.json", catalogue([tools.function("brand_new", "A new tool.")]))
    with closing(sqlite3.connect(stocked.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = stocked.run("tools", "import", "one.json")
        other.execute("ROLLBACK")
    assert (done.code, stocked.count("tools")) == (1, 40)
    assert "Another process is writing" in done.err
