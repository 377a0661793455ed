"""What the commands show, where it does not need a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


def test_last_use_is_told_to_the_minute() -> None:
    """Just now, or the minute; whoever's clock is behind says just now, too."""
    now = datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC)
    told = [terminal.used_text(now - timedelta(seconds=ago), now) for ago in (-5, 0, 119, 120, 3600)]
    assert told == ["just now", "just now", "just now", "2026-01-02 03:02", "2026-01-02 02:04"]
    assert terminal.used_text(None, now) == "never"
