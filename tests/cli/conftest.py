"""Directories to run the command in: an empty one, and one with a catalogue of 40 tools, imported once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import Place, catalogue
from tests.support import tools

WEATHER = tools.record(
    tools.function("weather_forecast", "天気予報: forecast of the next days for a city."),
    tags=["weather"],
    keywords=["天気", "天气"],
)
DANGER = tools.record(tools.function("wipe_disk", "Erase a disk."), risk="dangerous", tags=["disk"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty directory, with the default settings."""
    return Place(tmp_path, {})


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the catalogue. Nobody writes to it."""
    place = Place(tmp_path_factory.mktemp("imported"), {})
    records = [tools.record(tool, tags=[tools.thing_of(tool)]) for tool in tools.distinct(38)]
    place.write("tools.json", catalogue([*records, WEATHER, DANGER]))
    done = place.run("tools", "import", "tools.json")
    assert (done.code, done.out) == (0, "40 tools: 40 created, 0 updated, 0 unchanged\n")
    return place.database


@pytest.fixture
def stocked(place: Place, imported: Path) -> Place:
    """A directory with a copy of the catalogue."""
    place.database.parent.mkdir()
    shutil.copy(imported, place.database)
    return place
