"""Which paragraphs of a turn ask most clearly, by what each one looks like beside the others.

Judged are the paragraphs that are nobody's but the person's, as far as marks tell; nothing here knows a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from app.wire import cues
from app.wire.cues import Voice
from app.wire.manners import is_polite
from app.wire.regions import Block, Form

_SHORT = 600  # characters of paragraphs that are a person's words as a whole
_TOLD = 250  # a longer paragraph without a question or demand is told, where another has one
PLAIN = 300  # of a text of one line that nobody has wrapped
_MOST_VIEWED = 40  # paragraphs of a turn that are looked into, most of them at its end
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
    """Return the views; a list right below a line that leads to it and asks nothing goes with that.

    So does a short one right below what asks.
    """
    found = views[:1]
    for before, one in pairwise(views):
        if one.i in lists and before.leads:
            found.append(replace(one, leads=True))
        elif one.i in lists and before.cue and before.i + 1 == one.i and one.length <= _SHORT and not before.notes:
            found.append(replace(one, cue=True, score=max(one.score, before.score), length=min(one.length, _TOLD)))
        else:
            found.append(one)
    return found


class Choice:
    """Chooses among the blocks of one turn."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces

    def best(self, among: list[int]) -> tuple[list[int], str]:
        """Return the paragraphs that ask most clearly; all, where they are few and nothing speaks against them."""
        if not among:
            return [], ""
        several = len({self.pieces[i].part for i in among}) > 1
        if len(among) > _MOST_VIEWED:
            several, among = True, [*among[: _MOST_VIEWED // 4], *among[-_MOST_VIEWED * 3 // 4 :]]
        views = self._views(among, several=several)
        good = [one for one in views if not one.inside and not one.leads]
        if self._notes_stand_around(good):
            good = [one for one in good if not one.notes]
        good = self._beside_data(good)
        if not several and (whole := self._whole(views, good)):
            return whole, "the person's words"
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

    def _whole(self, views: Sequence[_View], good: Sequence[_View]) -> list[int]:
        """Return all that a person says in a short text, and an answer that ends with what it lists."""
        if views[-1].leads and not any(one.cue or one.notes or one.inside for one in views):
            return [one.i for one in views]
        told = any(one.length > _TOLD and not one.cue for one in good) and any(one.cue for one in good)
        return [one.i for one in good] if not told and sum(one.length for one in good) <= _SHORT else []

    def _notes_stand_around(self, good: Sequence[_View]) -> bool:
        """Return whether notes to the model are not what is asked: something else is, or they end a short text."""
        if any(one.cue and not one.notes for one in good) or not good or not good[-1].notes:
            return True
        others = [one for one in good if not one.notes]
        asked = "?" in self.pieces[good[-1].i].text or "？" in self.pieces[good[-1].i].text
        return bool(others) and not asked and sum(one.length for one in others) <= PLAIN

    def _beside_data(self, good: list[_View]) -> list[_View]:
        """Return what stands on the one side of data that asks; the last, where prose on no side does."""
        if len(good) < 2 or not any(one.block.form is Form.DATA for one in self.pieces):
            return good
        sides: list[list[_View]] = [[good[0]]]
        for before, after in pairwise(good):
            between = self.pieces[before.i + 1 : after.i]
            if any(one.block.form is Form.DATA for one in between):
                sides.append([])
            sides[-1].append(after)
        if len(sides) == 1 or any(one.cue for side in sides[:-1] for one in side):
            return good
        return sides[-1]

    def _views(self, among: list[int], *, several: bool) -> list[_View]:
        said = [i for i in among if not is_polite(self.pieces[i].text)] if len(among) > 1 else among
        among = said or among
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
