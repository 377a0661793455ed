"""app/wire/requests.py and what it stands on: what of a message is asked for, in any wrapping."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import blocks, requests
from app.wire.views import Role
from bench import forms

QUESTIONS = [
    "how far behind is the read replica",
    "Pencil in coffee with Rosa tomorrow 4pm at Blue Door",
    "中通 75312345678901 怎么三天都没动静了？",
    "今朝の東西線が遅れて遅刻しました。会社に出す紙がほしいです",
    "한진 412233445566 왜 안 오냐 진짜",
]
BESIDE = {"slack"}  # forms of which more than the question is asked for: the other lines of a chat
FORMS = [(half, name) for half in forms.HALVES for name in forms.names(half)]
# Texts that look like what people and harnesses send, in any order.
SNIPPETS = st.sampled_from([
    *("Book a room?", "是的", "<task>", "</task>", "<a-b>", "</a-b>", "<context>", "</context>", "```", "---", '"""'),
    *("> said", "# Notes", "Question:", "Answer:", "Context: x", "\n", "\n\n", " ", "- one", "a,b,c", "{", "}"),
    *("| a | b |", "src/a.ts", "From: a", "To: b", "at x(", "문의", "質問：", "[x] Result:", "Today is 2026-11-29."),
    *("long words " * 60, "<", ">", "\ud83d"),
])  # fmt: skip
TEXTS = st.lists(SNIPPETS | st.text(max_size=20), max_size=30).map("".join)
PARTS = st.lists(TEXTS, min_size=1, max_size=4)


@pytest.mark.parametrize(("half", "name"), FORMS)
def test_turns_case_01_a_question_is_found_in_every_form(half: str, name: str) -> None:
    """However agents, editors and RAG applications wrap a question, it is what is asked for."""
    for question in QUESTIONS:
        found = requests.find(forms.texts(half, name, question)).text
        assert question in found or name == "one_paragraph", found
        assert len(found) < 2 * len(question) + 40 or name in BESIDE, found


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_plain_question_is_itself(question: str) -> None:
    """Nothing is taken from a question that nobody has wrapped."""
    assert requests.find([f" {question}\n"]).text == question


@given(text=TEXTS)
def test_blocks_hold_every_character_once(text: str) -> None:
    """No text is lost, and none counts twice."""
    found = blocks.cut(text)
    ends = [0, *(one.end for one in found)]
    assert all(end <= one.start < one.end for end, one in zip(ends, found, strict=False))
    assert re.sub(r"\s", "", "".join(text[one.start : one.end] for one in found)) == re.sub(r"\s", "", text)


def test_blocks_of_a_text_beyond_all_bounds_are_cut_at_its_ends() -> None:
    """A text of any length takes as long as one of the greatest length that is read."""
    text = "Begin here.\n\n" + "word\n" * 200_000 + "\n\nWhat is asked?"
    found = blocks.cut(text)
    assert len(found) < 100
    assert (text[found[-1].start : found[-1].end], text[: found[0].end]) == ("What is asked?", "Begin here.")


@given(parts=PARTS, goes_on=st.booleans())
def test_every_block_is_request_context_or_harness(parts: list[str], *, goes_on: bool) -> None:
    """Whatever is sent, each block has a role, and what is asked for is what has the role of the request."""
    asked = requests.find(parts, goes_on=goes_on)
    assert all(one.role is not None for one in asked.pieces)
    wanted = "".join(one.text for one in asked.pieces if one.role is Role.REQUEST)
    if asked.pieces:
        kept, found = (set(re.sub(r"[\s\"'`“”「」『』‘’]", "", one)) for one in (wanted, asked.text))
        assert found <= kept
    assert asked.is_turn or not asked.text


@given(parts=PARTS)
def test_a_request_of_one_line_is_found_again(parts: list[str]) -> None:
    """Asked with what was found, the same is found, as long as it is one line of words."""
    once = requests.find(parts).text
    if requests.is_plain(once):
        assert requests.find([once]).text == once


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "reminder",
    [
        "<system-reminder>\nThe todo list is empty. What now?\n</system-reminder>",
        "<env>\n\nWorking directory: /srv\n</env>",
        "Current date: 2026-11-29, 09:14. Time zone: Europe/Berlin.",
        "[SYSTEM NOTE]\nBe brief, please.\n[/SYSTEM NOTE]",
    ],
)
def test_turns_case_02_a_reminder_changes_nothing_about_a_request(question: str, reminder: str) -> None:
    """With a reminder before it, behind it or around it, in its own part or not, the same is asked for."""
    long = f"{question}\n\nAnd then tell me.\n\n- one\n- two"
    for asked in (question, long):
        alone = requests.find([asked]).text
        for parts in ([reminder, asked], [asked, reminder], [reminder, reminder, asked], [f"{reminder}\n\n{asked}"]):
            assert requests.find(parts).text == alone, parts


@pytest.mark.parametrize(
    "said",
    [
        "<system-reminder>\nThe todo list is empty.\n</system-reminder>",
        "<environment_details>\n# Time\n9:14\n</environment_details>",
        "[read_file for 'a.py'] Result:\n\ndef f():\n    return 1\n\nWhat is it?",
        "Observation: 3 rows\n\nplease look",
        "Tool `search` returned:\n{}",
        "EXECUTION RESULT of [bash]:\nls",
        "工具返回结果：\n晴天",
        "ツールの実行結果:\n晴れ",
        "도구 실행 결과:\n맑음",
        "Current time: 2026-11-29 09:14 UTC",
    ],
)
def test_turns_case_03_what_only_the_harness_says_is_no_turn(said: str) -> None:
    """Reminders, environment and results of tools that come as a user's words ask for nothing."""
    assert not requests.find([said, "<note_reminder>x</note_reminder>"], goes_on=True).is_turn


def test_turns_case_03_a_result_in_parts_ends_where_somebody_speaks() -> None:
    """What follows the heading of a result belongs to it, but not what is marked as a person's words."""
    parts = ["[ask] Result:", "please find all of it", "<feedback>\nBook a room\n</feedback>"]
    assert requests.find(parts, goes_on=True).text == "Book a room"


def test_a_block_that_came_before_is_no_request() -> None:
    """What comes again word for word is the harness's, unless nothing else is said."""
    boilerplate, first, second = "Please always answer kindly and tell me why.", "Find a hotel", "Find a flight"
    one = requests.find([boilerplate, first])
    assert requests.find([boilerplate, second], set(one.marks)).text == second
    assert requests.find([boilerplate], set(one.marks)).text == boilerplate


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("create a task: buy milk\nand eggs", "create a task: buy milk\nand eggs"),
        ("Hi team,\n\nI was off sick.\n\nCatch me up.", "Hi team,\n\nI was off sick.\n\nCatch me up."),
        ("Add these:\n- milk\n- eggs\n- bread\n- tea", "Add these:\n- milk\n- eggs\n- bread\n- tea"),
        ("<task>Book a room</task>", "Book a room"),
        ("Is List<String> a type?\nOr <b>bold</b>?", "Is List<String> a type?\nOr <b>bold</b>?"),
        ("<file>only this</file>", "<file>only this</file>"),
        ("", ""),
        ("```\nx = 1\n```", "```\nx = 1\n```"),
    ],
)
def test_a_persons_own_words_stay_whole(text: str, request_: str) -> None:
    """Paragraphs, lists and signs of a person's own are the request; so is everything where nothing stands out."""
    assert requests.find([text]).text == request_


def test_a_reply_in_a_language_is_a_request_where_it_has_an_object() -> None:
    """Only what is said of the answer itself is the harness's; a mail may be answered in German."""
    text = "Show me the last mail of Anna.\n\nReply to her in German that I am late."
    assert requests.find([text]).text == text
    assert requests.find(["Show me the last mail of Anna.\n\nReply in plain English."]).text[-5:] == "Anna."


@pytest.mark.parametrize(
    "text",
    [
        "Post this to slack\nchannel: #ops\nmessage: the deploy is done",
        "I need the timeline of a project. " + "Also retrieve the profit of the year 2022 for it. " * 12,
        "Can you check these flights?\n1. Rome\n2. Oslo\n3. Bern\n4. Riga",
        "[PROJ-12] login: please fix it",
        "Tell Petra: the meeting is at 10:30",
        "Fix this:\n```\nx = 1\n```\nThen tell #ops.",
    ],
)
def test_a_persons_text_is_not_cut(text: str) -> None:
    """Names of values, long paragraphs, lists and brackets of a person's own stay in his request."""
    found = requests.find([text.strip()]).text
    assert all(word in found for word in re.sub(r"```[^`]*```", "", text).split())


def test_words_on_both_sides_of_data_are_not_mixed() -> None:
    """Where what stands before code asks for nothing, what stands behind it is the request alone."""
    code = "```\nx = 1\n```"
    assert requests.find([f"The shop has two carts now.\n\n{code}\n\nrename the branch"]).text == "rename the branch"


def test_a_plain_part_at_the_end_is_before_marks_in_others() -> None:
    """A sentence that asks in a part of its own is the request, whatever an earlier part marks."""
    assert requests.find(["<message>\nsession restored\n</message>", "show the open tickets"]).text[:4] == "show"


def test_a_mention_after_a_label_is_nobodys_words() -> None:
    """A user's id is a value, and the message is what stands under its own label."""
    text = "Channel: #desk\nUser: <@U81>\nTimestamp: 17.2\n\nMessage: show the open tickets"
    assert requests.find([text]).text == "show the open tickets"
    assert requests.find(["Current time: 9:14\n\nUser: PER10倍以下の銘柄を"]).text == "PER10倍以下の銘柄を"


def test_front_matter_asks_for_nothing() -> None:
    """Names and values between rules at the beginning are data, whatever the names are."""
    text = "---\nUser: Petra Lang\nRequest: the weekly report form\n---\n\nshow the open tickets"
    assert requests.find([text]).text == "show the open tickets"


@pytest.mark.parametrize(
    "text",
    [
        "[draft] write to Anna",
        "[a note](https://x.example) is wrong, fix it",
        "[1] and [2] differ, why?",
        "so, [x: 1] is it",
    ],
)
def test_brackets_of_a_person_stay(text: str) -> None:
    """Only values and times in front of a text are an application's."""
    assert requests.find([text]).text == text


def test_a_line_that_ends_a_section_ends_it() -> None:
    """What follows `The above is the manual.` is no part of the manual."""
    told = "Context:\n" + "The lift is serviced in May. " * 20
    assert requests.find([f"{told}\nThe above is the manual.\n\nthe lift is stuck"]).text == "the lift is stuck"
