"""`toolfunnel route`: an explained decision."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.cli.command import Place, catalogue
from tests.support import tools


def test_route_explains_a_question_as_json(stocked: Place) -> None:
    """`--k` bounds the choice; every tool is there with its reason."""
    done = stocked.run("route", "明天东京的天气怎么样？", "--k", "3", "--json")
    why = {row["name"]: row["why"] for row in done.json["tools"]}
    assert (done.code, len(done.json["sent"]), len(why)) == (0, 3, 40)
    assert (why["weather_forecast"], why["wipe_disk"]) == ("retrieved", "not permitted")


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_route_fits_a_terminal(stocked: Place, columns: int) -> None:
    """The best tools stand first with their places, then what came close; 100 columns are enough, 80 will do."""
    done = stocked.in_terminal(columns, "route", "weather forecast", "--k", "2")
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[1:3] == ["weather forecast", lines[2]]
    assert lines[2].startswith("2 of 39 tools are sent, ")
    assert lines[5].split()[:2] == ["sent", "why"]
    assert lines[6].split()[:2] == ["1", "weather_forecast"]
    assert "came close" in [line.strip() for line in lines]
    assert max(map(cell_len, lines)) <= min(columns, 100)


def test_route_tells_what_is_withheld_and_what_to_do(stocked: Place) -> None:
    """A dangerous tool that would be first is told with its place and reason, and how many there are in all."""
    done = stocked.run("route", "erase the disk")
    assert " 1  wipe_disk                    would be first; risk dangerous, which is never offered" in done.out
    assert "1 tool withheld: 1 risk dangerous, which is never offered" in done.out


def test_route_tells_every_reason_as_json(place: Place) -> None:
    """By its risk, by its state, by its tenant: each tool that is kept back has its reasons, and its place if not."""
    kept = [
        tools.record(tools.function("send_mail", "Send an e-mail."), risk="write"),
        tools.record(tools.function("send_fax", "Send a fax."), enabled=False),
        tools.record(tools.function("send_parcel", "Send a parcel."), tenant="acme", risk="write"),
        tools.record(tools.function("read_mail", "Read an e-mail.")),
    ]
    place.write("tools.json", catalogue(kept))
    assert place.run("tools", "import", "tools.json").code == 0
    done = place.run("route", "Send an e-mail", "--json").json
    rows = {row["name"]: row for row in done["tools"]}
    assert rows["send_mail"]["withheld"] == {
        "reasons": ["risk write, not in safety.allow"],
        "do": ["add write to safety.allow"],
        "would_be_sent": True,
    }
    assert rows["send_mail"]["would_be"]["rank"] == 1
    assert rows["send_fax"]["withheld"]["reasons"] == ["disabled"]
    assert len(rows["send_parcel"]["withheld"]["reasons"]) == 2
    assert (rows["read_mail"]["withheld"], rows["read_mail"]["would_be"]) == (None, None)
    assert (done["sent"], done["withheld"]["tools"], done["withheld"]["would_be_sent"]) == (["read_mail"], 3, 3)


def test_route_explains_a_whole_request(stocked: Place) -> None:
    """From a file or standard input: a conversation with tools of the client's own and a part before the question."""
    parts = [{"type": "text", "text": "<note>\nNothing is to be done.\n</note>"}, {"type": "text", "text": "天气"}]
    own = [tools.function(f"own_{number}") for number in range(4)]
    body = tools.chat("unused", tools=own) | {"messages": [{"role": "user", "content": parts}]}
    stocked.write("request.json", tools.encoded(body))
    both = {"TOOLFUNNEL_TOOLS__SOURCE": "both"}
    told = stocked.run("route", "--request", "request.json", "--json", variables=both)
    piped = stocked.shell("export TOOLFUNNEL_TOOLS__SOURCE=both; toolfunnel route --request - --json < request.json")
    assert {row["name"]: row["from"] for row in told.json["tools"]}["own_0"] == "client"
    assert told.json["sent"] == piped.json["sent"]
    assert "weather_forecast" in told.json["sent"]
    alone = stocked.run("route", "--request", "request.json").out
    assert "and the client's own 4 tools" in alone
    assert "Of the catalogue nothing is added: the request has tools of its own" in alone


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--request", "absent.json"), 1, "absent.json: No such file or directory"),
        (("--request", "broken.json"), 1, "This is not a chat request that can be routed"),
        (("--request", "large.json"), 1, "it has more than 1,024 bytes"),
        (("a question", "--request", "broken.json"), 2, "one of them"),
        ((), 2, "one of them"),
        ((" ",), 2, "it is empty"),
    ],
)
def test_route_says_what_it_cannot_explain(place: Place, arguments: tuple[str, ...], code: int, reason: str) -> None:
    """A file that is not there, that is no request or too large for one; and neither or both of question and file."""
    place.write("broken.json", "[1")
    place.write("large.json", " " * 1_025)
    done = place.run("route", *arguments, variables={"TOOLFUNNEL_SERVER__MAX_BODY_BYTES": "1024"})
    assert done.code == code
    assert reason in " ".join(done.err.split())


def test_route_reads_a_question_of_any_locale(stocked: Place) -> None:
    """A Chinese question is understood where the locale is ASCII."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = stocked.run("route", "天气", "--json", variables=ascii_only)
    assert done.json["query"][0]["text"] == "天气"
    assert "weather_forecast" in done.json["sent"]
