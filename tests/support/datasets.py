"""Data sets to evaluate: written into a folder, small enough to work out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import tools


def entry(name: str, description: str = "", *, as_id: str = "", **fields: Any) -> dict[str, Any]:
    """Give a line of tools.jsonl."""
    return {"id": as_id or name, "tool": tools.function(name, description), **fields}


def question(number: object, said: str | Sequence[str], *gold: str, **fields: Any) -> dict[str, Any]:
    """Give a line of queries.jsonl; several texts are a user's messages in a row."""
    texts = [said] if isinstance(said, str) else said
    return {"id": str(number), "messages": [tools.user(text) for text in texts], "gold": list(gold), **fields}


def lines(values: Sequence[object]) -> str:
    """Write JSONL."""
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def write(
    folder: Path,
    entries: Sequence[object],
    questions: Sequence[object],
    equivalent: Mapping[str, str] | None = None,
) -> Path:
    """Write a data set; give its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tools.jsonl").write_text(lines(entries), encoding="utf-8")
    (folder / "queries.jsonl").write_text(lines(questions), encoding="utf-8")
    if equivalent is not None:
        (folder / "equiv.json").write_text(json.dumps(equivalent), encoding="utf-8")
    return folder


WEATHER = [
    entry("weather_forecast", "Weather forecast of the next days for a city."),
    entry("forecast_weather", "Weather forecast of the next days for a city."),
    entry("find_flights", "Flights between two airports on a day."),
    entry("exchange_rate", "Exchange rate between two currencies."),
    entry("play_song", "Play a song by its title."),
]
SAME_WEATHER = {"weather_forecast": "weather", "forecast_weather": "weather"}
