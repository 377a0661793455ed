"""Conversation -> RoutingQuery: what to search with at a turn.

Each message is searched by itself. The one before the newest weighs half of it, and less the more the newest says by
itself: "and in Busan?" needs it, a whole new request does not. Measured on multi-turn data: docs/adr/0009.
"""

from __future__ import annotations

from itertools import islice

from router.text import clipped, terms
from router.types import Conversation, RoutingQuery

_BEFORE = 0.5
_WHOLE = 10  # search terms from which on a message needs the one before it less


def text_of(conversation: Conversation, turn: int) -> str:
    """Give what the user said at a turn, as far as it is searched with."""
    return clipped(conversation.turns[turn].text)


def at_turn(conversation: Conversation, turn: int) -> RoutingQuery:
    """Give the query for turn number `turn` (from 0): the newest text up to it, and the one before that."""
    newest = tuple(text_of(conversation, number) for number in spoken(conversation, turn))
    if len(newest) < 2:
        return RoutingQuery(newest, (1.0,) * len(newest))
    said_much = len(set(terms(newest[0]))) / _WHOLE
    return RoutingQuery(newest, (1.0, _BEFORE / max(1.0, said_much)))


def spoken(conversation: Conversation, turn: int) -> tuple[int, ...]:
    """Return the turns whose texts are searched with at a turn, newest first."""
    turns = conversation.turns
    return tuple(islice((number for number in range(turn, -1, -1) if turns[number].text), 2))
