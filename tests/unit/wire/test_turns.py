"""app/wire/turns.py: what of a conversation's messages is a turn, and what it says."""

from __future__ import annotations

from app.wire import turns
from app.wire.turns import Message


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
