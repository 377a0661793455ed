"""In which writing a text is."""

from __future__ import annotations

import pytest

from router.script import kinship, scripts, written


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("What will the weather be?", "latin"),
        ("Où est la gare ?", "latin"),
        ("明天天气怎么样", "han"),
        ("明日の天気は", "kana"),
        ("내일 날씨 어때", "hangul"),
        ("Какая завтра погода", "cyrillic"),
        ("كيف الطقس غدا", "arabic"),
        ("พรุ่งนี้อากาศเป็นอย่างไร", "thai"),
        ("कल मौसम कैसा रहेगा", "devanagari"),
    ],
)
def test_scripts_tell_the_writing(text: str, script: str) -> None:
    """A text in one writing is of that script alone; kana makes Chinese characters Japanese."""
    assert scripts(text) == {script: pytest.approx(1.0)}


@pytest.mark.parametrize("text", ["", "12:30 …", "100 €", "。！"])
def test_scripts_of_no_letters_are_latin(text: str) -> None:
    """Numbers and signs count as Latin."""
    assert scripts(text) == {"latin": 1.0}


def test_scripts_that_are_not_listed_are_other() -> None:
    """Letters of any other writing are told from Latin; beside one that is listed they count as Latin letters do."""
    assert scripts("ελληνικά") == {"other": 1.0}
    assert scripts("αβγδ天") == {"han": pytest.approx(0.5), "other": pytest.approx(0.5)}


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("ＡＢＣ", "latin"),
        ("ﾃﾝｷ", "kana"),
        ("날", "hangul"),
        ("ㅋㅋ", "hangul"),
        ("〇々", "han"),
        ("Tiếng Việt", "latin"),
    ],
)
def test_scripts_take_the_forms_of_a_writing(text: str, script: str) -> None:
    """Full and half width, letters of their own and marks are of the writing that they belong to."""
    assert scripts(text) == {script: pytest.approx(1.0)}


def test_scripts_weigh_characters_by_what_they_say() -> None:
    """Worked by hand: two Chinese characters say as much as eight Latin letters."""
    assert scripts("send邮件mail") == {"latin": pytest.approx(0.5), "han": pytest.approx(0.5)}


def test_scripts_look_at_the_head_of_a_long_text() -> None:
    """What stands behind the first 500 characters does not count."""
    assert scripts("a" * 500 + "天气" * 500) == {"latin": 1.0}


def test_written_is_the_mean_of_the_texts() -> None:
    """Every text counts alike, however long."""
    assert written(["a long text about mail", "天", "天"]) == {
        "latin": pytest.approx(1 / 3),
        "han": pytest.approx(2 / 3),
    }


def test_written_of_nothing_is_latin() -> None:
    """No texts are as good as Latin ones."""
    assert written([]) == {"latin": 1.0}


@pytest.mark.parametrize(
    ("question", "tools", "share"),
    [
        ({"latin": 1.0}, {"latin": 1.0}, 1.0),
        ({"han": 1.0}, {"latin": 1.0}, 0.0),
        ({"han": 1.0}, {"latin": 0.5, "han": 0.5}, 1.0),
        ({"han": 1.0}, {"latin": 0.75, "han": 0.25}, 0.5),
        ({"han": 0.6, "latin": 0.4}, {"latin": 1.0}, 0.4),
    ],
)
def test_kinship_is_the_share_that_is_at_home(
    question: dict[str, float], tools: dict[str, float], share: float
) -> None:
    """A script that half of the tools have is at home; of a rarer one less counts, of a strange one nothing."""
    assert kinship(question, tools) == pytest.approx(share)
