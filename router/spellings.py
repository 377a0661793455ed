"""Names of tools without the differences of their writing, and the rows that carry them.

A spelling is a name's letters and digits, folded: `get_userById`, `GET-USER-BY-ID` and `get user by id` have the same.
Immutable by law: `changed` gives another one. Hashes and rows are held, not texts: whoever finds a row compares. One
edit (a character left out, put in, or another one, two exchanged) is found by what is left of both when one character
is left out. Source: Bocek, Hunt, Stiller, Fast similarity search in large dictionaries, 2007.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from sys import getsizeof
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router import text
from router.types import Tool

LONGEST = 64  # characters of a spelling; providers take names of as many
SHORTEST_NEAR = 8  # characters: shorter names are near to ordinary words
SHORTEST = 2  # what has one letter names nothing
_SHORT = 0xFFFFFFFF
_MOST_ALIKE = 16  # rows of one spelling; a client's list may have one name 30,000 times
_END = 4  # characters of an end
_ARRAY_BYTES = 112  # an array beside its numbers
_HEADLINES = 2  # of a description can be titles
_SENTENCE_ENDS = (".", "。", "!", "?", "！", "？", ":", "：", ";", "；", ",", "，")
_LONGEST_TITLE = 60
_LONE_TITLE = 16  # characters of a title that is all there is of a description

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Spellings:
    """`keys` are hashes of spellings, `int64[k]` and rising, `rows` theirs, `int32[k]`.

    `near` are hashes of what is left of longer names without one character, `uint32[m]` and rising, of `near_rows`.
    `lengths` has a bit for each length of a spelling, `heads` are the first four characters of all spellings, `tails`
    the last four of longer names, and perhaps those of some that are gone.
    """

    keys: NDArray[np.int64]
    rows: Rows
    near: NDArray[np.uint32]
    near_rows: Rows
    lengths: int
    heads: frozenset[str]
    tails: frozenset[str]

    @classmethod
    def build(cls, tools: Iterable[Tool]) -> Spellings:
        """Build for tools, in order."""
        nothing = np.zeros(0, dtype=np.int32)
        empty = cls(nothing.astype(np.int64), nothing, nothing.astype(np.uint32), nothing, 0, frozenset(), frozenset())
        return empty._changed(nothing, enumerate(tools))

    def changed(self, now_at: Rows, fresh: Mapping[int, Tool]) -> Spellings:
        """Give the spellings of other tools: row i became `now_at[i]`, or is gone for -1; `fresh` came, by row."""
        return self._changed(now_at, fresh.items())

    def _changed(self, now_at: Rows, fresh: Iterable[tuple[int, Tool]]) -> Spellings:
        keys, rows, near, near_rows = array("q"), array("i"), array("I"), array("i")
        lengths, heads, tails = self.lengths, set(self.heads), set(self.tails)
        for row, tool in fresh:
            for spelling in spellings(tool):
                keys.append(hash(spelling))
                rows.append(row)
                lengths |= 1 << len(spelling)
                heads.add(spelling[:_END])
            name = squashed(tool.name)
            if SHORTEST_NEAR <= len(name) <= LONGEST:
                left = {hash(name[:at] + name[at + 1 :]) & _SHORT for at in range(len(name))}
                near.extend(left)
                near_rows.extend([row] * len(left))
                tails.add(name[-_END:])
        return Spellings(
            *_merged(self.keys, self.rows, now_at, keys, rows),
            *_merged(self.near, self.near_rows, now_at, near, near_rows),
            lengths,
            frozenset(heads) if len(heads) > len(self.heads) else self.heads,
            frozenset(tails) if len(tails) > len(self.tails) else self.tails,
        )

    def find(self, wanted: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Give the number of a wanted text and a row that may carry it, for each; of one text not more than a few."""
        return _found(self.keys, self.rows, [hash(one) for one in wanted])

    def begins(self, said: str, at: int) -> bool:
        """Return whether a spelling may begin at a place of a text."""
        heads = self.heads
        return said[at : at + _END] in heads or said[at : at + 3] in heads or said[at : at + 2] in heads

    def may_be_near(self, wanted: str) -> bool:
        """Return whether a name may be within one edit of a text: then one end of it is as it should be."""
        if not SHORTEST_NEAR - 1 <= len(wanted) <= LONGEST + 1:
            return False
        return wanted[:_END] in self.heads or wanted[-_END:] in self.tails

    def find_near(self, wanted: str) -> set[int]:
        """Give rows whose names may be within one edit of a text."""
        left = [wanted, *_shortened(wanted)]
        by_deletion = {row for _, row in _found(self.near, self.near_rows, [_short_hash(one) for one in left])}
        return by_deletion | {row for _, row in _found(self.keys, self.rows, [hash(one) for one in left[1:]])}

    @property
    def nbytes(self) -> int:
        """What it takes in memory, but for the texts of the ends."""
        arrays = (self.keys, self.rows, self.near, self.near_rows)
        return sum(array.nbytes + _ARRAY_BYTES for array in arrays) + getsizeof(self.heads) + getsizeof(self.tails)


def squashed(written: str) -> str:
    """Return the letters and digits of a text, folded."""
    written = written[: 4 * LONGEST]
    if written.isascii() and (plain := written.replace("_", "").replace("-", "")).isalnum():
        return plain.lower()  # a name as providers take it: a fifth of the time
    return "".join(filter(str.isalnum, text.normalised(written).casefold()))


def spellings(tool: Tool) -> list[str]:
    """Give what a tool is called by, squashed: its name, its titles."""
    found = dict.fromkeys(map(squashed, (tool.name, *titles(tool))))
    return [one for one in found if SHORTEST <= len(one) <= LONGEST]


def titles(tool: Tool) -> list[str]:
    """Give what a tool is called for people, and what it was called where it comes from, in any script.

    An import writes these before the description, each on a line of its own, and what cannot be written in a name
    among the keywords, too.
    """
    lines = tool.description[: text.MAX_TOOL_CHARS].split("\n", _HEADLINES)
    heads = lines[:-1] if len(lines) > 1 else [one for one in lines if len(one) <= _LONE_TITLE and not one.isascii()]
    found = [one.strip() for one in heads if len(one) <= _LONGEST_TITLE]
    said = tool.description[: text.MAX_TOOL_CHARS]
    found += [word for word in tool.keywords if not word.isascii() and len(word) <= _LONGEST_TITLE and word in said]
    return [one for one in found if one and not one.endswith(_SENTENCE_ENDS)]


def is_near(one: str, other: str) -> bool:
    """Return whether two texts are one edit apart: a character more, less or other, or two exchanged. No digit is."""
    if abs(len(one) - len(other)) > 1 or one == other or _digits(one) != _digits(other):
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    if one[:2] == other[1::-1] and one[2:] == other[2:]:
        return True
    if len(one) != len(other):
        return one[1:] == other or one == other[1:]
    return one[1:] == other[1:]


def _digits(word: str) -> list[str]:
    return [sign for sign in word if sign.isdigit()]


def _shortened(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _short_hash(word: str) -> int:
    return hash(word) & _SHORT


def _merged(
    keys: NDArray[Any], rows: Rows, now_at: Rows, fresh_keys: array[int], fresh_rows: array[int]
) -> tuple[NDArray[Any], Rows]:
    """Return rising hashes and their rows, without those that are gone and with those that came."""
    if len(rows):
        moved = now_at[rows]
        keys, rows = keys[moved >= 0], moved[moved >= 0]
    coming = np.frombuffer(fresh_keys, dtype=keys.dtype) if fresh_keys else keys[:0]
    order = np.argsort(coming, kind="stable")
    spots = np.searchsorted(keys, coming[order])
    coming_rows = np.asarray(fresh_rows, dtype=np.int32)[order]
    return np.insert(keys, spots, coming[order]), np.insert(rows, spots, coming_rows)


def _found(keys: NDArray[Any], rows: Rows, wanted: list[int]) -> Iterator[tuple[int, int]]:
    """Give the places of wanted hashes and the rows of each."""
    if not wanted or not len(keys):
        return
    asked = np.array(wanted, dtype=keys.dtype)
    first = np.searchsorted(keys, asked)
    there = keys[np.minimum(first, len(keys) - 1)] == asked
    for number in np.flatnonzero(there).tolist():
        at, key = int(first[number]), asked[number]
        end = min(len(keys), at + _MOST_ALIKE)
        while at < end and keys[at] == key:
            yield number, int(rows[at])
            at += 1
