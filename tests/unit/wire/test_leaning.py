"""app/wire/leaning.py: answers that say little by themselves, and the assistant's words that they lean on."""

from __future__ import annotations

import pytest

from app.wire.leaning import words_before

LISTED = "1) Search flights 2) Find a hotel 3) Check the weather"
LEANS = [
    ("2", LISTED, "Find a hotel"),
    ("the second option please", LISTED, "Find a hotel"),
    ("the last one", LISTED, "Check the weather"),
    ("1 and 3", LISTED, "Search flights\nCheck the weather"),
    ("2번이요", LISTED, "Find a hotel"),
    ("B", "A) mail B) chat", "chat"),
    ("the second one", "I can check the weather, or search flights. Which one?", "search flights"),
    ("第二个", "我可以：\n1. 查天气\n2. 订酒店\n3. 买票", "订酒店"),
    ("2番目でお願いします", "1. 天気\n2. ホテル予約", "ホテル予約"),
    ("두 번째 거요", "- 항공권 검색\n- 호텔 찾기", "호텔 찾기"),
    ("yes please", "Done with the bug. Shall I open an issue?", "Shall I open an issue?"),
    ("yes, for 5 people", "Shall I book a table?", "Shall I book a table?"),
    ("네, 부탁해요", "Jira 이슈를 만들까요?", "Jira 이슈를 만들까요?"),
    ("はい、お願いします", "会議室を予約しましょうか？", "会議室を予約しましょうか？"),
    ("好的，麻烦了", "要不要我帮您订酒店？", "要不要我帮您订酒店？"),
]
STANDS = [
    ("what is the weather", LISTED),
    ("order 66 pizzas", LISTED),
    ("haha thanks", "Want me to check the weather?"),
    ("no thanks", "Shall I book?"),
    ("ok", "Done."),
    ("没问题，了解", "证书将于 9 月 14 日到期。"),
    ("d", "c"),
    ("2", ""),
    ("", LISTED),
]


@pytest.mark.parametrize(("said", "spoken", "words"), LEANS)
def test_turns_case_05_an_answer_leans_on_what_it_answers(said: str, spoken: str, words: str) -> None:
    """A choice is the item that it picks, a yes is what was asked or offered."""
    assert words_before(said, spoken) == words


@pytest.mark.parametrize(("said", "spoken"), STANDS)
def test_turns_case_05_what_says_something_itself_leans_on_nothing(said: str, spoken: str) -> None:
    """Neither a new question nor thanks, nor a yes to what was only told."""
    assert words_before(said, spoken) == ""


@pytest.mark.parametrize("said", ["2 " * 30, "the " * 15, "好" * 60, "b" * 60, "yes, " * 12, "第" * 60, "하고" * 30])
def test_answers_of_any_kind_are_read_at_once(said: str) -> None:
    """No pattern goes back and forth over an answer: this ends."""
    assert len(words_before(said, "1) a " * 500 + "or b, " * 500 + "?")) <= 200
