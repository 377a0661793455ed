"""What was acknowledged is there and nothing is half there, whatever ends who writes. `make durability` does more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.durability import kills
from tests.durability.faulty import faulty_disk
from tests.durability.machine import Machine, explore
from tests.durability.writers import FAILPOINTS, Writers
from tests.support.postgres import Postgres

DRAW = random.Random()


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writers]:
    """Give a maker of processes that write."""
    made = Writers(tmp_path_factory.mktemp("writers"))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """Give the address of a new registry of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/registry.db"
    else:
        with postgres.database() as address:
            yield address


@pytest.mark.parametrize("_", range(3))
def test_durability_c01_a_kill_at_any_moment_leaves_whole_puts(writers: Writers, url: str, _: int) -> None:
    """All that was acknowledged is there, and nothing of what was under way, or all of it."""
    assert kills.killed_at_random(writers, url, DRAW) == []


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_durability_c02_a_kill_at_a_named_place_leaves_whole_puts(
    writers: Writers, url: str, tmp_path: Path, failpoint: str
) -> None:
    """Between insert, generation and commit, and around the rename of a backup: the catalogue is what is registered."""
    countdown = 1 if "rename" in failpoint else DRAW.randint(1, 4)
    assert kills.killed_at(writers, url, failpoint, countdown, tmp_path) == []


@pytest.mark.parametrize("_", range(1))
def test_durability_c03_a_kill_of_the_database_server_leaves_whole_puts(
    writers: Writers, mortal: Postgres, _: int
) -> None:
    """With the postmaster and all its processes gone, the writer is refused and goes on when they are back."""
    with mortal.database() as address:
        assert kills.postmaster_killed(writers, mortal, address, DRAW) == []


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_durability_c05_a_failing_disk_loses_nothing_acknowledged(tmp_path: Path, rate: float) -> None:
    """With writes, syncs and truncations that fail at random, every put is there, or was refused."""
    faulty = Writers(tmp_path, faulty_disk(tmp_path))
    found, acked, refused = kills.written_through_faults(faulty, f"sqlite:///{tmp_path}/faulty.db", rate, 30)
    faulty.close()
    assert (found, acked + refused) == ([], 30)
    assert refused or rate < 0.1


def test_durability_c09_writers_at_once_lose_nothing(writers: Writers, url: str) -> None:
    """Eight processes edit the same tools: every edit is there, every generation has a number, nobody is refused."""
    found, _ = kills.contended(writers, url, 8, 5)
    assert found == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_durability_c13_any_sequence_ends_as_a_dictionary_would(
    writers: Writers, postgres: Postgres, tmp_path: Path, kind: str
) -> None:
    """Changes, imports, crashes of others, restarts, restores and searches, in any order."""
    with ExitStack() as made:
        numbers = count()

        def make() -> Machine:
            url = f"sqlite:///{tmp_path}/{next(numbers)}.db"
            return Machine(made.enter_context(postgres.database()) if kind == "postgresql" else url, tmp_path, writers)

        explore(make, sequences=4, steps=12)
