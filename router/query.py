"""Conversation -> RoutingQuery: what to search with at a turn.

Each message is searched by itself. The one before the newest weighs half of it, and less the more the newest says by
itself: "and in Busan?" needs it, a whole new request does not. Measured on multi-turn data: docs/adr/0009. A long
request is searched in pieces. What the assistant said last counts where an answer leans on it, and what stands around a
request where that says little (docs/adr/0016): never more than the request itself.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from router.text import gist_pieces, searched_part, terms
from router.types import Conversation, RoutingQuery, Turn

_BEFORE = 0.5
_WHOLE = 10  # search terms from which on a message needs the one before it less
_LITTLE = 3  # search terms of an answer that means what the assistant said
_VAGUE = 5  # search terms of a request to which what stands around it adds something
_AROUND = 0.2
_REST = 0.5  # of a long request, beside its pieces


def asked_at(turn: Turn) -> RoutingQuery:
    """Give what a turn asks for by itself: its text, or pieces of a long one, and the words that it leans on."""
    pieces = gist_pieces(turn.text)
    texts, weights = pieces, (1.0 / len(pieces) ** 0.5,) * len(pieces)
    said = len(set(terms(turn.text))) if turn.before or turn.context else _WHOLE
    if turn.before:
        texts, weights = (*texts, turn.before), (*weights, min(1.0, _LITTLE / max(1, said)))
    beside = [(searched_part(turn.text), _REST)] if len(pieces) > 1 else []
    if turn.context and said <= _VAGUE:
        beside.append((searched_part(turn.context), _AROUND))
    return RoutingQuery(texts, weights, len(texts), tuple(beside))


def at_turn(conversation: Conversation, turn: int) -> RoutingQuery:
    """Give the query for turn number `turn` (from 0): the newest text up to it, and the one before that."""
    found = [asked_at(conversation.turns[number]) for number in spoken(conversation, turn)]
    newest, before = found[0] if found else RoutingQuery((), ()), found[1:]
    if not before:
        return newest
    said_much = len(set(terms(" ".join(newest.newest)))) / _WHOLE
    weight = _BEFORE / max(1.0, said_much)
    return replace(
        newest,
        texts=(*newest.texts, *before[0].texts),
        weights=(*newest.weights, *(weight * one for one in before[0].weights)),
    )


def alone(asked: RoutingQuery) -> RoutingQuery:
    """Return a query without what was said before."""
    return replace(asked, texts=asked.newest, weights=asked.weights[: asked.asked])


def reads_around(turn: Turn) -> bool:
    """Return whether a turn is searched with what stands around its request, too."""
    return bool(turn.context) and len(set(terms(turn.text))) <= _VAGUE


def spoken(conversation: Conversation, turn: int) -> tuple[int, ...]:
    """Return the turns whose texts are searched with at a turn, newest first."""
    turns = conversation.turns
    return tuple(islice((number for number in range(turn, -1, -1) if turns[number].text), 2))
