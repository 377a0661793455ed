"""`toolfunnel route`: an explained decision."""

from __future__ import annotations

from tests.cli.command import Place


def test_route_explains_a_question_as_json(stocked: Place) -> None:
    """`--k` bounds the choice; every tool is there with its reason."""
    done = stocked.run("route", "明天东京的天气怎么样？", "--k", "3", "--json")
    why = {row["name"]: row["why"] for row in done.json["tools"]}
    assert (done.code, len(done.json["sent"]), len(why)) == (0, 3, 40)
    assert (why["weather_forecast"], why["wipe_disk"]) == ("retrieved", "not permitted")


def test_route_lays_a_decision_out_for_a_wide_terminal(stocked: Place) -> None:
    """At 140 columns the best tools stand first with scores, reason and description, and what was refused is said."""
    done = stocked.in_terminal(140, "route", "weather forecast", "--k", "2")
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[2].startswith("2 of 39 tools, ")
    assert lines[5].split()[:3] == ["1", "weather_forecast", "retrieved"]
    assert lines[5].endswith("forecast of the next days for a city.")
    assert lines[-1] == "1 tool may not be offered: disabled, of a tenant, or of a risk outside safety.allow"
    assert max(map(len, lines)) <= 140


def test_route_fits_a_narrow_terminal(stocked: Place) -> None:
    """At 80 columns the descriptions go, the scores stay."""
    done = stocked.in_terminal(80, "route", "Where is the invoice of the shipment?")
    lines = done.out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert any(line.split()[1:3] == ["why", "fused"] for line in lines)


def test_route_reads_a_question_of_any_locale(stocked: Place) -> None:
    """A Chinese question is understood where the locale is ASCII."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = stocked.run("route", "天气", "--json", variables=ascii_only)
    assert done.json["query"][0]["text"] == "天气"
    assert "weather_forecast" in done.json["sent"]
