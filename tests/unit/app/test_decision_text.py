"""A decision for people: what stands where, and that it fits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.cells import cell_len

from app.decision_text import WIDTH, show_decision

WRITE = "risk write, not in safety.allow"


def _row(name: str, rank: int | None = None, **fields: Any) -> dict[str, Any]:
    """Give a tool's part in a decision: by words and meaning at the rank that it has altogether."""
    place = _place(2.5, rank) if rank else None
    channels = {"use": place, "lexical": place} if place else {}
    base = {"name": name, "chosen": True, "why": "retrieved", "from": "catalogue", "fused": place, "channels": channels}
    return base | {"description": "Does [a].", "would_be": None, "withheld": None} | fields


def _place(score: float, rank: int) -> dict[str, float]:
    return {"score": score, "rank": rank, "adds": score}


def _withheld(name: str, rank: int, *reasons: str, sent: bool = True, do: str = "add write to safety.allow") -> Any:
    kept = {"reasons": list(reasons), "do": [do] if do else [], "would_be_sent": sent}
    return _row(name, chosen=False, why="not permitted", would_be=_place(3, rank), withheld=kept)


def _shown(capsys: pytest.CaptureFixture[str], *rows: dict[str, Any], question: str = "What now?", **more: Any) -> str:
    """Show a decision; give what is printed, without blanks at the ends of lines."""
    kept = [row for row in rows if row["withheld"]]
    explained = {
        "query": [{"text": question, "weight": 1.0}],
        "tools": rows,
        "available": 7,
        "tokens": {"before": 5_000, "after": 500},
        "timings_ms": {"route": 1.0},
        "mode": "hybrid",
        "source": {"used": "both", "why": "alone"},
        "relevance": None,
        "withheld": {"tools": len(kept), "by": [{"tools": len(kept), "reason": WRITE, "do": ""}]},
    }
    show_decision(more.pop("asked", question), json.loads(json.dumps(explained | more)))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(cell_len, lines)) <= WIDTH
    return "\n".join(lines)


def test_decision_says_what_is_sent_and_what_came_close(capsys: pytest.CaptureFixture[str]) -> None:
    """The question, how many of how many, the sent by rank, then the next ones; no reason where it is the usual."""
    near = _row("c", 3, chosen=False, why="over budget")
    lines = _shown(capsys, _row("b", 2), _row("a", 1), near, question="What [b]now[/b]?").splitlines()
    assert lines[1] == "What [b]now[/b]?"
    assert lines[2:4] == [
        "2 of 7 tools are sent, 500 instead of 5,000 tokens (estimated)",
        "by meaning and words, 1.0 ms",
    ]
    assert lines[5].split() == ["sent", "score", "meaning", "words", "description"]
    assert lines[6].split() == ["1", "a", "2.50", "#1", "#1", "Does", "[a]."]
    assert lines[7].split()[:2] == ["2", "b"]
    assert lines[9].strip() == "came close"
    assert lines[10].split()[:2] == ["3", "c"]


def test_decision_tells_reasons_that_are_not_the_usual(capsys: pytest.CaptureFixture[str]) -> None:
    """A pinned tool that no search ranked says so and has dashes; a keyword that was named is told."""
    named = _row("b", 1)
    named["channels"]["keywords"] = _place(1, 1)
    lines = _shown(capsys, _row("a", why="pinned"), named).splitlines()
    assert lines[5].split()[:3] == ["sent", "why", "score"]
    assert lines[6].split()[:5] == ["a", "pinned", "-", "-", "-"]
    assert lines[7].split()[:4] == ["1", "b", "keyword", "2.50"]


def test_decision_shows_no_rank_that_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A channel in which a tool is below what is usual for the question has no say, and no number."""
    row = _row("a", 1)
    row["channels"] = {"use": _place(2, 1), "lexical": _place(-0.2, 190), "names": _place(0, 80)}
    assert "190" not in _shown(capsys, row)


def test_decision_of_two_encoders_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Two encoders have a column each, under their names."""
    row = _row("a", 1)
    row["channels"] = {"use": _place(3, 1), "gte": _place(2, 4), "lexical": _place(1, 2)}
    lines = _shown(capsys, row).splitlines()
    assert " ".join(lines[5].split()).startswith("sent score by use by gte words")
    assert lines[6].split()[2:6] == ["2.50", "#1", "#4", "#2"]


def test_decision_tells_what_is_withheld_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """What would be sent stands with its rank and reason; the rest is counted, and it says what to set."""
    kept = [_withheld("mail_send", 1, WRITE), _withheld("mail_erase", 9, WRITE, sent=False)]
    text = _shown(capsys, _row("a", 1), *kept)
    assert " 1  mail_send                    would be first; risk write, not in safety.allow" in text
    assert "mail_erase" not in text
    assert "2 tools withheld: 2 risk write, not in safety.allow" in text
    assert "- to have mail_send offered: add write to safety.allow" in text


def test_decision_tells_of_what_is_never_offered_only_near_the_top(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be done about a dangerous tool: it is told where it would be among the very best."""
    never = "risk dangerous, which is never offered"
    text = _shown(capsys, _row("a", 1), _withheld("first", 3, never, do=""), _withheld("later", 4, never, do=""))
    assert "first" in text
    assert "later" not in text


@pytest.mark.parametrize("relevant", [True, False])
def test_decision_says_when_no_tool_is_needed(capsys: pytest.CaptureFixture[str], relevant: bool) -> None:
    """What is below the floor is said to be, by how much, with the nearest tools and how to have them sent."""
    margin = 1.25 if relevant else -1.25
    row = _row("a", 1, chosen=False, why="request left as it came")
    text = _shown(capsys, row, relevance={"margin": margin, "relevant": relevant})
    told = "This needs no tool that may be offered: it is 1.2 deviations below what does" in text
    assert told == ("nearest" in text) == ("select.floor: false" in text) == (not relevant)


def test_decision_shows_what_earlier_words_count(capsys: pytest.CaptureFixture[str]) -> None:
    """A message before the newest stands with its weight; a long question is cut."""
    query = [{"text": "and in Busan? " * 50, "weight": 1.0}, {"text": "Weather in Seoul", "weight": 0.5}]
    text = _shown(capsys, _row("a", 1), query=query, asked="")
    assert "after: Weather in Seoul (counts 0.50)" in text
    assert text.count("Busan") < 25


def test_decision_counts_a_clients_own_tools_that_are_all_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Few stand in the table; many are one line, and what is sent beside them is not lost among them."""
    own = [_row(f"own_{i}") | {"why": "client's own", "from": "client"} for i in range(20)]
    few, many = (_shown(capsys, *own[:number], _row("weather", 1)) for number in (3, 20))
    assert " ".join(few.split()).count("client's own") == 3
    assert "and the client's own 20 tools, all of them: own_0, own_1, own_2, own_3 and 16 more" in many
    assert "21 of 7 tools are sent" in many
    assert " 1  weather" in many


@pytest.mark.parametrize(("why", "said"), [("own", "has tools of its own"), ("setting", "tools.source is request")])
def test_decision_says_why_the_catalogue_does_not_join(capsys: pytest.CaptureFixture[str], why: str, said: str) -> None:
    """A request that keeps to its own tools says for what reason; what an application can do is told where it can."""
    text = _shown(capsys, _row("own") | {"from": "client"}, source={"used": "request", "why": why})
    assert f"Of the catalogue nothing is added: the request {said}".replace("the request tools", "tools") in text
    assert ("x-toolfunnel-source: both" in text) == (why == "own")
    assert "nothing is added" not in _shown(capsys, _row("own"))


def test_decision_fits_with_the_longest_names_and_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of 64 characters are shortened in the middle, wide characters count double; each line fits."""
    names = [f"{'a' * 30}_{number}_{'b' * 30}" for number in (1, 2)]
    wide = _row("天気" * 20, 3, description="気象庁が発表中の特別警報・警報・注意報" * 5)
    text = _shown(capsys, *(_row(name, 1) for name in names), wide, question="東京に今出ている気象警報" * 30)
    assert "aaa…" in text
    assert "bbb" in text


def test_text_of_the_catalogue_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What does not print is replaced in descriptions, reasons and the question."""
    kept = _withheld("b", 1, "tenant \x1b[2J")
    text = _shown(capsys, _row("a", 1, description="\x1b[31mred"), kept, question="now\x07?")
    assert "\x1b" not in text
    assert "\x07" not in text
