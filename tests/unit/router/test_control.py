"""Which tools steer an agent, on the lists of agents and frameworks of the field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from router.control import alone, control, is_control
from tests.unit.router.agents_tools import CONTROL, HELD_OUT, WORK
from tests.unit.router.fakes import catalog, tool

EXAMPLES = Path(__file__).parents[3] / "examples" / "catalog"


def names(lists: dict[str, str]) -> list[str]:
    """Return the names of all lists."""
    return [name for one in lists.values() for name in one.split()]


def test_what_steers_is_recognised() -> None:
    """19 of 20 on the lists that the words were chosen with, 7 of 10 on those looked at afterwards."""
    assert sum(map(is_control, names(CONTROL))) >= 0.94 * len(names(CONTROL))
    assert sum(map(is_control, HELD_OUT.split())) >= 0.7 * len(HELD_OUT.split())


@pytest.mark.parametrize(
    "name",
    [
        *("final_answer", "ask_user", "attempt_completion", "transfer_to_billing", "handoff_to_writer", "bash"),
        *("str_replace_editor", "TodoWrite", "submit", "finish", "think", "final_result", "human_input"),
    ],
)
def test_the_usual_ones_are_recognised(name: str) -> None:
    """Those without which most agents cannot go on."""
    assert is_control(name)


def test_what_works_is_not() -> None:
    """Neither an agent's other tools, nor those of a server, nor anything without a name."""
    assert [name for name in names(WORK) if is_control(name)] == []
    assert not any(map(is_control, ("", "_", "mcp__todo__think", "think" * 100, "请回答")))


def sample() -> Iterator[str]:
    """Give the names of the tools of the sample catalogue."""
    for file in sorted(EXAMPLES.glob("*.yaml")):
        for record in yaml.safe_load(file.read_text(encoding="utf-8")):
            yield record["tool"]["function"]["name"]


def test_nothing_of_the_sample_catalogue_is() -> None:
    """458 tools of the world."""
    found = list(sample())
    assert len(found) == 458
    assert [name for name in found if is_control(name)] == []


def test_alone_is_what_shares_no_word_of_its_subject() -> None:
    """Verbs and words about the conversation make no siblings."""
    own = catalog(*map(tool, ("read_file", "write_file", "get_weather", "ask_user", "get_time", "answer")))
    assert control(own) == [3, 5]
    assert alone(own, range(6)) == [2, 3, 4, 5]
    assert alone(own, [5, 0]) == [5]
