"""Text that models read and people do not see, found in what is registered.

Looked at is what the JSON means, whichever way it is escaped; keys and members that stand twice are looked at, too.
Characters are judged by their Unicode properties and their neighbours: what some language or emoji needs passes where
it needs it. Tools that a client sends itself are never looked at.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache

MOST_BLANKS = 100

_RUNS = re.compile(rf"<!--|[\s\u2800]{{{MOST_BLANKS + 1},}}")
_ESCAPES = re.compile(r'\\[^"\\/]')
# Ignorable letters and marks: their category does not tell that nothing is shown.
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d\u180f"
_SILENT = re.compile(f"[{_FILLERS}{_SELECTORS}]")
# Format characters that are seen: signs that stand around a number.
_SEEN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
_JOINER = "\u200d"
_JOINERS = frozenset("\u200c\u200d\u180e")  # the last is for Mongolian
_DIRECTIONS = frozenset("\u200e\u200f\u061c")
# England, Scotland and Wales have flags that are written with tag characters.
_FLAGS = re.compile(
    "|".join(
        "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in place) + "\U000e007f"
        for place in ("gbeng", "gbsct", "gbwls")
    )
)
_LONGEST_KEY, _LONGEST_PATH = 64, 200


def in_json(raw: bytes) -> Iterator[str]:
    """Give a sentence for every place of a JSON text that hides something: the field, what it is, and where.

    Raises:
        RecursionError: It is nested too deeply.
    """
    text = raw.decode()
    if _is_plain(text):
        return
    # Objects as tuples of pairs: no member that stands twice is lost.
    # Numbers hide nothing, whatever their length: they are not read.
    yield from in_value(json.loads(text, object_pairs_hook=tuple, parse_int=_unread, parse_float=_unread))


def _unread(_: str) -> None:
    """Return nothing."""


def in_value(value: object, path: str = "") -> Iterator[str]:
    """Give a sentence for every place of a value that hides something: texts, in lists and in tuples of pairs."""
    waiting = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield from _sentences(path, value)
        elif isinstance(value, list):
            waiting += [(f"{path}[{number}]", item) for number, item in reversed(list(enumerate(value)))]
        elif isinstance(value, tuple):
            inside = f"{path}." if path else ""
            for key, _ in value:
                yield from _sentences(f"the key {inside}{_shown(key)}", key)
            waiting += [(inside + _shown(key), item) for key, item in reversed(value)]


def in_text(text: str) -> Iterator[tuple[int, str]]:
    """Give every place, from 0, where a text hides something, and what it is."""
    for match in _RUNS.finditer(text):
        yield match.start(), "an HTML comment" if match[0] == "<!--" else f"{len(match[0]):,} blanks in a row"
    if text.isprintable() and not _SILENT.search(text):
        return
    text = _FLAGS.sub("\U0001f3f4" * 7, text)
    leftwards = not _DIRECTIONS.isdisjoint(text) and any(map(_is_leftward, text))
    for place, character in enumerate(text):
        if not " " <= character <= "~" and not _may_stand(text, place, leftwards=leftwards):
            name = unicodedata.name(character, "unnamed").lower()
            yield place, f"U+{ord(character):04X} ({name})"


def _is_plain(text: str) -> bool:
    """Tell at a glance that JSON hides nothing, which is so for most of it: a tenth of the time."""
    text = text.replace("\n", " ")
    return (
        text.isprintable()  # of all blanks only the space is, and the Braille one
        and not any(sign in text for sign in ("<!--", " " * (MOST_BLANKS + 1), "\u2800"))
        and not _ESCAPES.search(text)
        and not _SILENT.search(text)
    )


def _sentences(path: str, text: str) -> Iterator[str]:
    for place, what in in_text(text):
        shown = path if len(path) <= _LONGEST_PATH else f"…{path[-_LONGEST_PATH:]}"
        yield f"{shown} has {what} at character {place + 1}"


def _shown(key: str) -> str:
    key = key[:_LONGEST_KEY]
    return key if next(in_text(key), None) is None else ascii(key)[1:-1]


def _may_stand(text: str, place: int, *, leftwards: bool) -> bool:
    character = text[place]
    if _SILENT.match(character):
        return character not in _FILLERS and _selects(character, text[place - 1 : place])
    match unicodedata.category(character):
        case "Cc":
            return character in "\n\t" or text.startswith("\r\n", place)
        case "Cf":
            return _is_needed(text, place, leftwards=leftwards)
        case category:
            return category != "Cs" and not "\U000e0000" <= character <= "\U000e0fff"


def _is_needed(text: str, place: int, *, leftwards: bool) -> bool:
    """Tell whether a format character does there what it is for."""
    character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if character in _DIRECTIONS:
        return leftwards and "Cf" not in (_category(before), _category(after))
    if character == _JOINER and _is_picture(before) and _is_picture(after):
        return True
    if character in _JOINERS:  # a joiner also shapes the last letter of a word
        return _joins(before) and (character == _JOINER or _joins(after))
    return character in _SEEN


def _selects(selector: str, base: str) -> bool:
    """Tell whether a variation selector follows a character that has variants."""
    if selector < "\ufe00":
        return _script(base) == "MONGOLIAN"
    if selector > "\uffff":
        return _script(base) == "CJK"
    if base.isascii() and selector < "\ufe0e":
        return False
    return _category(base) in ("Lo", "Cn") or _category(base)[:1] in tuple("SPN") or base == "\N{INFORMATION SOURCE}"


def _is_picture(character: str) -> bool:
    """Tell whether an emoji can begin or end here; one that is newer than this Python has no category."""
    return _category(character) in ("So", "Sk", "Sm", "Cn") or character == "\ufe0f"


def _is_leftward(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL") and _category(character).startswith("L")


def _joins(character: str) -> bool:
    return _script(character) in _joining_scripts()


@cache
def _joining_scripts() -> frozenset[str]:
    """Give the scripts whose letters join: those with a virama (combining class 9), and the cursive ones."""
    viramas = (chr(code) for code in range(0x900, 0x12000) if unicodedata.combining(chr(code)) == 9)
    return frozenset(map(_script, viramas)) | {"ARABIC", "SYRIAC", "MANDAIC", "NKO", "MONGOLIAN", "PHAGS-PA"}


def _script(character: str) -> str:
    """Give the script as the first word of the character's name, which is the nearest that Python knows."""
    return unicodedata.name(character, "").split(" ")[0] if character else ""


def _category(character: str) -> str:
    return unicodedata.category(character) if character else ""
