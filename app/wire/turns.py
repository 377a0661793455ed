"""Messages of any dialect -> the conversation that the core routes by.

A dialect reads its wire form into `Message`s; what counts as a turn is decided here, once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from router.deadline import Check, checked, never
from router.types import Conversation, Turn

MOST_INSTRUCTIONS = 64_000  # characters of system messages that are kept: the longest prompts of known agents have them


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the texts of its parts in their order, and the names of the tools that it calls or answers for.

    `role` is `user`, `assistant`, `system` (a developer's, too), or anything else.
    """

    role: str
    texts: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


def conversation(messages: Iterable[Message], check: Check = never) -> Conversation:
    """Return the turns of messages, oldest first; `check` is called for each message.

    Raises:
        OutOfTime: As `check` does.
    """
    turns: list[Turn] = []
    said: list[str] = []  # of user messages in a row: they are one turn
    called: dict[str, None] = {}  # since the user spoke
    instructions: list[str] = []  # as they were at the first request: what is kept by them stays the same
    begun = False  # somebody has answered
    answered = False  # somebody else has spoken since
    for message in checked(messages, check):
        if message.role == "user":
            if answered:
                if said or called:
                    turns += _turn(said, called)
                said, called, answered = [], {}, False
            said.append("\n".join(text.strip() for text in message.texts if text.strip()))
        else:
            answered = True
            called.update(dict.fromkeys(message.calls))
            begun = begun or message.role != "system"
            if not begun:
                instructions += message.texts
    return Conversation((*turns, *_turn(said, called)), "\n".join(instructions)[:MOST_INSTRUCTIONS])


def _turn(said: list[str], called: dict[str, None]) -> list[Turn]:
    """Return the turn of user messages and the calls after them; none of nothing."""
    return [Turn("\n".join(text for text in said if text), tuple(called))] if said or called else []
