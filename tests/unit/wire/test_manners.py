"""app/wire/manners.py: greetings, thanks, and what an agent is told about its own process."""

from __future__ import annotations

import pytest

from app.wire.manners import Process, is_polite, process_of


@pytest.mark.parametrize(
    "text",
    [
        "Hello there! I hope you are well. Sorry to bother you.", "Many thanks in advance, you are a star!",
        "您好！打扰您了，不好意思。", "非常感谢您的帮助，辛苦了！",
        "お世話になっております。", "よろしくお願いいたします。",
        "안녕하세요, 늘 수고 많으십니다.", "미리 감사드립니다. 좋은 하루 보내세요!",
    ],
)  # fmt: skip
def test_greetings_and_thanks_ask_for_nothing(text: str) -> None:
    """Each sentence greets, thanks or excuses."""
    assert is_polite(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, restart the pods", "Hi team,", "Thanks! Now book the room.", "Good morning, what is the weather?",
        "谢谢，请查一下天气？", "hey open the door please", "",
    ],
)  # fmt: skip
def test_a_request_with_a_greeting_is_a_request(text: str) -> None:
    """One sentence that says something else makes it more than politeness."""
    assert not is_polite(text)


@pytest.mark.parametrize(
    "text",
    [
        "Continue with the task. If you are done, call the finish tool. Do not ask for human help.",
        "You have used 3 of 50 steps. Remember to keep the todo list up to date.",
        "Token usage: 3000/200000; 197000 remaining", "还剩 12 步。", "残り12ステップです。", "남은 단계는 12개입니다.",
        "You did not use a tool in your last response.",
    ],
)  # fmt: skip
def test_an_agents_process_is_known(text: str) -> None:
    """Steps, tokens, the todo list and finishing are about the agent itself."""
    assert process_of(text) is Process.SURELY


@pytest.mark.parametrize("text", ["continue", "Please continue.", "go on", "继续", "続けてください", "계속 진행하세요"])
def test_going_on_is_said_by_persons_too(text: str) -> None:
    """A mere "continue" may be a person's."""
    assert process_of(text) is Process.GO_AHEAD


@pytest.mark.parametrize(
    "text",
    ["Continue and then restart the payment pod", "create a todo in my list", "how many tokens", "go on holiday", ""],
)
def test_a_request_is_no_process(text: str) -> None:
    """Words that agents are told with are no process in a request of other things."""
    assert process_of(text) is Process.NOT
