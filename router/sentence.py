"""A text as words, and what its signs say about them: what is written as one, what is marked as the name of a tool."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from router import text

_TOKEN = re.compile(rf"[{text.CJK}]|[^\W_{text.CJK}]+")
_HUMP = re.compile("[a-z0-9][A-Z]")
_SIGNS = frozenset(("-", ".", "/", ":", "::", "->", "\\", "\u2010"))
_PREFIX_ENDS = frozenset(("__", "::", "->", ".", "/", ":"))
_JOINED = r"(?:(?:_+|[-./:\\\u2010]|::|->)[A-Za-z0-9]++)"
_UNIT = re.compile(rf"[A-Za-z0-9]++{_JOINED}*+")
_IDENTIFIER = re.compile(rf"(?<![A-Za-z0-9])(?:[A-Za-z0-9]++{_JOINED}++|[A-Z0-9]*+(?:[a-z0-9]++[A-Z]++)++[a-z0-9]*+)")
_NEAR = 32  # characters before and behind a name that can mark it

_OPEN, _CLOSE = "[\"'`“‘「『【《]?", "[\"'`”’」』】》]?"
_QUOTED = re.compile("[\"'“‘「『【《]$"), re.compile("^[\"'”’」』】》]")
_CALLED = re.compile(
    r"(?:\b(?:functions?|tools?|default_api|mcp__\w+?_|mcp[./:]\w+)[./:_]"
    rf"|(?:\btools?|\bfunctions?|工具|函数|ツール|関数|도구|함수)\s?(?:named |called |[:：]\s?|\s){_OPEN}"
    rf"|(?:调用|呼叫){_OPEN})$",
    re.IGNORECASE,
)
_CALL = re.compile(rf"\b(?:call|invoke)(?:s|ing)? (?:the )?{_OPEN}$", re.IGNORECASE)
_CALL_ENDS = re.compile(
    rf"^{_CLOSE}(?:\s*$|\s*[^\w\s]|\s(?:with|to|on|for|and|then|now|again|please)\b)", re.IGNORECASE
)
_A_TOOL = re.compile(
    rf"^(?:{_CLOSE}\s?(?:(?:tool|function)\b|工具|函数|ツール|関数|도구|툴|함수)"
    rf"|{_CLOSE}\s?(?:を|를|을)?\s?(?:呼び出|呼んで|호출)|\((?!e?s\)))",
    re.IGNORECASE,
)
_LISTED = re.compile(r"(?:^|\n)\s*(?:[-*•#]+|\d+[.)])?\s*[*`]*$"), re.compile(r"^[*`]*\s*(?::|\(|[-–—]\s|$|\n)")
_IN_SENTENCE = re.compile(r"[\w,(]\s?$")


def identifiers(said: str) -> list[str]:
    """Give what a text has that is written as one and has several words; each once."""
    words = dict.fromkeys(text.normalised(said).split())
    written = [word for word in words if not (word.isalpha() and word[1:].islower())]
    return list(dict.fromkeys(found for word in written for found in _IDENTIFIER.findall(word)))


class Joint(IntEnum):
    """What stands between two words."""

    NOTHING = 0
    BLANK = 1
    SIGN = 2  # one that joins words of plain language, too
    UNDERSCORE = 3
    BREAK = 4


class Sentence:
    """A text as words, folded, and what is left of it without anything else: `squashed`.

    A Chinese, Japanese or Korean character is a word. `spots` are the words' places in the text, `starts` and `ends`
    those in `squashed`.
    """

    def __init__(self, said: str) -> None:
        self.text = text.normalised(said)
        self.words: list[str] = []
        self.spots: list[tuple[int, int]] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        at = 0
        for match in _TOKEN.finditer(self.text):
            word = match.group().casefold()
            if word.isalnum():  # not so the middle dot
                self.words.append(word)
                self.spots.append(match.span())
                self.starts.append(at)
                at += len(word)
                self.ends.append(at)
        self.squashed = "".join(self.words)

    def squashed_at(self, start: int, end: int) -> str:
        """Give words without anything between them."""
        return self.squashed[self.starts[start] : self.ends[end - 1]]

    def written(self, start: int, end: int) -> str:
        """Give words as they are written, with what is between them."""
        return self.text[self.spots[start][0] : self.spots[end - 1][1]]

    def is_all(self, start: int, end: int) -> bool:
        """Return whether there are no other words."""
        return start == 0 and end == len(self.words)

    def has_hump(self, start: int, end: int) -> bool:
        """Return whether one of the words is written `likeThis`."""
        return bool(_HUMP.search(self.written(start, end)))

    def joint(self, word: int) -> Joint:
        """Tell what stands before a word."""
        if not 0 < word < len(self.words):
            return Joint.BREAK
        between = self._between(word)
        if not between:
            return Joint.NOTHING
        if between.strip("_") == "":
            return Joint.UNDERSCORE
        if between in _SIGNS:
            return Joint.SIGN
        return Joint.BLANK if between.strip(" \u3000") == "" else Joint.BREAK

    def joints(self, start: int, end: int) -> list[Joint]:
        """Tell what stands between words."""
        return [self.joint(word) for word in range(start + 1, end)]

    def goes_on(self, start: int, end: int) -> bool:
        """Return whether words are only a part of something longer that is written as one.

        What stands before them may be the name of a server or of a module, and `__` or `_mcp_` may name it behind them.
        """
        joints, before, behind = self.joints(start, end), self.joint(start), self.joint(end)
        if Joint.BLANK in joints and before in {Joint.SIGN, Joint.UNDERSCORE}:
            return True
        if behind is Joint.UNDERSCORE:
            return self.words[end] != "mcp" and not self._behind(end).startswith("__")
        return behind is Joint.SIGN and behind in joints and not self._behind(end).startswith(("/", ":"))

    def units(self, shortest: int) -> Iterator[tuple[int, int]]:
        """Give the runs of words in ASCII that are written as one, of so many characters."""
        firsts: dict[int, int] = {}
        for match in _UNIT.finditer(self.text):
            if match.end() - match.start() >= shortest:
                firsts = firsts or {first: word for word, (first, _) in enumerate(self.spots)}
                start = end = firsts.get(match.start(), -1)
                while 0 <= end < len(self.spots) and self.spots[end][1] <= match.end():
                    end += 1
                if start < end:
                    yield start, end

    def beginnings(self, start: int, end: int) -> Iterator[int]:
        """Give where a name can begin in words that are written as one: at once, or behind that of a server."""
        yield start
        yield from (word for word in range(start + 1, end) if self._between(word) in _PREFIX_ENDS)

    def is_marked(self, start: int, end: int, *, quotes: bool) -> bool:
        """Return whether what stands around words says that they are the name of a tool. `quotes` can say it, too."""
        before, behind = self._before(start), self._behind(end)
        if before.endswith("`") and behind.startswith(("`", "(")):
            return True
        if quotes and _QUOTED[0].search(before) and _QUOTED[1].search(behind):
            return True
        if _CALLED.search(before) or _A_TOOL.search(behind):
            return True
        return bool(_CALL.search(before) and _CALL_ENDS.search(behind))

    def is_listed(self, start: int, end: int) -> bool:
        """Return whether words are what a list explains: `- bash: runs a command`."""
        return bool(_LISTED[0].search(self._before(start)) and _LISTED[1].search(self._behind(end)))

    def is_in_sentence(self, word: int) -> bool:
        """Return whether a word stands where plain words have no capitals."""
        return bool(_IN_SENTENCE.search(self._before(word)))

    def _between(self, word: int) -> str:
        return self.text[self.spots[word - 1][1] : self.spots[word][0]]

    def _before(self, word: int) -> str:
        at = self.spots[word][0]
        return self.text[max(0, at - _NEAR) : at]

    def _behind(self, end: int) -> str:
        at = self.spots[end - 1][1]
        return self.text[at : at + _NEAR]
