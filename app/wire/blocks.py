"""A text of a message, cut into blocks by its form alone: markup, fences, headings, quotes, data, paragraphs.

Laws. Every character that is not blank is in one block, and in no other. The time grows with the text's length, and of
a text beyond `MOST_READ` characters or `regions.MOST_LINES` lines the middle is one block that nobody looks into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.wire.cues import Voice, voice_of
from app.wire.regions import Block, Form, Region, Section, stripped

MOST_READ = 64_000
_MOST_TAGS = 1_000
_NEAR = 200


def cut(text: str) -> tuple[Block, ...]:
    """Return the blocks of a text, in their order."""
    if len(text) <= MOST_READ:
        return tuple(_examples_apart(list(_Cutter(text).blocks())))
    half = MOST_READ // 2
    first = text.rfind("\n", half // 2, half) + 1 or half
    last = text.find("\n", len(text) - half, len(text) - half // 2)
    last = len(text) - half if last < 0 else last
    middle = stripped(text, first, last, Block(0, 0, Form.DATA))
    end = [replace(one, start=one.start + last, end=one.end + last) for one in _Cutter(text[last:]).blocks()]
    return tuple(_examples_apart([*_Cutter(text[:first]).blocks(), *middle, *end]))


def _examples_apart(blocks: list[Block]) -> list[Block]:
    """Return the blocks; a question that has its answer below it is an example, not what is asked."""
    answered: set[int] = set()
    asked = 0
    for one in blocks:
        if one.voice > Voice.NOBODY and not one.tagged:
            asked = one.group
        elif one.voice is Voice.ANSWER and one.form is not Form.MARKUP and asked:
            answered.add(asked)
    if not answered:
        return blocks
    return [replace(one, voice=Voice.CONTEXT) if one.group in answered and one.voice > 0 else one for one in blocks]


_TAG = re.compile(r"<(/?)([^\W\d][\w:.-]{0,63}+)(?:\s[^<>]{0,500}+)?(/?)>|\[(/?)([A-Z][A-Z_ ]{2,40}+)\]")
_INLINE_NAMES = "b i a em strong span br hr img u s small sub sup font mark kbd t k v url think"
_INLINE = frozenset(_INLINE_NAMES.split(" "))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A tag with its end: outside `start` to `end`, inside `inner` to `close`."""

    start: int
    inner: int
    close: int
    end: int
    name: str


def _pairs(text: str) -> list[_Pair]:
    """Give the tags that have an end, by their start."""
    waiting: dict[str, list[tuple[int, int, int]]] = {}
    found: list[_Pair] = []
    for number, tag in enumerate(_TAG.finditer(text)):
        if number == _MOST_TAGS:
            break
        name = (tag[2] or tag[5]).lower()
        if name in _INLINE or tag[3]:
            continue
        if not (tag[1] or tag[4]):
            waiting.setdefault(name, []).append((tag.start(), tag.end(), number))
        elif waiting.get(name):
            start, inner, _ = waiting[name].pop()
            found.append(_Pair(start, inner, tag.start(), tag.end(), tag[2] or tag[5]))
    return sorted((one for one in found if text[one.inner : one.close].strip()), key=lambda one: one.start)


class _Cutter:
    def __init__(self, text: str) -> None:
        self.text = text
        self.groups = 0

    def blocks(self) -> Iterator[Block]:
        """Give the blocks of the whole text: those of tags in one piece where their names say enough."""
        position, open_tags = 0, [Section(Voice.NOBODY, "", 0, tagged=False)]
        ends: list[_Pair] = []
        for pair in _pairs(self.text):
            while ends and ends[-1].end <= pair.start:
                yield from self._closed(ends.pop(), position, open_tags)
                position = self._after
            if pair.start < position or (ends and pair.end > ends[-1].close):
                continue  # in what was taken whole, or overlapping
            voice = voice_of(pair.name)
            if voice is Voice.NOBODY and not self._stands_alone(pair):
                continue
            yield from self._region(position, pair.start, open_tags[-1], boxed=len(open_tags) > 1)
            self.groups += 1
            if voice < Voice.NOBODY:
                whole = Block(0, 0, Form.WHOLE, voice, pair.name, self.groups, tagged=True)
                yield from stripped(self.text, pair.start, pair.end, whole)
                position = pair.end
                continue
            yield Block(pair.start, pair.inner, Form.MARKUP, Voice.HARNESS, pair.name, self.groups, tagged=True)
            outer = open_tags[-1]
            asks = voice > Voice.NOBODY or outer.voice is Voice.NOBODY
            open_tags.append(Section(voice, pair.name, self.groups, tagged=True) if asks else outer)
            ends.append(pair)
            position = pair.inner
        while ends:
            yield from self._closed(ends.pop(), position, open_tags)
            position = self._after
        yield from self._region(position, len(self.text), open_tags[-1], boxed=False)

    def _closed(self, pair: _Pair, position: int, open_tags: list[Section]) -> Iterator[Block]:
        yield from self._region(position, pair.close, open_tags.pop(), boxed=True)
        yield Block(pair.close, pair.end, Form.MARKUP, Voice.HARNESS, pair.name, self.groups, tagged=True)
        self._after = pair.end

    def _stands_alone(self, pair: _Pair) -> bool:
        """Return whether a tag begins its line, and its end ends one: others are mentioned in a sentence."""
        before = self.text[max(0, pair.start - _NEAR) : pair.start].rpartition("\n")[2]
        after = self.text[pair.end : pair.end + _NEAR].partition("\n")[0]
        return not before.strip() and not after.strip()

    def _region(self, start: int, end: int, outer: Section, *, boxed: bool) -> Iterator[Block]:
        """Give the blocks of what stands between tags."""
        if not self.text[start:end].strip():
            return
        boxed = boxed and outer.voice is Voice.NOBODY
        yield from Region(self, start, end, outer, boxed=boxed).blocks()
