"""Which of a turn's blocks are the person's request, which stand around it, and which are the harness speaking.

Laws. A decision follows from the turn's own parts and from what was said before, never from what comes later. What is
recognised as the harness's is taken away first, and the rest is judged as if it had never been there: with and without
reminders a turn asks for the same. Where nothing is found, everything is the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from app.wire import cues, labels
from app.wire.blocks import cut
from app.wire.cues import Voice
from app.wire.manners import Process, process_of
from app.wire.regions import Block, Form
from app.wire.views import PLAIN, Choice, Piece, Role

MOST_CONTEXT = 2_000  # characters of what stands around a request that are kept
_PARAGRAPH = 2_000  # of one paragraph that a person begins
_MOST_JSON = 16_000  # characters of a message that may be an object with a question in it
_REPEATED = 16  # a shorter block says nothing by coming again
_SIGNS = frozenset("\n<[【(#*:：>|{")
_COUNTED = 1_000  # characters of a text that is known by all but its numbers
_NUMBER = re.compile(r"[0-9][0-9.,:]*")
_LEAD = re.compile(r"\s*\[[A-Z_ ]{3,20}\]:?\s*")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a turn asks for, and what stands around that. `is_turn` is False where only the harness speaks.

    `marks` are hashes of its blocks, by which they are known when they come again; of those in `open_marks` the
    decision would have been another, had they come before.
    """

    text: str
    context: str = ""
    is_turn: bool = True
    pieces: tuple[Piece, ...] = ()
    marks: tuple[int, ...] = ()
    open_marks: frozenset[int] = frozenset()


def find(
    parts: Sequence[str],
    seen: frozenset[int] | set[int] = frozenset(),
    *,
    goes_on: bool = False,
    after_call: bool = False,
) -> Asked:
    """Find the request in the parts of a turn.

    `seen` are marks of what came earlier; `goes_on` tells that somebody asked for something before, so that results of
    tools can come as a user's words, and the harness's words about an agent's process; `after_call` that what came last
    is a call or its result, so that a mere "continue" is the harness's, too, and what is new in its numbers alone.
    """
    parts = [part.strip() for part in parts]
    if len(parts) == 1 and is_plain(parts[0]) and not (goes_on and _is_process(parts, seen, after_call=after_call)):
        return Asked(parts[0], marks=tuple(_marks(parts)))
    pieces = [
        Piece(number, part[block.start : block.end], block.start, block)
        for number, part in enumerate(parts)
        for block in cut(part)
    ]
    decided = _Decision(parts, pieces, seen, goes_on=goes_on, after_call=after_call)
    return decided.asked()


def is_plain(text: str) -> bool:
    """Return whether a text is one short line without anything that could be a wrapping."""
    return len(text) <= PLAIN and _SIGNS.isdisjoint(text)


def _marks(texts: Iterable[str]) -> Iterator[int]:
    """Give the marks of texts; of one with numbers also without them."""
    for text in texts:
        if len(text) >= _REPEATED:
            yield hash(text)
            if len(text) <= _COUNTED and (bare := _NUMBER.sub("\0", text)) != text:
                yield hash(bare)


def _is_process(texts: Sequence[str], seen: frozenset[int] | set[int], *, after_call: bool) -> bool:
    """Return whether texts speak about an agent's own process and ask for nothing else."""
    least = Process.GO_AHEAD if after_call else Process.SURELY
    return bool(texts) and all(
        process_of(_LEAD.sub("", text)) >= least or (after_call and _counts_again(text, seen)) for text in texts
    )


def _counts_again(text: str, seen: frozenset[int] | set[int]) -> bool:
    """Return whether a text with numbers in it came before with other numbers."""
    if not _REPEATED <= len(text) <= _COUNTED:
        return False
    bare = _NUMBER.sub("\0", text)
    return bare != text and hash(bare) in seen


class _Decision:
    def __init__(
        self,
        parts: Sequence[str],
        pieces: list[Piece],
        seen: frozenset[int] | set[int],
        *,
        goes_on: bool,
        after_call: bool,
    ) -> None:
        self.parts = parts
        self.pieces = pieces
        self.choice = Choice(pieces)
        self.roles: list[tuple[Role, str] | None] = [None] * len(pieces)
        self._take_harness(goes_on=goes_on)
        new = (self.pieces[i] for i in self._open())  # what follows goes by what came before
        self.open_marks = frozenset(_marks(one.text for one in new if one.block.form is not Form.WHOLE))
        if goes_on:
            self._take_process(seen, after_call=after_call)
        self._take_repeated(seen)
        self._take_context()

    def asked(self) -> Asked:
        open_ones = self._open()
        if not open_ones and all(role is not None and role[0] is Role.HARNESS for role in self.roles):
            return self._result("", "", is_turn=not self.pieces)
        chosen, why = self._said_alone(open_ones) or self._asks(open_ones) or self.choice.best(open_ones)
        inner = "" if chosen else _said_in_json(self.parts)
        if not chosen:
            chosen, why = [i for i in range(len(self.pieces)) if not self._is(i, Role.HARNESS)], "nothing stands out"
        for i in chosen:
            self.roles[i] = (Role.REQUEST, why)
        for i in open_ones:
            self.roles[i] = self.roles[i] or (Role.CONTEXT, "stands around it")
        context = self._joined([i for i in range(len(self.pieces)) if self._is(i, Role.CONTEXT)], MOST_CONTEXT)
        text = self._joined(chosen)
        if any(self.pieces[i].block.voice > Voice.NOBODY for i in chosen):
            text = _unquoted(text)
        return self._result(inner or text, context)

    def _result(self, text: str, context: str, *, is_turn: bool = True) -> Asked:
        marks = tuple(_marks(one.text for one in self.pieces))
        return Asked(text, context, is_turn, self._pieces(), marks, self.open_marks)

    def _is(self, i: int, role: Role) -> bool:
        found = self.roles[i]
        return found is not None and found[0] is role

    def _open(self) -> list[int]:
        return [i for i, role in enumerate(self.roles) if role is None]

    def _pieces(self) -> tuple[Piece, ...]:
        return tuple(
            Piece(one.part, one.text, one.start, one.block, *(role or (Role.CONTEXT, "")))
            for one, role in zip(self.pieces, self.roles, strict=True)
        )

    def _take_harness(self, *, goes_on: bool) -> None:
        """Take what says by its form that the harness speaks."""
        results: dict[int, str] = {}  # by part, what it is a result of
        for i, one in enumerate(self.pieces):
            block = one.block
            if goes_on and one.part not in results and (block.start == 0 or one.start == 0):
                length = cues.result_begins(self.parts[one.part])
                before = results.get(one.part - 1)
                if length:
                    results[one.part] = "more" if not self.parts[one.part][length:].strip() else "whole"
                elif before == "more":
                    results[one.part] = "more"
            if block.form is Form.MARKUP:
                self.roles[i] = (Role.HARNESS, "markup")
            elif block.form is Form.WHOLE and block.voice is Voice.HARNESS:
                self.roles[i] = (Role.HARNESS, f"<{block.name}>")
            elif one.part in results and not (block.tagged and block.voice > Voice.NOBODY):
                self.roles[i] = (Role.HARNESS, "a tool's result")
            elif block.form is Form.PROSE and block.voice <= Voice.NOBODY and cues.tells_the_time(_in_full(one)):
                self.roles[i] = (Role.HARNESS, "date and time")
        if not self._open() and len(self.pieces) == 1 and self.roles[0] == (Role.HARNESS, "date and time"):
            self.roles[0] = None

    def _take_process(self, seen: frozenset[int] | set[int], *, after_call: bool) -> None:
        """Take what speaks about an agent's process, where nothing else is said."""
        new = self._open()
        if sum(len(self.pieces[i].text) for i in new) > _COUNTED or any(self._is_asked(i) for i in new):
            return
        if _is_process([self.pieces[i].text for i in new], seen, after_call=after_call):
            for i in new:
                self.roles[i] = (Role.HARNESS, "about the agent's own process")

    def _is_asked(self, i: int) -> bool:
        return self.pieces[i].block.voice >= Voice.PERSON

    def _take_repeated(self, seen: frozenset[int] | set[int]) -> None:
        """Take what came word for word before, as long as something new is left."""
        if not seen:
            return
        new = [i for i in self._open() if self.pieces[i].block.form is not Form.WHOLE]
        again = {i for i in new if len(self.pieces[i].text) >= _REPEATED and hash(self.pieces[i].text) in seen}
        if len(again) < len(new):
            for i in again:
                self.roles[i] = (Role.HARNESS, "came before, word for word")

    def _take_context(self) -> None:
        for i in self._open():
            block = self.pieces[i].block
            if block.form is Form.WHOLE:
                self.roles[i] = (Role.CONTEXT, f"<{block.name}>")
            elif block.form in (Form.DATA, Form.QUOTE):
                self.roles[i] = (Role.CONTEXT, block.form.name.lower())
            elif block.voice is Voice.ANSWER:
                self.roles[i] = (Role.CONTEXT, block.name)

    def _said_alone(self, open_ones: list[int]) -> tuple[list[int], str] | None:
        """Return the last part where it is one plain sentence that asks and all marks are in parts before it.

        So is a single paragraph that a person begins, and several of his that speak of himself: they are one text.
        """
        last = len(self.parts) - 1
        if last and open_ones[-1:] and self.pieces[open_ones[-1]].part == last:
            ends = [i for i in open_ones if self.pieces[i].part == last]
            alone = len(ends) == 1 and is_plain(self.parts[last]) and self._has_cue(ends[0])
            if alone and not cues.notes(self.parts[last]) and process_of(self.parts[last]) is Process.NOT:
                return ends, "a part of its own, at the end"
        if not last and len(open_ones) == len(self.pieces) > 1 and self._is_one_text():
            return open_ones, "the person's words"
        return None

    def _is_one_text(self) -> bool:
        text = self.parts[0]
        if len(text) > _PARAGRAPH or any(one.block.voice is not Voice.NOBODY or one.block.boxed for one in self.pieces):
            return False
        first, last = self.pieces[0].text, self.pieces[-1].text
        noted = bool(cues.notes(first)) and not cues.supposes(first)
        if "\n" not in text:
            quoted = text[0] == text[-1] == '"'
            return quoted or ((any(cues.asks(first)) or cues.speaks_of_self(first)) and not noted)
        plain = all(one.block.form in (Form.PROSE, Form.LIST) for one in self.pieces)
        return plain and cues.speaks_of_self(first) and not noted and not cues.notes(last)

    def _asks(self, open_ones: list[int]) -> tuple[list[int], str] | None:
        """Return what stands under the surest mark that something is asked there, the last of its kind."""
        marked = [i for i in open_ones if _rank(self.pieces[i].block) > 1] or self._tasks(open_ones)
        if not marked:
            return None
        surest = max(_rank(self.pieces[i].block) for i in marked)
        marked = [i for i in marked if _rank(self.pieces[i].block) == surest]
        last = {self.pieces[i].block.name.lower(): self.pieces[i].block.group for i in marked}
        marked = [i for i in marked if self.pieces[i].block.group == last[self.pieces[i].block.name.lower()]]
        name = self.pieces[marked[-1]].block.name
        chosen, _ = self.choice.best(marked)
        return chosen or marked, f"marked {name!r}"

    def _tasks(self, open_ones: list[int]) -> list[int]:
        """Return what stands under a heading such as 'Task', unless it is the harness's or one asks later."""
        found = [i for i in open_ones if _rank(self.pieces[i].block) == 1 and not cues.notes(self.pieces[i].text)]
        first = found and [i for i in found if self.pieces[i].block.group == self.pieces[found[0]].block.group]
        if not first or not any(self._has_cue(i) for i in first):
            return []
        later = (
            i for i in open_ones if i > first[-1] and self._is_outside(i) and self.pieces[i].block.voice is Voice.NOBODY
        )
        return [] if any(self._has_cue(i) for i in later) else first

    def _has_cue(self, i: int) -> bool:
        return any(cues.asks(self.pieces[i].text))

    def _is_outside(self, i: int) -> bool:
        block = self.pieces[i].block
        return block.voice >= Voice.NOBODY and not block.boxed

    def _joined(self, chosen: Sequence[int], most: int | None = None) -> str:
        """Return the text of blocks; as it stands there where nothing is between them."""
        texts: list[str] = []
        begin = end = -1
        room = most
        for i in [*chosen, -1]:
            if i >= 0 and end >= 0 and i == end + 1 and self.pieces[i].part == self.pieces[end].part:
                end = i
                continue
            if end >= 0:
                first, last = self.pieces[begin], self.pieces[end]
                text = self.parts[first.part][first.block.start : last.block.end]
                texts.append(text if room is None else text[:room])
                if room is not None and (room := room - len(text)) <= 0:
                    break
            begin = end = i
        return "\n".join(texts)


def _said_in_json(parts: Sequence[str]) -> str:
    """Return what a person says in a message that is a JSON document; "" as a rule."""
    if len(parts) != 1 or parts[0][:1] + parts[0][-1:] not in ("{}", "[]") or len(parts[0]) > _MOST_JSON:
        return ""
    try:
        found = msgspec.json.decode(parts[0])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return ""
    return labels.said_in(found)


def _rank(block: Block) -> int:
    """Return how surely a block is asked for; more than 1 decides."""
    if block.voice <= Voice.NOBODY:
        return 0
    return block.voice.value + (10 if block.tagged and block.voice is not Voice.MAYBE else 2 * block.tagged)


def _in_full(one: Piece) -> str:
    """Return what a block says, with the label before it: `Current time: 9:14`."""
    return f"{one.block.name}: {one.text}" if one.block.voice is Voice.HARNESS else one.text


_QUOTES = ('"""', "'''", '"', "'", "`", "“”", "「」", "『』", "‘’")


def _unquoted(text: str) -> str:
    """Return a text without the quotation marks around all of it."""
    for marks in _QUOTES:
        first, last = (marks[0], marks[1]) if marks[0] != marks[-1] else (marks, marks)
        if len(text) > 2 * len(first) and text.startswith(first) and text.endswith(last):
            return text[len(first) : -len(last)].strip()
    return text
