"""`toolfunnel tools`: import, list, show and rm, as they are used in a terminal and in scripts."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.cli.command import TRACEBACK, Place, catalogue, wait_until
from tests.support import tools
from tests.support.gateway import GatewayProcess, free_port

EXACT = rb'{ "type":"function", "function":{"name":"exact","parameters":{"const":1.10,"title":"\u5929"} } }'
YAML = """
- type: function
  function:
    name: from_yaml
    parameters: {enum: [no, 2024-05-01]}
"""
BROKEN = """
{"type": "function", "function": {"name": "good"}}

{"type": "function", "function": {"name": "not good"}}
{"type": "function", "function": {"name": "good"}}
{"type": "function",
"""


def test_import_takes_every_kind_of_file_and_keeps_definitions(place: Place) -> None:
    """JSON, JSONL with BOM and blank lines, and YAML go in together; numbers and escapes stay as they were written."""
    place.write("a.json", b'{"tools": [' + EXACT + b"]}")
    place.write("b.jsonl", b'\xef\xbb\xbf{"type":"function","function":{"name":"from_jsonl"}}\r\n\r\n')
    place.write("c.yaml", YAML)
    done = place.run("tools", "import", "a.json", "b.jsonl", "c.yaml", "--json")
    names = ["exact", "from_jsonl", "from_yaml"]
    offer = {"tools": 3, "now": 3, "withheld": [], "tenants": {}}
    told = {"created": names, "updated": [], "unchanged": [], "near_duplicates": [], "offer": offer}
    assert (done.code, done.json) == (0, told)
    shown = place.run("tools", "show", "exact")
    assert (shown.code, shown.json["risk"]) == (0, "read")
    assert '"const": 1.10' in shown.out
    assert r"\u5929" in shown.out


def test_import_again_changes_nothing(stocked: Place, imported: object) -> None:
    """The same file a second time: all unchanged, nothing embedded."""
    stocked.write("tools.json", catalogue([tools.record(t, tags=[tools.thing_of(t)]) for t in tools.distinct(38)]))
    done = stocked.run("tools", "import", "tools.json")
    assert (done.code, done.out) == (0, "38 tools: 0 created, 0 updated, 38 unchanged\n")
    assert done.err == "38 of 38 tools can be offered now\n"


def test_import_names_every_bad_entry_and_takes_none(place: Place) -> None:
    """Three bad lines and a file that is not there are all told, with their places, and nothing is registered."""
    place.write("bad.jsonl", BROKEN)
    done = place.run("tools", "import", "bad.jsonl", "absent.json")
    assert (done.code, done.out) == (1, "")
    absent, bad_name, twice, cut, last = done.err.splitlines()
    assert absent == "absent.json: there is no such file"
    assert bad_name.startswith("bad.jsonl, line 4 (not good): ")
    assert twice == "bad.jsonl, line 5: the name good stands in bad.jsonl, line 2 already"
    assert cut.startswith("bad.jsonl, line 6: not a JSON object: ")
    assert last == "Nothing was imported."
    assert place.count("tools") == 0


def test_import_succeeds_while_an_encoder_is_down(place: Place) -> None:
    """What cannot be embedded now is registered all the same, and that is said once."""
    place.write("tools.json", catalogue(tools.distinct(40)))
    down = {"kind": "endpoint", "base_url": f"http://127.0.0.1:{free_port()}/v1", "model": "m", "dimension": 4}
    done = place.run("tools", "import", "tools.json", variables={"TOOLFUNNEL_ENCODER": json.dumps(down)})
    assert (done.code, done.out) == (0, "40 tools: 40 created, 0 updated, 0 unchanged\n")
    assert done.err.startswith("Words find the tools until the server has embedded them: the embeddings endpoint ")
    assert len(done.err.splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_import_that_is_interrupted_leaves_nothing_half_done(place: Place, number: signal.Signals) -> None:
    """Ctrl-C, or another end, while tools are indexed: exit code 130, a sentence, and no tool registered."""
    place.write("tools.json", catalogue([tools.function(f"t{i}", "many words " * 80) for i in range(1500)]))
    process = place.start("tools", "import", "tools.json")
    wait_until(lambda: place.count("vectors") > 0)
    process.send_signal(number)
    assert process.wait(20) == 130
    assert TRACEBACK not in place.written()
    assert "Stopped. Tools are registered all together or not at all" in place.written()
    assert place.count("tools") == 0


def test_imports_at_the_same_time_both_succeed_or_say_why(place: Place) -> None:
    """Of two processes that import into a new registry, each succeeds or says that the other one is writing."""
    for name in ("a", "b"):
        place.write(f"{name}.json", catalogue(tools.distinct(60, prefix=f"{name}_")))
    done = place.shell(
        "toolfunnel tools import a.json & a=$!; toolfunnel tools import b.json; echo $?; wait $a; echo $?"
    )
    codes = [int(line) for line in done.out.splitlines() if line.isdigit()]
    assert TRACEBACK not in done.err
    assert len(codes) == 2
    assert done.err.count("Another process is writing") == sum(codes)
    assert place.count("tools") == 60 * codes.count(0)


def test_import_is_seen_by_a_running_server(place: Place) -> None:
    """A server on the same registry offers what was imported, without being told."""
    place.write("tools.json", catalogue(tools.distinct(5)))
    gateway = GatewayProcess.start(place.path / "server", {"REGISTRY__URL": f"sqlite:///{place.database}"})
    try:
        assert place.run("tools", "import", "tools.json").code == 0
        wait_until(lambda: gateway.admin("GET", "/admin/stats").json()["catalog"]["tools"] == 5)
    finally:
        gateway.stop()


def test_list_prints_records_as_json(stocked: Place) -> None:
    """`--json` gives whole records, by risk and text as asked."""
    done = stocked.run("tools", "list", "--risk", "dangerous", "--q", "ERASE", "--json")
    assert [record["tool"]["function"]["name"] for record in done.json] == ["wipe_disk"]
    assert done.json[0]["tags"] == ["disk"]


def test_list_searches_as_requests_do(place: Place) -> None:
    """E8: e-mail tools are found by "email" and by what they do, in any language, offered or not, the best first."""
    kept = [
        tools.record(tools.function("mail_send", "Send an e-mail to people."), risk="write"),
        tools.record(tools.function("mail_read", "Read an e-mail from the inbox.")),
        tools.record(tools.function("mail_purge", "Erase every e-mail for good."), risk="dangerous"),
        tools.record(tools.function("mail_old", "Send an e-mail the old way."), enabled=False),
        *(tools.record(tool) for tool in tools.distinct(30)),
    ]
    place.write("tools.json", catalogue(kept))
    assert place.run("tools", "import", "tools.json").code == 0
    found = place.run("tools", "list", "--q", "email", "--json").json
    assert {tools.name_of(record["tool"]) for record in found} >= {"mail_send", "mail_read", "mail_purge", "mail_old"}
    assert len(found) <= 20
    shown = place.run("tools", "list", "--q", "メールを送信する", "--limit", "3").out.splitlines()
    assert shown[1].split()[:3] == ["mail_send", "write", "withheld"]
    assert ["mail_old", "read", "off"] in [line.split()[:3] for line in shown]
    assert shown[-1] == "3 of 34 tools, best first"
    assert place.run("tools", "list", "--q", "メールを送信する", "--tag", "nothing").out.startswith("None of 34 tools")


def test_list_finds_a_part_of_a_word(stocked: Place) -> None:
    """What has the text in its name is found, though no word is that; it counts before what only means the like."""
    found = stocked.run("tools", "list", "--q", "ther-Fore", "--limit", "1", "--json").json
    assert [tools.name_of(record["tool"]) for record in found] == ["weather_forecast"]


def test_list_fits_a_narrow_terminal(stocked: Place) -> None:
    """At 80 columns no line is longer, and names are whole."""
    done = stocked.in_terminal(80, "tools", "list", "--tag", "invoice")
    assert max(len(line.rstrip()) for line in done.out.splitlines()) <= 80
    assert "schedule_invoice " in done.out


def test_list_does_not_let_text_steer_the_terminal(place: Place) -> None:
    """Escape sequences in a description, registered before they were refused, are shown as replacement characters."""
    place.write("a.json", catalogue([tools.function("a", "red alert")]))
    place.run("tools", "import", "a.json")
    with closing(sqlite3.connect(place.database)) as connection, connection:
        connection.execute("UPDATE tools SET description = ?", ("red \x1b[31m alert \x07",))
    done = place.run("tools", "list")
    assert "red \N{REPLACEMENT CHARACTER}[31m alert" in done.out
    assert "\x1b" not in done.out


def test_empty_catalogue_is_said_with_what_to_do(place: Place) -> None:
    """List and route on an empty catalogue name it and the command that fills it; as JSON they are just empty."""
    said = (
        0,
        "The catalogue sqlite:///data/toolfunnel.db is empty. 'toolfunnel tools import FILE...' registers tools.\n",
    )
    listed, routed = place.run("tools", "list"), place.run("route", "Any rain?")
    assert (listed.code, listed.out) == said
    assert (routed.code, routed.out) == said
    assert place.run("tools", "list", "--json").json == []


def test_show_of_an_unknown_tool_fails(stocked: Place) -> None:
    """An unknown name is exit code 1, on standard error, with how to search."""
    done = stocked.run("tools", "show", "nothing", "--json")
    assert (done.code, done.out) == (1, "")
    assert "'toolfunnel tools list --q TEXT' searches" in done.err


def test_rm_removes_and_tells_what_was_not_there(stocked: Place) -> None:
    """Of two names one is removed and the other told; the exit code is 1."""
    done = stocked.run("tools", "rm", "wipe_disk", "nothing", "wipe_disk", "--json")
    assert (done.code, done.json) == (1, {"removed": ["wipe_disk"], "missing": ["nothing"]})
    assert "There is no tool 'nothing'." in done.err
    assert stocked.count("tools") == 39


def test_reader_that_leaves_is_no_error(stocked: Place) -> None:
    """A broken pipe ends the command without a word."""
    done = stocked.shell("toolfunnel tools list --json | true; exit ${PIPESTATUS[0]}")
    assert (done.code, done.err) == (1, "")


def test_full_disk_behind_the_output_is_said(stocked: Place) -> None:
    """Output that cannot be written is exit code 1 and a sentence."""
    done = stocked.shell("toolfunnel tools list > /dev/full")
    assert (done.code, done.err) == (1, "The output cannot be written: No space left on device\n")


def test_terminal_without_unicode_is_no_error(stocked: Place) -> None:
    """Where the locale is ASCII, tables show question marks and JSON escapes."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    listed = stocked.run("tools", "list", "--q", "天気", "--limit", "1", variables=ascii_only)
    assert (listed.code, listed.out.splitlines()[-1]) == (0, "1 of 40 tools, best first")
    shown = stocked.run("tools", "show", "weather_forecast", variables=ascii_only)
    assert shown.out.isascii()
    assert shown.json["keywords"] == ["天気", "天气"]


def test_import_warns_of_near_duplicates(stocked: Place) -> None:
    """A new tool that says what another one says is registered all the same, and told on standard error."""
    name, description = tools.name_of(tools.distinct(1)[0]), tools.distinct(1)[0]["function"]["description"]
    stocked.write("copy.json", catalogue([tools.record(tools.function("copied", description.upper()))]))
    done = stocked.run("tools", "import", "copy.json")
    assert (done.code, done.out) == (0, "1 tool: 1 created, 0 updated, 0 unchanged\n")
    assert "1 pair of near-duplicates; nothing was refused for that:" in done.err
    assert re.search(rf"^copied +{name} +0\.\d\d +same description$", done.err, re.MULTILINE)


def test_import_tells_twenty_pairs_at_most(place: Place) -> None:
    """Of many pairs the likest stand there, with the number of the others; JSON has as many."""
    alike = [tools.function(f"copy_{number}", "Show the weather.") for number in range(8)]
    place.write("alike.json", catalogue(list(map(tools.record, alike))))
    done = place.run("tools", "import", "alike.json")
    assert done.err.count("same description") == 20
    assert "28 pairs of near-duplicates" in done.err
    assert "and 8 more: 'toolfunnel tools duplicates' lists them" in done.err
    place.write("alike.json", catalogue([tools.record(tool, risk="write") for tool in alike]))
    assert len(place.run("tools", "import", "alike.json", "--json").json["near_duplicates"]) == 20


def test_duplicates_lists_pairs(stocked: Place) -> None:
    """The table and JSON hold the same; source, threshold and limit narrow them."""
    copies = [tools.record(tools.function(f"wipe_{n}", "Erase a disk!"), source=f"s{n}") for n in range(2)]
    stocked.write("copies.json", catalogue(copies))
    stocked.run("tools", "import", "copies.json")
    listed = stocked.run("tools", "duplicates", "--threshold", "0.99")
    assert (listed.code, listed.out.splitlines()[-1]) == (0, "3 pairs of near-duplicates")
    found = stocked.run("tools", "duplicates", "--threshold", "0.99", "--json").json
    assert found["total"] == len(found["duplicates"]) == 3
    one = stocked.run("tools", "duplicates", "--source", "s0", "--threshold", "0.99", "--limit", "1")
    assert one.out.splitlines()[-1] == "1 of 2 pairs of near-duplicates"
    assert stocked.run("tools", "duplicates", "--source", "nobody").out == "0 pairs of near-duplicates\n"


def test_import_says_what_can_be_offered(place: Place) -> None:
    """At its end, on standard error: how many of its tools can be, and for the others what to set."""
    names = ("read_it", "see_it", "send_it", "erase_it", "leave_it")
    risks = ("read", "read", "write", "dangerous", "read")
    kept = [tools.record(tools.function(name), risk=risk) for name, risk in zip(names, risks, strict=True)]
    kept[-1]["enabled"] = False
    place.write("tools.json", catalogue(kept))
    assert place.run("tools", "import", "tools.json").err.splitlines()[-4:] == [
        "2 of 5 tools can be offered now",
        "   1  disabled: enable it: PATCH /admin/tools/NAME with enabled: true",
        "   1  risk dangerous, which is never offered",
        "   1  risk write, not in safety.allow: add write to safety.allow",
    ]
    again = place.run("tools", "import", "tools.json", "--json").json
    assert (again["offer"]["tools"], again["offer"]["now"], len(again["unchanged"])) == (5, 2, 5)


def test_columns_say_how_wide_a_table_is_in_a_pipe(stocked: Place) -> None:
    """Lines are as long as COLUMNS says; what is no number, or none at all, is as if it were not there."""
    widths = {}
    for given in ("60", "", "0", "wide"):
        done = stocked.run("tools", "list", variables={"COLUMNS": given})
        widths[given] = max(len(line.rstrip()) for line in done.out.splitlines())
    assert widths["60"] <= 60
    assert 60 < widths[""] <= 140
    assert widths["0"] == widths["wide"] == widths[""]
