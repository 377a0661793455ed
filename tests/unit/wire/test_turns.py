"""app/wire/turns.py: what of a conversation's messages is a turn, and what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import turns
from app.wire.turns import Memory, Message
from router.types import Turn

REMINDER = "<system-reminder>\nThe todo list is empty.\n</system-reminder>"
WORDS = st.sampled_from([
    *("Book a room", "and a table?", "2", "yes please", REMINDER, "<context>\npaper\n</context>\n\nWhat is it?"),
    *("continue", "You have used 3 of 9 steps.", "3 files were indexed now", "4 files were indexed now"),
    *("[ls] Result:", "Observation: a", "Please answer always kindly, whatever I ask.", "Today is 2026-11-29.", " "),
])  # fmt: skip
USERS = st.lists(WORDS, min_size=1, max_size=3).map(lambda texts: Message("user", tuple(texts)))
OTHERS = st.sampled_from([
    Message("assistant", ("1) mail 2) chat. Which one?",)),
    Message("assistant", (), ("f",)),
    Message("tool"),
])  # fmt: skip
MESSAGES = st.lists(st.tuples(USERS, OTHERS), min_size=1, max_size=6)


def test_instructions_are_what_system_messages_say() -> None:
    """Those before anybody answered are kept together, as many characters as there is room for: they stay the same."""
    said = [Message("system", ("Be brief.", "Use jq.")), Message("user", ("hi",)), Message("system", ("x" * 10**6,))]
    found = turns.conversation(said).instructions
    later = [Message("assistant", ("Yes.",)), Message("system", ("Use bash.",)), Message("user", ("and?",))]
    few = turns.conversation([*said[:2], *later]).instructions
    assert few == "Be brief.\nUse jq."
    assert found.startswith("Be brief.\nUse jq.\nxxx")
    assert len(found) == turns.MOST_INSTRUCTIONS


def test_a_reminder_of_its_own_is_no_turn() -> None:
    """What only the harness says between a request and its end changes no turn; the next request is one."""
    reminder = Message("user", ("<system-reminder>\nThe todo list is empty.\n</system-reminder>",))
    said = [Message("user", ("archive the coupon",)), Message("assistant", ("Done.",)), reminder]
    assert turns.conversation(said).turns == turns.conversation(said[:2]).turns
    texts = [turn.text for turn in turns.conversation([*said, Message("user", ("and the invoice",))]).turns]
    assert texts == ["archive the coupon", "and the invoice"]


@given(pairs=MESSAGES)
def test_turns_case_02_what_a_turn_says_follows_from_nothing_later(pairs: list[tuple[Message, Message]]) -> None:
    """The turns of a conversation stay what they were when it goes on: so do their keys."""
    messages = [one for pair in pairs for one in pair]
    whole = turns.conversation([Message("user", ("Find a hotel",)), Message("assistant", ("Done.",)), *messages]).turns
    for number in range(len(pairs)):
        begun = [Message("user", ("Find a hotel",)), Message("assistant", ("Done.",)), *messages[: 2 * number]]
        before = turns.conversation(begun).turns
        assert [(one.text, one.before) for one in before] == [(one.text, one.before) for one in whole[: len(before)]]


@given(pairs=MESSAGES)
def test_a_memory_changes_nothing(pairs: list[tuple[Message, Message]]) -> None:
    """Read with a memory of what was read, once or twice, a conversation is the same."""
    messages, memory = [one for pair in pairs for one in pair], Memory(2**20)
    fresh = turns.conversation(messages)
    assert turns.conversation(messages, memory=memory) == fresh == turns.conversation(messages, memory=memory)


def test_a_memory_keeps_nothing_that_went_by_what_came_before() -> None:
    """A text that was no turn, as it came before but for its numbers, is one where it did not."""
    memory, told = Memory(2**20), Message("user", (f"4 files were indexed now\n{REMINDER}",))
    begun = [Message("user", ("Book a room",)), Message("assistant", (), ("book",))]
    before = Message("user", ("3 files were indexed now",))
    again = [*begun, before, Message("assistant", (), ("book",)), told]
    assert len(turns.conversation(again, memory=memory).turns) == 2
    assert turns.conversation([*begun, told], memory=memory) == turns.conversation([*begun, told])
    assert len(turns.conversation([*begun, told], memory=memory).turns) == 2


def test_what_is_known_is_not_read_again() -> None:
    """More text than there is room for is left to those who have it, unless it was read before."""
    memory, said = Memory(2**20), [Message("user", ("<context>\nlong\n</context>\n\nBook a room",))]
    with pytest.raises(turns.TooMuchText):
        turns.conversation(said, memory=memory, most=10)
    found = turns.conversation(said, memory=memory)
    assert turns.conversation(said, memory=memory, most=0) == found
    assert found.turns == (Turn("Book a room", (), "<context>\nlong\n</context>"),)


def test_turns_case_03_the_calls_around_reminders_are_of_one_turn() -> None:
    """A reminder after each result opens no turn: what is called belongs to the one that asked."""
    loop = [one for n in range(3) for one in (Message("assistant", (), (f"f{n}",)), Message("user", (REMINDER,)))]
    found = turns.conversation([Message("user", ("Book a room",)), *loop]).turns
    assert found == (Turn("Book a room", ("f0", "f1", "f2")),)


def test_instructions_are_asked_with_where_nobody_speaks() -> None:
    """A bare system message is a turn; beside a user without words only where a call is demanded."""
    system, picture = Message("system", ("Export the invoices.",)), Message("user")
    assert turns.conversation([system]).turns == (Turn("Export the invoices."),)
    assert not turns.conversation([system, picture]).has_text
    assert turns.conversation([system, picture], needy=True).has_text


@pytest.mark.parametrize(
    "said",
    [
        "Continue with the task. If you are done, call the finish tool. Do not ask for human help.",
        "[SYSTEM] You have used {n} of 50 steps. Remember to keep the todo list up to date.",
        "Token usage: {n}000/200000; 19{n}000 remaining",
        "continue",
        "{n} files of the workspace were indexed in the background",
    ],
)
def test_c03_words_about_an_agents_process_are_no_turn(said: str) -> None:
    """After a tool's result the harness may speak without markup; what is new in its numbers alone is not new."""
    messages = [Message("user", ("archive the coupon",))]
    for n in range(4):
        messages += [Message("assistant", (), ("f",)), Message("tool"), Message("user", (said.format(n=n),))]
    texts = [turn.text for turn in turns.conversation(messages).turns]
    assert texts[0] == "archive the coupon"
    assert len(texts) == (2 if "files" in said else 1)


def test_c05_going_on_after_words_is_an_answer() -> None:
    """A person who says "continue" to what the assistant offers asks for that."""
    offered = [Message("user", ("hi",)), Message("assistant", ("Shall I archive the coupon?",))]
    last = turns.conversation([*offered, Message("user", ("continue",))]).turns[-1]
    assert last.text == "continue"
    assert last.before == "Shall I archive the coupon?"
