"""What stands between two tags, cut into blocks line by line: fences, headings, labels, quotes, data, paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import islice, pairwise
from typing import Protocol

from app.wire import lines
from app.wire.cues import LONGEST_NAME, Voice, asks, voice_of
from app.wire.labels import is_id, is_whose, looks_said, presents, voice_of_label

_LONG = 400  # characters of a paragraph whose ends are blocks of their own
_END = 300
_LAST = 3  # sentences
_SHORTEST = 8
_WIDE_LINE = 150
MOST_LINES = 1_000
_MARK_SIGNS = ("<|", "<!--", "_of_turn>")
_MOST_MARKS = 500
_MOST_FRONT = 40  # lines of values before a text


class Form(Enum):
    """What a block looks like."""

    PROSE = auto()
    LIST = auto()
    DATA = auto()  # code, tables, logs, paths, JSON
    QUOTE = auto()
    MARKUP = auto()  # tags, headings, labels, rules
    WHOLE = auto()  # what stands between two tags and was not looked into


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]`, without blanks at its ends.

    `voice` is what the innermost tag, heading or label says that it stands under, `name` is that one's name, `group`
    its number; `tagged`: it is a tag. `boxed`: it stands between rules, quotes or tags that say nothing.
    """

    start: int
    end: int
    form: Form
    voice: Voice = Voice.NOBODY
    name: str = ""
    group: int = 0
    tagged: bool = False
    boxed: bool = False


def stripped(text: str, start: int, end: int, like: Block) -> Iterator[Block]:
    """Give a block without the blanks at its ends, unless nothing is left."""
    part = text[start:end]
    kept = part.strip()
    if kept:
        begin = start + len(part) - len(part.lstrip())
        yield replace(like, start=begin, end=begin + len(kept))


@dataclass(slots=True)
class Section:
    """What the lines that come stand under."""

    voice: Voice
    name: str
    group: int
    tagged: bool
    one: bool = False  # it ends with the paragraph


_ROLES = {"user": Voice.PERSON, "human": Voice.PERSON, "assistant": Voice.ANSWER, "model": Voice.ANSWER}
_AS = {"head": "text", "table": "data", "sign": "signature"}


class Counter(Protocol):
    """The text, and how many sections it has had so far."""

    text: str
    groups: int


class Region:
    """Cuts what stands between two tags, line by line."""

    def __init__(self, counter: Counter, start: int, end: int, outer: Section, *, boxed: bool) -> None:
        self.counter = counter
        self.text = counter.text
        self.outer = outer
        self.section = outer
        self.boxed = boxed
        self.lines = self._split(start, end)
        self.pending: list[tuple[int, int, str]] = []  # lines of one kind
        self.rules = self._paired_rules()
        self.quoted = False  # below the heading of a mail
        self.inside = ""  # the rule that a box began with
        self.first = next((number for number, row in enumerate(self.lines) if row[2] != "blank"), 0)

    def _split(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """Return the lines and what they look like; of too many the middle ones are one."""
        rows = list(self._rows(start, end))
        if len(rows) <= MOST_LINES:
            return [self._of_kind(row) for row in rows]
        half = MOST_LINES // 2
        middle = (rows[half][0], rows[-half - 1][1], "middle")
        return [*map(self._of_kind, rows[:half]), middle, *map(self._of_kind, rows[-half:])]

    def _rows(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Give the lines, and the marks of a template between them."""
        at = start
        if any(self.text.find(sign, start, end) >= 0 for sign in _MARK_SIGNS):
            for found in islice(lines.MARKS.finditer(self.text, start, end), _MOST_MARKS):
                yield from self._lines_of(at, found.start())
                yield found.start(), found.end(), "mark"
                at = found.end()
        yield from self._lines_of(at, end)

    def _lines_of(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        for text in self.text[start:end].split("\n"):
            yield start, start + len(text), ""
            start += len(text) + 1

    def _of_kind(self, row: tuple[int, int, str]) -> tuple[int, int, str]:
        start, stop, kind = row
        return start, stop, kind or lines.kind_of(self.text[start:stop])

    def _paired_rules(self) -> dict[int, int]:
        """Give where rules stand that begin a box, and where it ends; three dashes only divide."""
        waiting: dict[str, int] = {}
        found: dict[int, int] = {}
        for number, (start, stop, kind) in enumerate(self.lines):
            if kind not in ("fence", "rule"):
                continue
            line = self.text[start:stop].strip()
            if kind == "fence":
                line = line[:3]
            elif line[:5] in ("---", "***", "___", "===", "—", "——", "———"):
                continue
            if line in waiting:
                found[waiting.pop(line)] = number
            else:
                waiting[line] = number
        return found

    def blocks(self) -> Iterator[Block]:
        """Give the blocks, in their order."""
        number, box_end = self._front_end(), -1
        if number:
            yield from self._block(self.lines[0][0], self.lines[number - 1][1], Form.DATA)
        while number < len(self.lines):
            start, stop, kind = self.lines[number]
            if kind in ("fence", "rule"):
                yield from self._flush()
                if kind == "fence" and number in self.rules:
                    last = self.rules[number]
                    yield from self._block(start, self.lines[last][1], Form.DATA)
                    number = last + 1
                    continue
                box_end = self.rules.get(number, box_end)
                self.inside = "box" if number < box_end else ""
                if number == box_end or number < box_end:
                    self.section = self.outer
                yield from self._block(start, stop, Form.MARKUP)
            elif kind in ("middle", "mark"):
                yield from self._flush()
                yield from self._block(start, stop, Form.DATA) if kind == "middle" else self._mark(start, stop)
            elif number == self.first and (length := self._envelope(start, stop)):
                self.section = self._section(Voice.PERSON, "message")
                yield from self._block(start, start + length, Form.MARKUP)
                self.pending.append((start + length, stop, "text"))
            else:
                yield from self._line(start, stop, kind)
            number += 1
        yield from self._flush()

    def _front_end(self) -> int:
        """Return where names and values between two rules end that a text begins with; 0 where it does not."""
        if not self.lines:
            return 0
        start, stop, kind = self.lines[self.first]
        rule = self.text[start:stop].strip()
        if kind != "rule" or rule not in ("---", "+++"):
            return 0
        for number in range(self.first + 1, min(self.first + _MOST_FRONT, len(self.lines) - 1)):
            line = self.text[slice(*self.lines[number][:2])]
            if line.strip() == rule:
                return number + 1
            if not lines.VALUE.match(line):
                return 0
        return 0

    def _mark(self, start: int, stop: int) -> Iterator[Block]:
        """Give a template's mark; one that names a speaker begins what he says."""
        found = lines.MARKS.match(self.text, start, stop)
        name = ((found and (found["name"] or found["edge"])) or "").strip("/ ").lower()
        role = name if name in lines.ROLES else found and (found["role"] or found["who"])
        if role:
            self.section = self._section(_ROLES.get(role, Voice.HARNESS), role)
        elif lines.CLOSES.search(name):
            self.section = self.outer
        yield from self._block(start, stop, Form.MARKUP)

    def _envelope(self, start: int, stop: int) -> int:
        """Return the length of what says, in the first line alone, who wrote where; 0 where nothing does."""
        found = lines.ENVELOPE.match(self.text, start, stop)
        if not found or not lines.WHERE.search(found[0]):
            found = lines.VALUES.match(self.text, start, stop)
            values = found and (lines.WHERE.search(found[0]) or lines.NAMED.match(found[0]))
            return found.end() - start if found and values else 0
        after = next((row for row in self.lines[self.first + 1 :] if row[2] != "blank"), None)
        return 0 if after and lines.ENVELOPE.match(self.text[after[0] : after[1]]) else found.end() - start

    def _line(self, start: int, stop: int, kind: str) -> Iterator[Block]:
        line = self.text[start:stop]
        if kind == "blank":
            yield from self._flush()
            if self.section.one:
                self.section = self.outer
            return
        if kind == "text" and (found := lines.WITHIN.search(line)):
            self.pending.append((start, start + found.start(), "text"))
            yield from self._flush()
            self.section = self._section(Voice.QUESTION, found["label"], one=True)
            yield from self._block(start + found.start(), start + found.end(), Form.MARKUP)
            self.pending.append((start + found.end(), stop, "text"))
            return
        if kind == "text" and "<" in line and lines.TAG.match(line):
            yield from self._flush()
            yield from self._block(start, stop, Form.MARKUP)
            return
        if kind in ("text", "head", "list") and (labelled := self._labelled(line, kind)):
            section, length = labelled
            yield from self._flush()
            self.section = section
            yield from self._block(start, start + length, Form.MARKUP)
            if line[length:].strip():
                self.pending.append((start + length, stop, "text"))
                if lines.QUOTED.match(line, length):  # what follows is not said any more
                    yield from self._flush()
                    self.section = self.outer
            return
        if kind == "text" and lines.WROTE.match(line):
            yield from self._flush()
            self.quoted = True
            yield from self._block(start, stop, Form.QUOTE)
            return
        kind = self._in_its_place(_AS.get(kind, kind), line)
        if self.pending and self.pending[-1][2] != kind:
            yield from self._flush()
        self.pending.append((start, stop, kind))

    def _in_its_place(self, kind: str, line: str) -> str:
        """Return what a line is below those that wait: a part of the data, the code or the signature."""
        before = self.pending[-1][2] if self.pending else ""
        if before == "signature" and kind not in ("quote", "fence"):
            return before
        if kind in ("text", "list"):
            if lines.SOLID.match(line) or ("[" in line and lines.NAMED_VALUE.match(line)):
                return "data"
            if before in ("data", "code") and line[:1] in " \t+-":
                return before
            if kind == "text" and lines.CODE.match(line):
                return "code"
            if kind == "text" and (lines.SIGN_OFF.match(line) or lines.NOTICE.match(line)):
                return "signature"
        return kind

    def _labelled(self, line: str, kind: str) -> tuple[Section, int] | None:
        """Return the section that a line begins, and how much of the line is its heading."""
        if kind == "text" and self.section is not self.outer and lines.ENDS.match(line):
            return self.outer, len(line)
        found = lines.LABEL.match(line) if ":" in line or "：" in line else None
        if found and (voice := self._label_voice(found)) is not Voice.NOBODY and self._is_label(found, voice):
            length = found.start("rest")
            return self._section(voice, found["label"], one=bool(found["rest"].strip(" *\"'`"))), length
        if kind == "head":
            name = line.strip("#*=-[]()【】■◆●▼▶□◇:： \t\r")
            voice = voice_of_label(name)
            if voice is Voice.NOBODY:
                voice = min(voice_of(name), Voice.NOBODY)
            return self._section(voice, name), len(line)
        if kind == "text" and line.lstrip()[:1] in ("【", "[") and (found := lines.BRACKETED.match(line)):
            name = found["wide"] or found["narrow"]
            voice = min(voice_of(name), Voice.NOBODY) or voice_of_label(name)
            if voice > Voice.NOBODY or voice is Voice.HARNESS or (voice is not Voice.NOBODY and found["wide"]):
                return self._section(voice, name, one=True), found.start("rest")
        if kind == "text" and len(line) <= LONGEST_NAME and lines.BARE.match(line.strip()):
            voice = voice_of_label(line.strip())
            if (
                voice >= Voice.PERSON
                and voice_of_label(line.strip().split()[0]) <= Voice.QUESTION
                and line.istitle() | line.isupper()
            ):
                return self._section(voice, line.strip()), len(line)
        return None

    def _is_label(self, found: re.Match[str], voice: Voice) -> bool:
        """Return whether a line is labelled so, and not a person's own, or a value without words."""
        label, rest = found["label"], found["rest"].strip()
        if voice < Voice.NOBODY:
            return not (presents(label) and len(self.lines) == 1)
        if voice is Voice.PERSON and is_id(rest):
            return False
        if label.islower() and label.isascii() and rest and not looks_said(rest):
            return False
        if voice is Voice.QUESTION or is_whose(label):
            return True
        return not any(kind == "text" and asks(self.text[start:stop])[1] for start, stop, kind in self.pending[-3:])

    def _label_voice(self, found: re.Match[str]) -> Voice:
        """Return who speaks after a label; `team/web:2.2` is none."""
        label, colon = found["label"], found.end("label")
        apart = found.string[colon:].lstrip("*])】>\"'”")[:2]
        if "/" in label or (apart[:1] == ":" and apart[1:].isalnum() and label.isascii()):
            return Voice.NOBODY
        if label[-1:] in "?？":
            return Voice.QUESTION  # a form's own question: what follows is a person's answer to it
        return voice_of_label(label)

    def _section(self, voice: Voice, name: str, *, one: bool = False) -> Section:
        self.counter.groups += 1
        self.quoted = False
        if voice is Voice.NOBODY and self.outer.voice > Voice.NOBODY:
            return self.outer
        return Section(voice, name.strip(), self.counter.groups, tagged=False, one=one)

    def _flush(self) -> Iterator[Block]:
        """Give the block of the lines that wait."""
        if not self.pending:
            return
        waiting, self.pending = self.pending, []
        kind, start, end = waiting[0][2], waiting[0][0], waiting[-1][1]
        if kind == "text":
            yield from self._paragraph(waiting)
        elif kind == "quote" or (kind == "mail" and len(waiting) > 1):
            self.quoted = self.quoted or kind == "mail"
            yield from self._block(start, end, Form.QUOTE)
        elif kind in ("data", "signature") or (kind == "code" and len(waiting) > 1):
            yield from self._block(start, end, Form.DATA)
        elif kind == "list" and len(waiting) > 3:
            yield from self._block(start, end, Form.LIST)
        else:
            yield from self._block(start, end, Form.PROSE)

    def _paragraph(self, rows: list[tuple[int, int, str]]) -> Iterator[Block]:
        start, end = rows[0][0], rows[-1][1]
        if len(rows) > 2 and self._is_data(rows):
            yield from self._block(start, end, Form.DATA)
        elif end - start <= _LONG:
            yield from self._block(start, end, Form.PROSE)
        else:
            for first, last in pairwise((start, *self._cuts(start, end), end)):
                yield from self._block(first, last, Form.PROSE)

    def _is_data(self, rows: list[tuple[int, int, str]]) -> bool:
        """Return whether lines are a table with commas or tabs, or names with their values."""
        texts = [self.text[start:stop] for start, stop, _ in rows[:50]]
        for sign in (",", "\t", ";"):
            counts = {text.count(sign) for text in texts}
            if len(counts) == 1 and counts.pop() >= 2:
                return True
        return sum(lines.PAIRED.match(text.lstrip("-* ")) is not None for text in texts) >= 0.8 * len(texts)

    def _cuts(self, start: int, end: int) -> list[int]:
        """Return where the first line or sentences of a long paragraph end, and where its last ones begin."""
        head, tail = self.text[start : start + _END], self.text[max(start, end - _END) : end]
        first = [start + found.end() for found in lines.SENTENCE_END.finditer(head)][:2]
        if "\n" in head:
            first.append(start + head.index("\n"))
        origin = end - len(tail)
        before, line, last = tail.rpartition("\n")
        if line and len(last) > _SHORTEST and self._ends_there(before):
            return sorted({*first, end - len(last)})
        cuts = [origin + found.end() for found in lines.SENTENCE_END.finditer(tail)]
        return sorted({one for one in (*first, *cuts[-_LAST:]) if start < one < end})

    def _ends_there(self, before: str) -> bool:
        """Return whether a line break ends what is said, and does not only keep lines short."""
        return len(before.rpartition("\n")[2]) > _WIDE_LINE or before[-1:] in ".!?。！？:："

    def _block(self, start: int, end: int, form: Form) -> Iterator[Block]:
        section = self.section
        boxed = self.boxed or self.quoted or bool(self.inside)
        like = Block(0, 0, form, section.voice, section.name, section.group, section.tagged, boxed=boxed)
        yield from stripped(self.text, start, end, like)
