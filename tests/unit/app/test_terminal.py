"""What the commands show, where it does not need a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app import terminal


def test_json_keeps_numbers_and_escapes_of_raw_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """A tool object inside a record is indented, and nothing else is done to it."""
    terminal.print_json({"tool": msgspec.Raw(b'{"a":1.10,"b":1E400,"c":"\\u5929"}'), "text": "天"})
    out = capsys.readouterr().out
    assert all(piece in out for piece in ("1.10", "1E400", r"\u5929", '"天"'))
    assert out.endswith("}\n")


def test_text_that_steers_a_terminal_is_replaced() -> None:
    """Escape sequences and invisible characters become replacement characters, letters of any script stay."""
    assert terminal.printable("天\x1b[2J\x07\u202eé") == "天�[2J��é"
    assert terminal.printable("a\nb", keep="\n") == "a\nb"


def test_given_text_is_utf_8_whatever_the_locale() -> None:
    """Bytes that the locale could not read are read; what was read stays."""
    assert terminal.given("天気".encode().decode("ascii", "surrogateescape")) == "天気"
    assert terminal.given("天気") == "天気"
    assert terminal.given("\udcff") == "�"


@pytest.mark.parametrize(("number", "text"), [(0, "0 tools"), (1, "1 tool"), (1234, "1,234 tools")])
def test_tools_are_counted_in_words(number: int, text: str) -> None:
    """One tool is one tool."""
    assert terminal.counted(number) == text


def _shown(
    capsys: pytest.CaptureFixture[str], *rows: dict[str, Any], relevance: dict[str, Any] | None = None
) -> list[str]:
    """Show a decision; give the lines."""
    explained = {
        "tools": [{"chosen": True, "why": "retrieved", "description": "Does [a]."} | row for row in rows],
        "available": 1,
        "tokens": {"before": 5, "after": 5},
        "timings_ms": {"route": 1.0},
        "mode": "hybrid",
        "relevance": relevance,
    }
    terminal.show_decision("What [b]now[/b]?", json.loads(json.dumps(explained)))
    return capsys.readouterr().out.splitlines()


def _place(score: float, rank: int) -> dict[str, float]:
    return {"score": score, "rank": rank, "adds": score}


def test_decision_without_scores_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A pinned tool that no search ranked has dashes for scores."""
    lines = _shown(capsys, {"name": "a", "why": "pinned", "fused": None, "channels": {}})
    assert lines[1] == "What [b]now[/b]?"
    assert lines[-2].split("  ")[-1] == "description"
    assert lines[-1].split() == ["a", "pinned", "-", "-", "-", "-", "Does", "[a]."]


@pytest.mark.parametrize("relevant", [True, False])
def test_decision_says_when_no_tool_is_needed(capsys: pytest.CaptureFixture[str], relevant: bool) -> None:
    """What is below the floor is said to be, and by how much."""
    margin = 1.25 if relevant else -1.25
    row = {"name": "a", "why": "the question needs no tool", "chosen": False, "fused": None, "channels": {}}
    lines = _shown(capsys, row, relevance={"margin": margin, "relevant": relevant})
    told = [line for line in lines if line.startswith("This needs no tool of the catalogue: it is 1.2 deviations")]
    assert len(told) == (not relevant)


def test_decision_shows_what_each_channel_gave(capsys: pytest.CaptureFixture[str]) -> None:
    """Score and rank of meaning, words and names stand beside the fused score; no vector, no score."""
    channels = {"lexical": _place(2, 2), "names": _place(0.5, 1), "keywords": _place(1, 1)}
    both = {"name": "a", "fused": _place(2.5, 1), "channels": {"use": _place(3.25, 1)} | channels}
    head, *rows = _shown(capsys, both, {"name": "b", "fused": _place(1, 2), "channels": channels})[-3:]
    assert " ".join(head.split()) == "tool why fused by meaning by word by name description"
    assert " ".join(rows[0].split()) == "1 a retrieved 2.500 3.25 #1 2.00 #2 0.50 #1 Does [a]."
    assert " ".join(rows[1].split()) == "2 b retrieved 1.000 - 2.00 #2 0.50 #1 Does [a]."


def test_decision_of_two_encoders_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Two encoders have a column each, under their names."""
    channels = {"use": _place(3, 1), "gte": _place(2, 1), "lexical": _place(1, 1), "names": _place(0, 1)}
    head, row = _shown(capsys, {"name": "a", "fused": _place(2, 1), "channels": channels})[-2:]
    assert " ".join(head.split()) == "tool why fused by use by gte by word by name description"
    assert " ".join(row.split()).startswith("1 a retrieved 2.000 3.00 #1 2.00 #1 1.00 #1 0.00 #1")


def test_last_use_is_told_to_the_minute() -> None:
    """Just now, or the minute; whoever's clock is behind says just now, too."""
    now = datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC)
    told = [terminal.used_text(now - timedelta(seconds=ago), now) for ago in (-5, 0, 119, 120, 3600)]
    assert told == ["just now", "just now", "just now", "2026-01-02 03:02", "2026-01-02 02:04"]
    assert terminal.used_text(None, now) == "never"
