"""app/wire/turns.py: what of a conversation's messages is a turn, and what it says."""

from __future__ import annotations

from app.wire import turns
from app.wire.turns import Message


def test_instructions_are_what_system_messages_say() -> None:
    """The texts of all system messages are kept together, as many characters as there is room for."""
    said = [Message("system", ("Be brief.", "Use jq.")), Message("user", ("hi",)), Message("system", ("x" * 10**6,))]
    found = turns.conversation(said).instructions
    assert found.startswith("Be brief.\nUse jq.\nxxx")
    assert len(found) == turns.MOST_INSTRUCTIONS
