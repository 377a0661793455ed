"""app/wire/labels.py: what labels and keys say of what follows."""

from __future__ import annotations

import pytest

from app.wire import labels
from app.wire.cues import Voice


@pytest.mark.parametrize(
    "label",
    [
        "用户的问题是", "用户最新消息", "以下是员工发来的消息",
        "Latest message", "User question", "Chat input", "Current step (2 of 9)",
        "The customer's request is", "Anfrage des Kunden", "Pregunta del usuario",
        "客户说", "The customer said", "依頼内容", "ユーザーの最新メッセージ", "사용자의 질문은",
    ],
)  # fmt: skip
def test_a_short_lead_around_a_noun_asks(label: str) -> None:
    """A label of a few words that holds a word for a question, a request or a message is one, in any language."""
    assert labels.voice_of_label(label) >= Voice.PERSON


@pytest.mark.parametrize(
    "label",
    [
        "create a task", "Send Anna this message", "发一条消息", "新建任务", "Commit message", "remind me at noon",
        "please post this question", "메시지 보내", "メッセージを送って",
    ],
)  # fmt: skip
def test_a_demand_before_a_colon_is_no_label(label: str) -> None:
    """Who demands something with a thing's name does not label what follows."""
    assert labels.voice_of_label(label) <= Voice.NOBODY


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"user_id": "u-1", "user": "anna", "message": "book a room"}, "book a room"),
        ({"message_id": "a b", "data": {"text": "book a room", "sender": {"name": "Anna Weber"}}}, "book a room"),
        ([{"role": "user", "content": "book a room"}, {"role": "assistant", "content": "which one?"}], "book a room"),
        ({"body": "some text", "userQuery": "天气怎么样", "request_id": "9 9"}, "天气怎么样"),
        ({"message": "u-81c", "query": 7}, ""),
        ({}, ""),
    ],
)
def test_a_keys_last_word_decides_who_speaks(document: object, said: str) -> None:
    """An id or a name is nobody's words, whatever its key begins with; the surest key's last words are what is said."""
    assert labels.said_in(document) == said


def test_a_deep_or_long_document_is_not_read_without_end() -> None:
    """Depth and number of what is looked into are bounded."""
    deep: object = {"message": "book a room"}
    for _ in range(50):
        deep = {"data": deep}
    assert labels.said_in(deep) == ""
    assert labels.said_in([{"x": 1}] * 100_000 + [{"message": "book a room"}]) == ""
