"""Which of a turn's blocks are the person's request, which stand around it, and which are the harness speaking.

Laws. A decision follows from the turn's own parts and from what was said before, never from what comes later. What is
recognised as the harness's is taken away first, and the rest is judged as if it had never been there: with and without
reminders a turn asks for the same. Where nothing is found, everything is the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import msgspec

from app.wire import cues
from app.wire.blocks import cut
from app.wire.cues import Voice
from app.wire.regions import Block, Form

MOST_CONTEXT = 2_000  # characters of what stands around a request that are kept
_SHORT = 600  # characters of paragraphs that are a person's words as a whole
_TOLD = 250  # a longer paragraph without a question or demand is told, where another has one
_PLAIN = 300  # of a text of one line that nobody has wrapped
_MOST_JSON = 16_000  # characters of a message that may be an object with a question in it
_MOST_VIEWED = 40  # paragraphs of a turn that are looked into, most of them at its end
_REPEATED = 16  # a shorter block says nothing by coming again
_SIGNS = frozenset("\n<[【(#*:：>|{")
_NEAR = 1.5  # a block that scores as much less than the best is asked for, too


class Role(StrEnum):
    """What a block is to the routing."""

    REQUEST = "request"
    CONTEXT = "context"
    HARNESS = "harness"


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of one part of a turn, and why it is what it is."""

    part: int
    text: str
    start: int
    block: Block
    role: Role | None = None
    why: str = ""


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


def find(parts: Sequence[str], seen: frozenset[int] | set[int] = frozenset(), *, goes_on: bool = False) -> Asked:
    """Find the request in the parts of a turn.

    `seen` are marks of what came earlier; `goes_on` tells that somebody asked for something before, so that results of
    tools can come as a user's words.
    """
    parts = [part.strip() for part in parts]
    if len(parts) == 1 and is_plain(parts[0]):
        return Asked(parts[0], marks=tuple(_marks(parts)))
    pieces = [
        Piece(number, part[block.start : block.end], block.start, block)
        for number, part in enumerate(parts)
        for block in cut(part)
    ]
    decided = _Decision(parts, pieces, seen, goes_on=goes_on)
    return decided.asked()


def is_plain(text: str) -> bool:
    """Return whether a text is one short line without anything that could be a wrapping."""
    return len(text) <= _PLAIN and _SIGNS.isdisjoint(text)


def _marks(texts: Iterable[str]) -> Iterator[int]:
    return (hash(text) for text in texts if len(text) >= _REPEATED)


@dataclass(frozen=True, slots=True)
class _View:
    """What speaks for a block: its place, its score, and what that is made of."""

    i: int
    score: float
    length: int
    cue: bool
    notes: int
    inside: bool
    leads: bool


def _stands_out(views: Sequence[_View]) -> _View | None:
    """Return the paragraph at an end that is much shorter than the others."""
    if len(views) < 2:
        return None
    usual = sorted(one.length for one in views)[len(views) // 2]
    ends = [one for one in (views[-1], views[0]) if 8 <= one.length <= usual / 2 and one.score > 0]
    return ends[0] if ends else None


def _with_lists(views: list[_View], lists: set[int]) -> list[_View]:
    """Return the views; a list below a line that leads to it and asks nothing goes with that."""
    led = [after.i in lists and before.leads for before, after in pairwise(views)]
    return [*views[:1], *(replace(one, leads=one.leads or leads) for one, leads in zip(views[1:], led, strict=True))]


class _Decision:
    def __init__(
        self, parts: Sequence[str], pieces: list[Piece], seen: frozenset[int] | set[int], *, goes_on: bool
    ) -> None:
        self.parts = parts
        self.pieces = pieces
        self.roles: list[tuple[Role, str] | None] = [None] * len(pieces)
        self._take_harness(goes_on=goes_on)
        new = (self.pieces[i] for i in self._open())
        self.open_marks = frozenset(_marks(one.text for one in new if one.block.form is not Form.WHOLE))
        self._take_repeated(seen)
        self._take_context()

    def asked(self) -> Asked:
        open_ones = self._open()
        if not open_ones and all(role is not None and role[0] is Role.HARNESS for role in self.roles):
            return self._result("", "", is_turn=not self.pieces)
        chosen, why = self._asks(open_ones) or self._best(open_ones)
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
        chosen, _ = self._best(marked)
        return chosen or marked, f"marked {name!r}"

    def _tasks(self, open_ones: list[int]) -> list[int]:
        """Return what stands under a heading such as 'Task', unless the harness speaks there or somebody asks later."""
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

    def _best(self, among: list[int]) -> tuple[list[int], str]:
        """Return the paragraphs that ask most clearly; all, where they are few and nothing speaks against them."""
        if not among:
            return [], ""
        several = len({self.pieces[i].part for i in among}) > 1
        if len(among) > _MOST_VIEWED:
            several, among = True, [*among[: _MOST_VIEWED // 4], *among[-_MOST_VIEWED * 3 // 4 :]]
        views = self._views(among, several=several)
        good = [one for one in views if not one.inside and not one.leads]
        if any(one.cue and not one.notes for one in good) or not good[-1:] or not good[-1].notes:
            good = [one for one in good if not one.notes]
        told = any(one.length > _TOLD and not one.cue for one in good) and any(one.cue for one in good)
        if good and not several and not told and sum(one.length for one in good) <= _SHORT:
            return [one.i for one in good], "the person's words"
        best = max(one.score for one in views)
        asking = [one for one in views if one.score >= max(best - _NEAR, 0.5) and one.cue]
        asking = [one for one in asking if not one.inside] or asking[-1:]
        if asking:
            return [one.i for one in asking], "asks for something"
        if short := _stands_out(views):
            return [short.i], "short, at an end"
        if several and best > 0:
            return [one.i for one in views if one.score >= best - _NEAR], "stands out"
        return ([one.i for one in good], "the person's words") if good and len(good) < len(among) else ([], "")

    def _views(self, among: list[int], *, several: bool) -> list[_View]:
        views: list[_View] = []
        for i in reversed(among):
            block, text = self.pieces[i].block, self.pieces[i].text
            question, demand = cues.asks(text)
            notes = cues.notes(text)
            if text[-1:] in ":：" and views and views[-1].notes:
                notes += 1  # it leads to them
            inside = block.boxed or block.voice < Voice.NOBODY
            score = 2.0 * (question or demand) + 0.5 * (question and demand) - 1.5 * notes
            score += 1.0 if len(text) <= 300 else -1.0 if len(text) <= 1_500 else -3.0
            score += 1.5 * (i == among[-1]) + 0.5 * (i == among[0]) + 0.5 * several
            score -= 1.0 * (text[-1:] in ":：") + 1.5 * (block.form is Form.LIST) + 1.5 * block.boxed
            score += {Voice.HARNESS: -2.5, Voice.CONTEXT: -1.5, Voice.MAYBE: 1.5}.get(block.voice, 0.0)
            cue = question or demand
            views.append(_View(i, score, len(text), cue, notes, inside, leads=not cue and text[-1:] in ":："))
        return _with_lists(views[::-1], {i for i in among if self.pieces[i].block.form is Form.LIST})

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
    """Return what stands under the surest name that asks, of a message that is one JSON object; "" as a rule."""
    if len(parts) != 1 or parts[0][:1] != "{" or parts[0][-1:] != "}" or len(parts[0]) > _MOST_JSON:
        return ""
    try:
        found = msgspec.json.decode(parts[0])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return ""
    said = [(cues.voice_of(name), value) for name, value in found.items() if isinstance(value, str) and value.strip()]
    voice, text = max(said, key=lambda one: one[0], default=(Voice.NOBODY, ""))
    return text.strip() if voice >= Voice.PERSON else ""


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
