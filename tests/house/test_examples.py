"""examples/: questions, small talk and probes are what their README files say, over the catalogue beside them."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.admin import records
from router.types import Risk, Tool

EXAMPLES = Path(__file__).parents[2] / "examples"
# The C loader reads the same, ten times as fast; not every build of PyYAML has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LANGUAGES = ["en", "zh", "ja", "ko"]
CATEGORIES = ["single", "several", "follow_up", "switch", "vague"]
CHAT = {
    "greeting": 6,
    "thanks": 8,
    "opinion": 6,
    "general_knowledge": 8,
    "feelings": 6,
    "about_the_assistant": 6,
    "chitchat": 8,
    "confirmation": 6,
    "writing": 6,
}
# How many exemplars each language has at least.
BANK = dict.fromkeys(LANGUAGES, 40) | dict.fromkeys(["es", "fr", "de", "pt", "it", "ru", "ar", "th"], 10)
PROBED = ["en", "zh", "ja", "ko", "es", "fr", "de", "ru", "ar", "th", "hi", "vi"]

Row = dict[str, Any]


def read_catalog() -> tuple[dict[str, Tool], set[str]]:
    """Give the tools by name, and the questions that the catalogue itself gives as examples, folded."""
    entries = [
        e for p in sorted((EXAMPLES / "catalog").glob("*.yaml")) for e in yaml.load(p.read_text("utf-8"), LOADER)
    ]
    tools = records.read_all([json.dumps(entry).encode() for entry in entries])
    return {tool.name: tool for tool in tools}, {fold(text) for entry in entries for text in entry.get("examples", [])}


def read(path: str) -> list[Row]:
    """Give the rows of a file of lines."""
    return [json.loads(line) for line in (EXAMPLES / path).read_text("utf-8").splitlines()]


def load(path: str) -> Any:
    """Give what a JSON file says."""
    return json.loads((EXAMPLES / path).read_text("utf-8"))


def fold(text: str) -> str:
    """Give a text without case, blanks and punctuation, by which the same words are the same."""
    return re.sub(r"[\W_]+", "", text.casefold()) or text


def texts(rows: list[Row]) -> list[str]:
    """Give every text of the conversations, folded."""
    return [fold(message["content"]) for row in rows for message in row["messages"]]


def doubles(values: list[str]) -> list[str]:
    """Give what stands there more than once."""
    return [value for value, times in Counter(values).items() if times > 1]


TOOLS, SAMPLES = read_catalog()
QUESTIONS = read("questions/queries.jsonl")
TALK = read("small_talk/queries.jsonl")
EXEMPLARS: dict[str, list[str]] = json.loads(
    (EXAMPLES.parent / "router" / "embed" / "small_talk.json").read_text(encoding="utf-8")
)
PROBES = json.loads((EXAMPLES.parent / "router" / "embed" / "probes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("rows", [QUESTIONS, TALK], ids=["questions", "small_talk"])
def test_conversations_alternate_and_end_with_the_user(rows: list[Row]) -> None:
    """User and assistant take turns, the user has the first and the last one, and nobody says nothing."""
    for row in rows:
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], row["id"]
        assert all(m["content"].strip() == m["content"] != "" for m in row["messages"]), row["id"]
        assert row["id"].startswith(f"{row['lang']}-{row['category']}-")


def test_conversations_have_their_own_ids_and_texts() -> None:
    """No id stands twice, and no text, be it in the questions, the small talk, the exemplars or the catalogue."""
    assert doubles([row["id"] for row in QUESTIONS + TALK]) == []
    exemplars = [fold(text) for bank in EXEMPLARS.values() for text in bank]
    assert doubles(texts(QUESTIONS) + texts(TALK) + exemplars) == []
    assert set(texts(QUESTIONS) + texts(TALK)) & SAMPLES == set()


def test_questions_need_tools_that_are_there() -> None:
    """Every gold tool is in the catalogue, enabled, not dangerous, and named once."""
    for row in QUESTIONS:
        assert row["gold"] != [], row["id"]
        assert doubles(row["gold"]) == [], row["id"]
        assert set(row["gold"]) <= set(TOOLS), row["id"]
        assert all(TOOLS[name].enabled and TOOLS[name].risk is not Risk.DANGEROUS for name in row["gold"]), row["id"]


def test_questions_are_shaped_as_their_category_says() -> None:
    """Follow-ups and changes of subject have several turns, the others one; 'several' needs more than one tool."""
    for row in QUESTIONS:
        assert (len(row["messages"]) > 1) == (row["category"] in {"follow_up", "switch"}), row["id"]
        assert row["category"] != "single" or len(row["gold"]) == 1, row["id"]
        assert row["category"] != "several" or len(row["gold"]) > 1, row["id"]


def test_questions_cover_languages_services_and_risks() -> None:
    """Enough of each language, of several turns, of tools that are offered by default; every service is asked for."""
    assert set(Counter(row["lang"] for row in QUESTIONS)) == set(LANGUAGES)
    assert min(Counter(row["lang"] for row in QUESTIONS).values()) >= 50
    assert sum(len(row["messages"]) > 1 for row in QUESTIONS) >= 60
    assert sum(all(TOOLS[name].risk is Risk.READ for name in row["gold"]) for row in QUESTIONS) >= 150
    asked = {TOOLS[name].source for row in QUESTIONS for name in row["gold"]}
    assert asked == {tool.source for tool in TOOLS.values()}


def test_equivalents_credit_no_tool_elsewhere() -> None:
    """Each group has tools of the catalogue, one of which is gold, so that no other question is touched."""
    groups: dict[str, set[str]] = {}
    for name, group in load("questions/equiv.json").items():
        groups.setdefault(group, set()).add(name)
    gold = {name for row in QUESTIONS for name in row["gold"]}
    assert all(names <= set(TOOLS) and len(names) > 1 for names in groups.values())
    assert [group for group, names in groups.items() if len(names & gold) != 1] == []


def test_questions_are_counted_in_their_readme() -> None:
    """The table of languages and categories is the one that the file gives, and so are the totals in the text."""
    readme = (EXAMPLES / "questions" / "README.md").read_text("utf-8")
    for lang in LANGUAGES:
        counts = Counter(row["category"] for row in QUESTIONS if row["lang"] == lang)
        cells = [*(counts[category] for category in CATEGORIES), counts.total()]
        assert f"| {lang} | {' | '.join(map(str, cells))} |" in readme
    reading = sum(all(TOOLS[name].risk is Risk.READ for name in row["gold"]) for row in QUESTIONS)
    assert f"{len(QUESTIONS)} questions over" in readme
    assert f"{sum(len(row['messages']) > 1 for row in QUESTIONS)} questions are conversations" in readme
    assert f"{reading} need only tools of risk `read`" in readme
    assert f"{len(QUESTIONS) - reading} need one of risk" in readme
    assert f"{len({name for row in QUESTIONS for name in row['gold']})} of the {len(TOOLS)} tools" in readme


def test_small_talk_needs_no_tool_and_is_counted() -> None:
    """Nothing is gold; every language has the same number of each kind, which is the one the README gives."""
    assert [row["id"] for row in TALK if row["gold"] != []] == []
    counts = Counter((row["lang"], row["category"]) for row in TALK)
    assert counts == {(lang, kind): number for lang in LANGUAGES for kind, number in CHAT.items()}
    readme = (EXAMPLES / "small_talk" / "README.md").read_text("utf-8")
    assert f"| {' | '.join(CHAT)} | all |" in readme
    assert f"| {' | '.join(map(str, CHAT.values()))} | {sum(CHAT.values())} |" in readme


@pytest.mark.parametrize("axis", ["lang", "category"])
def test_small_talk_is_split_in_halves(axis: str) -> None:
    """Of every language and kind half is to calibrate by and half to judge by, and half of each stands alone."""
    splits = Counter((row[axis], row["split"]) for row in TALK)
    assert all(splits[value, "dev"] == splits[value, "test"] > 0 for value in {row[axis] for row in TALK})
    places = Counter((row["split"], len(row["messages"]) > 1) for row in TALK)
    assert set(places.values()) == {len(TALK) // 4}


def test_exemplars_are_enough_in_every_language() -> None:
    """Each language has its bank."""
    assert set(EXEMPLARS) == set(BANK)
    assert [lang for lang, least in BANK.items() if len(EXEMPLARS[lang]) < least] == []


@pytest.mark.parametrize("lang", PROBED)
def test_probes_have_a_pair_for_every_topic(lang: str) -> None:
    """A language has a question and a description for each of the topics, and none twice."""
    assert set(PROBES["questions"]) == set(PROBES["descriptions"]) == set(PROBED)
    for side in (PROBES["questions"][lang], PROBES["descriptions"][lang]):
        assert len(side) == len(set(side)) == len(PROBES["topics"]) == 24
        assert all(text.strip() == text != "" for text in side)
    assert set(PROBES["questions"][lang]) & set(PROBES["descriptions"][lang]) == set()
