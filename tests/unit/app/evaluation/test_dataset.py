"""Data sets: what is read from a folder, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.evaluation import EvaluationFailed, dataset
from app.wire import chat
from tests.support import datasets, tools


def _problems(folder: Path) -> list[str]:
    with pytest.raises(EvaluationFailed) as caught:
        dataset.read(folder)
    return str(caught.value).splitlines()


def test_dataset_holds_tools_questions_and_groups(tmp_path: Path) -> None:
    """Tools that are equivalent have one group, and gold that names both wants one thing."""
    asked = [datasets.question(1, "Rain?", "weather_forecast", "forecast_weather", "play_song", lang="en")]
    read = dataset.read(datasets.write(tmp_path / "small", datasets.WEATHER, asked, datasets.SAME_WEATHER))
    assert (read.name, len(read.tools), read.groups) == ("small", 5, (0, 0, 1, 2, 3))
    assert [(query.gold, query.lang, query.category) for query in read.queries] == [((0, 3), "en", "")]


def test_dataset_tools_may_share_a_name(tmp_path: Path) -> None:
    """Ids tell tools apart, names need not."""
    entries = [
        datasets.entry("send", "Send mail.", as_id="send"),
        datasets.entry("send", "Send money.", as_id="send#2"),
    ]
    read = dataset.read(datasets.write(tmp_path, entries, [datasets.question(1, "Pay Bob", "send#2")]))
    assert ([tool.name for tool in read.tools], read.queries[0].gold) == (["send", "send"], (1,))


def test_dataset_messages_in_a_row_are_turns_of_their_own(tmp_path: Path) -> None:
    """The model's answers are left out in such sets; the turn before ends where the last message begins."""
    asked = [datasets.question(1, ["Weather in Oslo?", "And in Rome?"], "weather_forecast")]
    (query,) = dataset.read(datasets.write(tmp_path, datasets.WEATHER, asked)).queries
    turns = [turn.text for turn in chat.parse(query.body).conversation.turns]
    assert turns == list(query.texts) == ["Weather in Oslo?", "And in Rome?"]
    assert query.before is not None
    assert [turn.text for turn in chat.parse(query.before).conversation.turns] == ["Weather in Oslo?"]


def test_dataset_turn_before_ends_with_its_calls(tmp_path: Path) -> None:
    """What the model called in answer to a turn belongs to that turn."""
    messages = [tools.user("Weather?"), *tools.called("weather_forecast"), tools.user("Thanks")]
    asked = [{"id": "1", "messages": messages, "gold": []}]
    (query,) = dataset.read(datasets.write(tmp_path, datasets.WEATHER, asked)).queries
    assert query.before is not None
    assert chat.parse(query.before).conversation.turns[0].calls == ("weather_forecast",)


def test_dataset_tags_are_given_to_tools_on_request(tmp_path: Path) -> None:
    """In public sets a tag often names the category of the question: it would be found by its answer."""
    folder = datasets.write(tmp_path, [datasets.entry("a", tags=["jira"])], [datasets.question(1, "x", "a")])
    assert [dataset.read(folder, tags=tags).tools[0].tags for tags in (False, True)] == [(), ("jira",)]


def test_dataset_sample_is_the_same_every_time_and_in_order(tmp_path: Path) -> None:
    """Three of a hundred are drawn; more than there are is all."""
    asked = [datasets.question(number, "song", "play_song") for number in range(100)]
    read = dataset.read(datasets.write(tmp_path, datasets.WEATHER, asked))
    drawn = [int(query.id) for query in read.sample(3).queries]
    assert drawn == sorted(drawn) == [int(query.id) for query in read.sample(3).queries]
    assert len(drawn) == 3
    assert read.sample(1000) is read.sample(None) is read


def test_questions_about_a_catalogue_name_its_tools(tmp_path: Path) -> None:
    """Of a catalogue's tools the name is the id, for equivalences, too."""
    asked = [datasets.question(1, "x", "play_song", "forecast_weather")]
    folder = datasets.write(tmp_path, datasets.WEATHER, asked, datasets.SAME_WEATHER)
    known, queries = dataset.read(folder).tools, folder / "queries.jsonl"
    assert dataset.read_about(known, "live", queries).queries[0].gold == (4, 1)
    assert dataset.read_about(known, "live", queries, folder / "equiv.json").queries[0].gold == (3, 0)


def test_dataset_keeps_the_questions_of_a_split(tmp_path: Path) -> None:
    """What is held back is told apart; a split that nobody has is refused."""
    asked = [datasets.question(number, "x", split=split) for number, split in enumerate(("dev", "test", "dev"))]
    read = dataset.read(datasets.write(tmp_path, datasets.WEATHER, asked))
    assert [query.id for query in read.only("dev").queries] == ["0", "2"]
    assert read.only(None) is read
    with pytest.raises(EvaluationFailed, match="no question is of the split 'train'"):
        read.only("train")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "2", "messages": [], "gold": []}', "there is no message of a user"),
        (
            '{"id": "1", "messages": [{"role": "user", "content": "x"}], "gold": []}',
            "the id '1' stands in line 1 already",
        ),
        ('{"id": "2", "messages": [{"role": "user", "content": "x"}], "gold": ["y"]}', "there is no tool 'y'"),
        ('{"id": "2", "messages": [{"role": "user", "content": "x"}]}', "missing required field `gold`"),
        ('{"id": "2", "messages": [{"role": "user"}, {}], "gold": []}', "a message has no role"),
        ('{"id": 2, "messages": [], "gold": []}', "Expected `str`, got `int` - at `$.id`"),
        ('{"id": "2"', "Input data was truncated"),
        ("\udcff", "invalid"),
    ],
)
def test_question_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    """File, line and reason."""
    datasets.write(tmp_path, datasets.WEATHER, [datasets.question(1, "x", "play_song")])
    with (tmp_path / "queries.jsonl").open("ab") as file:
        file.write(b"\n" + line.encode("utf-8", "surrogateescape"))
    told, nothing = _problems(tmp_path)
    assert told.startswith(f"{tmp_path / 'queries.jsonl'}, line 3: ")
    assert said.lower() in told.lower()
    assert nothing == "Nothing was measured."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "a", "tool": {"type": "function", "function": {}}}', "it has no name"),
        ('{"id": "play_song", "tool": {"function": {"name": "x"}}}', "stands in line 5 already"),
        ('{"id": "a"}', "missing required field `tool`"),
    ],
)
def test_tool_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    """File, line and reason; the questions are not judged by what is left."""
    datasets.write(tmp_path, datasets.WEATHER, [datasets.question(1, "x", "unknown")])
    with (tmp_path / "tools.jsonl").open("a", encoding="utf-8") as file:
        file.write(line)
    told, _ = _problems(tmp_path)
    assert told.startswith(f"{tmp_path / 'tools.jsonl'}, line 6: ")
    assert said in told


def test_dataset_of_nothing_is_refused(tmp_path: Path) -> None:
    """No folder, no files, no tools, no questions: each is said."""
    assert _problems(tmp_path / "none") == [f"{tmp_path / 'none'}: there is no such folder"]
    assert _problems(tmp_path)[0] == f"{tmp_path / 'tools.jsonl'}: there is no such file"
    assert _problems(datasets.write(tmp_path, [], []))[0] == f"{tmp_path / 'tools.jsonl'}: it holds no tools"
    assert (
        _problems(datasets.write(tmp_path, datasets.WEATHER, []))[0]
        == f"{tmp_path / 'queries.jsonl'}: it holds no questions"
    )


def test_equivalences_that_are_none_are_refused(tmp_path: Path) -> None:
    """equiv.json is one object of texts."""
    datasets.write(tmp_path, datasets.WEATHER, [datasets.question(1, "x", "play_song")])
    (tmp_path / "equiv.json").write_text(json.dumps({"play_song": 1}), encoding="utf-8")
    assert _problems(tmp_path)[0].startswith(f"{tmp_path / 'equiv.json'}: Expected `str`")


def test_many_problems_are_told_in_part(tmp_path: Path) -> None:
    """The first twenty are shown, the others counted."""
    datasets.write(tmp_path, datasets.WEATHER, [datasets.question(number, "x", "y") for number in range(25)])
    told = _problems(tmp_path)
    assert (len(told), told[-2:]) == (22, ["… and 5 more", "Nothing was measured."])
