"""Messages of any dialect -> the conversation that the core routes by.

A dialect reads its wire form into `Message`s; what counts as a turn is decided here, once for all of them. User
messages in a row are one turn. One in which only the harness speaks (reminders, environment, results of tools) is none.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.wire import requests
from app.wire.leaning import words_before
from app.wire.regions import Form
from app.wire.views import Piece
from router import footprint
from router.deadline import Check, checked, never
from router.memory import Lru
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


class TooMuchText(ValueError):
    """There is more to be read anew than may be read here; in a thread more may."""


class Memory:
    """What was found in texts that come again with each request of a conversation, bounded in bytes. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self.found: Lru[bytes, requests.Asked] = Lru(most_bytes, _size)

    def find(
        self, parts: Sequence[str], seen: set[int], *, goes_on: bool, after_call: bool, room: int
    ) -> tuple[requests.Asked, int]:
        """Give `requests.find`, and how many characters had to be read for it.

        Raises:
            TooMuchText: These would be more than there is `room` for.
        """
        if len(parts) == 1 and requests.is_plain(parts[0]):
            return requests.find(parts, seen, goes_on=goes_on, after_call=after_call), 0
        key = _key(parts, goes_on=goes_on, after_call=after_call)
        known = self.found.get(key)
        if known is not None and known.open_marks.isdisjoint(seen):
            return known, 0
        length = sum(map(len, parts))
        if length > room:
            raise TooMuchText(f"{length} characters of a message are to be read")
        asked = requests.find(parts, seen, goes_on=goes_on, after_call=after_call)
        if asked.open_marks.isdisjoint(seen):
            self.found.put(key, replace(asked, pieces=()))
        return asked, length


def conversation(
    messages: Iterable[Message],
    check: Check = never,
    *,
    needy: bool = False,
    memory: Memory | None = None,
    most: int = sys.maxsize,
) -> Conversation:
    """Return the turns of messages, oldest first; `check` is called for each message.

    Where no user speaks, or one without words in a request that is `needy` of tools, the instructions are asked with.
    `most` characters are read beside what the memory knows.

    Raises:
        OutOfTime: As `check` does.
        TooMuchText: There are more.
    """
    return _read(messages, check, memory, most).conversation(needy=needy)


def last_pieces(messages: Iterable[Message]) -> tuple[Piece, ...]:
    """Return what was decided about each block of what the user said last, but markup; nothing of a plain question."""
    pieces = _read(messages, never, None, sys.maxsize).last.pieces
    return tuple(one for one in pieces if one.block.form is not Form.MARKUP)


def _read(messages: Iterable[Message], check: Check, memory: Memory | None, most: int) -> _Reader:
    reader = _Reader(memory or Memory(0), most)
    for message in checked(messages, check):
        if message.role == "user":
            reader.user(message.texts)
        else:
            reader.other(message)
    reader.end()
    return reader


class _Reader:
    """Takes messages one after the other."""

    def __init__(self, memory: Memory, most: int) -> None:
        self._memory = memory
        self._room = most
        self.turns: list[Turn] = []
        self.last = requests.Asked("")
        self._parts: list[str] | None = None  # of user messages in a row
        self._turn: Turn | None = None  # the one that is open
        self._called: dict[str, None] = {}  # since the user spoke
        self._instructions: list[str] = []  # as they were at the first request: what is kept by them stays the same
        self._begun = False  # somebody has answered
        self._spoken = ""
        self._seen: set[int] = set()
        self._has_user = False
        self._after_call = False  # what came last is a call, or its result

    def user(self, texts: Sequence[str]) -> None:
        """Take a user's message."""
        self._has_user = True
        if self._parts is None:
            self._parts = []
        self._parts += [text for text in texts if text.strip()]

    def other(self, message: Message) -> None:
        """Take somebody else's."""
        self.end_of_words()
        self._called.update(dict.fromkeys(message.calls))
        if message.role != "system":
            self._after_call = bool(message.calls) or message.role != "assistant"
        self._begun = self._begun or message.role != "system"
        if not self._begun:
            self._instructions += message.texts
        if message.role == "assistant":
            self._spoken = "\n".join(message.texts) or self._spoken

    def end_of_words(self) -> None:
        """Open a turn with what the user has said, if it is one."""
        parts, self._parts = self._parts, None
        if parts is None:
            return
        asked = requests.Asked("")
        if parts:
            goes_on = self._turn is not None
            asked, read = self._memory.find(
                parts, self._seen, goes_on=goes_on, after_call=goes_on and self._after_call, room=self._room
            )
            self._room -= read
        self.last = asked
        self._seen.update(asked.marks)
        if not asked.is_turn:
            return
        self._close()
        before = words_before(asked.text, self._spoken) if self._spoken else ""
        self._turn = Turn(asked.text, (), asked.context, before)
        self._spoken = ""

    def _close(self) -> None:
        if self._turn is not None or self._called:
            turn = self._turn or Turn("")
            self.turns.append(Turn(turn.text, tuple(self._called), turn.context, turn.before))
        self._turn, self._called = None, {}

    def end(self) -> None:
        """Take that there are no more."""
        self.end_of_words()
        self._close()

    def conversation(self, *, needy: bool) -> Conversation:
        """Return what was read."""
        instructions = "\n".join(self._instructions)[:MOST_INSTRUCTIONS]
        turns = tuple(self.turns)
        if not any(turn.text for turn in turns) and instructions and (needy or not self._has_user):
            calls = turns[0].calls if turns else ()
            turns = (Turn(instructions, calls), *turns[1:])
        return Conversation(turns, instructions)


def _key(parts: Sequence[str], *, goes_on: bool, after_call: bool) -> bytes:
    """Return a digest: all callers share what was found, and nobody may make two texts look the same."""
    running = hashlib.blake2b(b"%d%d" % (goes_on, after_call), digest_size=16)
    for part in parts:
        said = part.encode("utf-8", "surrogatepass")
        running.update(b"%d:" % len(said))
        running.update(said)
    return running.digest()


def _size(key: bytes, asked: requests.Asked) -> int:
    return footprint.texts((key, asked.text, asked.context)) + 100 * (len(asked.marks) + len(asked.open_marks)) + 512
