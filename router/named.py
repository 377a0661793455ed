"""Text -> the tools that it names, in whatever way their names are written.

Laws. Time grows with the text, which is bounded, and not with the number of tools. A name counts as such where it is
written as an identifier, where it is marked as a tool (in backticks, `call X`, "the X tool", X 工具), where it is all
there is, or where it has two words or more that say something and stand there in their order. What is a word of plain
language names nothing by itself: `search`, `time`, 天气.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from itertools import islice
from operator import or_

from router import sentence as sentences
from router import text
from router.catalog import EMPTY, Catalog, Pool
from router.sentence import Joint, Sentence
from router.spellings import LONGEST, SHORTEST_NEAR, is_near, squashed, titles

MAX_CHARS = 8_000  # of a text are read, its start and its end; of what is between them the identifiers
MAX_BETWEEN = 64_000
_MOST_IDENTIFIERS = 2_000  # of a text
_MOST_SPANS, _MOST_HITS = 20_000, 256  # runs of words that are looked up, and that are found and looked at
_MOST_NEAR = 32  # of what a text has as one word, and is no name, so many are compared by what is nearly the same
_FEW = 3  # tools of one title: a title of more says too little
_LEAST_SPOKEN = 8  # letters and digits of a name that is no more than words of a sentence
_LEAST_SIGNED = 5  # of one whose words are joined by signs that join plain words, too
_LEAST_JOINED = 12  # of one that is written as one word, where one of its words alone says something
_LEAST_WIDE = 4  # Chinese, Japanese or Korean characters of a title likewise

# Of a name in plain words, these say nothing: `check_in`, `what_is`, `look_up`, `set_to`.
_FUNCTION_WORDS = """
a an and any are as at be by can could did do does down else for from had has have her here him his how i if in into is
it its just me my no not of off on or our out over please she should so than that the their them then there they this to
too up us was we were what when where which who why will with would you your
"""
_SAYS_NOTHING = frozenset(_FUNCTION_WORDS.split())
_IS_CJK = re.compile(rf"[{text.CJK}]")


@dataclass(frozen=True, slots=True)
class Mention:
    """Tools that a text calls by one name, as positions in a pool; where in the text, in words.

    `few`: what is said is a title, or within one edit of a name. Then it counts as long as no more than so many tools
    are meant. `spoken`: it is no more than words of a sentence.
    """

    positions: tuple[int, ...]
    start: int
    end: int
    few: int | None = None
    spoken: bool = False

    def among(self, pool: Pool) -> list[str]:
        """Give the names of the tools."""
        return list(dict.fromkeys(pool.tool(position).name for position in self.positions))


def find(pool: Pool, said: str, *, identifiers: bool = False, listed: bool = False) -> tuple[Mention, ...]:
    """Give what a text names, in order of mention.

    `identifiers`: only names of two words or more that are written as one. `listed`: a name of one word counts also
    where a list explains it, or where it has its capitals in mid-sentence, as in the instructions of an agent.
    """
    sentence = Sentence(_identifiers(said) if identifiers else _bounded(said))
    if not sentence.words:
        return ()
    judge = _Judge(pool, sentence, identifiers=identifiers, listed=listed)
    found = _apart(judge.exact())
    if not identifiers and (near := list(judge.near(found))):
        found = _apart([*near, *found])
    return tuple(sorted(found, key=lambda mention: mention.start))


def named_in(own: Catalog, said: str) -> set[int]:
    """Give the positions of the tools of a client's list that a text names, as its instructions do."""
    pool = Pool(own, EMPTY)
    counting = (one for one in find(pool, said, listed=True) if one.few is None or len(one.among(pool)) <= one.few)
    return {position for mention in counting for name in mention.among(pool) for position in pool.positions(name)}


class _How(IntEnum):
    """How sure it is that words are a name."""

    NOT = 0
    SPOKEN = 1
    CERTAIN = 2


class _Judge:
    """Decides which of the words of a text are names."""

    def __init__(self, pool: Pool, sentence: Sentence, *, identifiers: bool, listed: bool) -> None:
        self._pool = pool
        self._sentence = sentence
        self._identifiers = identifiers
        self._listed = listed

    def exact(self) -> Iterator[Mention]:
        """Give the names that stand in the text, and those that are a part of another one, too."""
        spans = list(islice(self._spans(), _MOST_SPANS))
        grams = [self._sentence.squashed_at(start, end) for start, end in spans]
        hits: dict[int, dict[int, None]] = {}
        for offset, catalog in self._pool.parts:
            for number, row in catalog.spellings.find(grams):
                hits.setdefault(number, {})[offset + row] = None
        for number, positions in islice(hits.items(), _MOST_HITS):
            yield from self._mentions(*spans[number], grams[number], list(positions))

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Give the runs of words that may be names."""
        said, starts, ends = self._sentence.squashed, self._sentence.starts, self._sentence.ends
        known = [part.spellings for _, part in self._pool.parts if len(part)]
        lengths = reduce(or_, (one.lengths for one in known), 0)
        longest, count = lengths.bit_length(), len(starts)
        for start, at in enumerate(starts):
            if any(one.begins(said, at) for one in known):
                for end in range(start, count):
                    length = ends[end] - at
                    if length >= longest:
                        break
                    if lengths >> length & 1:
                        yield start, end + 1

    def _mentions(self, start: int, end: int, gram: str, positions: Sequence[int]) -> Iterator[Mention]:
        """Give what a run of words names, of the tools whose hash it has."""
        tools = {position: self._pool.tool(position) for position in positions}
        named = [p for p, tool in tools.items() if squashed(tool.name) == gram]
        titled = [] if named else [p for p, tool in tools.items() if gram in map(squashed, titles(tool))]
        if named:
            written = self._sentence.written(start, end)
            same = [p for p in named if tools[p].name == written] or named
            if how := self._how(start, end, tools[same[0]].name):
                yield Mention(tuple(same), start, end, spoken=how is _How.SPOKEN)
        elif titled and not self._identifiers:
            how = self._how(start, end, self._sentence.written(start, end))
            if how is not _How.NOT:
                yield Mention(tuple(titled), start, end, few=_FEW, spoken=how is _How.SPOKEN)

    def _how(self, start: int, end: int, name: str) -> _How:
        """Tell whether words are a name: of a tool as it is written there, or of one for people."""
        sentence = self._sentence
        joints, several = sentence.joints(start, end), _has_words(name)
        if sentence.goes_on(start, end) or (Joint.BREAK in joints and sentence.written(start, end) != name):
            return _How.NOT
        if several and (Joint.UNDERSCORE in joints or sentence.has_hump(start, end)):
            return _How.CERTAIN
        signed = Joint.SIGN in joints and Joint.BLANK not in joints
        if self._identifiers:
            return _How.CERTAIN if signed and _says_something(name, signed=True) else _How.NOT
        if sentence.is_all(start, end) or sentence.is_marked(start, end, quotes=several):
            return _How.CERTAIN
        return self._in_plain_words(start, end, name, signed=signed)

    def _in_plain_words(self, start: int, end: int, name: str, *, signed: bool) -> _How:
        """Tell whether words are a name that nothing marks."""
        if not _has_words(name):
            return _How.CERTAIN if self._listed and self._is_explained(start, end, name) else _How.NOT
        alone = end == start + 1
        if alone and self._is_ordinary(start, name):
            return _How.NOT
        return _How(_says_something(name, signed=signed, alone=alone))

    def _is_explained(self, start: int, end: int, name: str) -> bool:
        """Return whether a list explains a name, or it has its capitals where plain words have none."""
        sentence = self._sentence
        if sentence.is_listed(start, end):
            return True
        return name != name.casefold() and sentence.written(start, end) == name and sentence.is_in_sentence(start)

    def _is_ordinary(self, word: int, name: str) -> bool:
        """Return whether other tools have a word, too: `timezone` does not name `time_zone` then."""
        terms = text.terms_of(self._sentence.words[word])
        return any(
            all(any(part.tools[row].name != name for row in part.postings.of(term)[0][:_FEW]) for term in terms)
            for _, part in self._pool.parts
        )

    def near(self, found: Sequence[Mention]) -> Iterator[Mention]:
        """Give what is within one edit of a name, and is no name itself."""
        sentence, left = self._sentence, _MOST_NEAR
        taken = {(mention.start, mention.end) for mention in found}
        whole = [(0, len(sentence.words))] if len(sentence.squashed) <= LONGEST + 1 else []
        for start, end in dict.fromkeys([*sentence.units(SHORTEST_NEAR - 1), *whole]):
            if (start, end) in taken or not self._may_be_near(start, end):
                continue
            for begin in sentence.beginnings(start, end):
                spelling = sentence.squashed_at(begin, end)
                if left == 0 or (begin, end) in taken:
                    break
                parts = [one for one in self._pool.parts if one[1].spellings.may_be_near(spelling)]
                left -= bool(parts)
                if positions := self._nearly(spelling, parts):
                    yield Mention(positions, begin, end, few=1)
                    break

    def _may_be_near(self, start: int, end: int) -> bool:
        """Return whether words may be a name with a mistake in it, and are no words of plain language."""
        sentence = self._sentence
        if end > start + 1 or sentence.has_hump(start, end):
            return True
        terms = text.terms_of(sentence.words[start])
        return not any(part.postings.frequency(term) for _, part in self._pool.parts for term in terms)

    def _nearly(self, spelling: str, parts: Sequence[tuple[int, Catalog]]) -> tuple[int, ...]:
        """Give the positions of what is within one edit."""
        near = (
            (offset + row, part.tools[row].name)
            for offset, part in parts
            for row in sorted(part.spellings.find_near(spelling))
        )
        return tuple(position for position, name in near if _has_words(name) and is_near(spelling, squashed(name)))


def _bounded(said: str) -> str:
    half = MAX_CHARS // 2
    return said if len(said) <= MAX_CHARS else f"{said[:half]}\n{_identifiers(said[half:-half])}\n{said[-half:]}"


def _identifiers(said: str) -> str:
    """Give the identifiers of a text, a line each."""
    half = MAX_BETWEEN // 2
    said = said if len(said) <= MAX_BETWEEN else f"{said[:half]}\n{said[-half:]}"
    return "\n".join(sentences.identifiers(said)[:_MOST_IDENTIFIERS])


def _apart(mentions: Iterator[Mention] | Sequence[Mention]) -> list[Mention]:
    """Give the longest of mentions that overlap, the first of those that are alike."""
    chosen: list[Mention] = []
    taken: set[int] = set()
    for mention in sorted(mentions, key=lambda one: one.start - one.end):
        words = range(mention.start, mention.end)
        if taken.isdisjoint(words):
            taken.update(words)
            chosen.append(mention)
    return chosen


def _has_words(name: str) -> bool:
    """Return whether a name has several words, or so many characters of a script without blanks as two words have."""
    return len(_IS_CJK.findall(name)) >= _LEAST_WIDE or len(text.split_name(name).split()) > 1


def _says_something(name: str, *, signed: bool, alone: bool = False) -> bool:
    """Return whether the words of a name or a title are more than such as stand in any sentence.

    `signed`: signs join them; `alone`: they are run together. Then one that says something is enough in a long name.
    """
    if wide := len(_IS_CJK.findall(name)):
        return wide >= _LEAST_WIDE
    words = text.split_name(name).casefold().split()
    telling = [word for word in words if len(word) > 1 and word not in _SAYS_NOTHING]
    length = len(squashed(name))
    if len(telling) > 1:
        return length >= (_LEAST_SIGNED if signed else _LEAST_SPOKEN)
    return bool(telling) and (signed or alone) and length >= _LEAST_JOINED
