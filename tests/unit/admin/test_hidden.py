"""app/admin/hidden.py: what people do not see is found, and no language and no emoji is taken for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admin import hidden, records
from app.admin.records import InvalidEntry
from app.errors import InvalidRecords
from tests.support.documents import ROOT

_DATA = ROOT.parent / "shared" / "data"
_SETS = sorted(path.parent for path in _DATA.glob("*/tools.jsonl"))

LEGITIMATE = {
    "a family": "👨‍👩‍👧‍👦",
    "skin and profession": "👩🏽‍💻 🧔‍♂️",
    "picture and text forms": "❤️‍🔥 👁️‍🗨️ ☎︎ ‼️ ℹ️ ©️",
    "arrows that shake": "🙂‍↔️",
    "an emoji newer than Python": "\U0001fadf\u200d\U0001fae9",
    "keycaps": "1️⃣ #️⃣",
    "flags": "🏴‍☠️ 🏳️‍🌈 🇯🇵 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    "Persian": "می‌خواهم کتاب‌های کار‌ها را ببینم",
    "Arabic": "البحث عن الرحلات، ١٢ ه‍؟",
    "Arabic signs": "سورة ١١٤ ۝ \u0600١٢",
    "Urdu": "میں‌نے",
    "Hebrew": "חפש טיסות (API)\u200f!",
    "Hindi": "क्‍ष क्‌ष हिन्दी में खोजें",
    "Bengali": "র‍্যাব খুঁজুন",
    "Sinhala": "ශ්‍රී ලංකා",
    "Malayalam": "അവന്‍",
    "Thai and Khmer": "ค้นหาเที่ยวบิน ស្វែងរក",
    "Mongolian": "ᠠ\u180bᠨ ᠪᠣᠯᠤᠨ\u180eᠠ",
    "Japanese": "東京　の天気、葛󠄀城市",
    "Korean": "서울의 날씨",
    "mathematics": "A ∩︀ B",
    "space that does not break": "10\u00a0km, 5\u202f%",
    "lines": "first\r\nsecond\n\tthird",
    "a hundred blanks": "a" + " " * 100 + "b",
    "Braille": "⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙",
    "less than": "a <!-b, a < !--b",
}
HIDDEN = {
    "tags": ("book it\U000e0049\U000e0047", 8, "U+E0049 (tag latin capital letter i)"),
    "a flag of nowhere": (
        "\U0001f3f4\U000e0069\U000e0067\U000e006e\U000e007f",
        2,
        "U+E0069 (tag latin small letter i)",
    ),
    "unassigned tag": ("\U000e0fff", 1, "U+E0FFF (unnamed)"),
    "override": ("a\u202eb", 2, "U+202E (right-to-left override)"),
    "embedding in Hebrew": ("חפש\u202bטיסות", 4, "U+202B (right-to-left embedding)"),
    "isolate": ("\u2067a", 1, "U+2067 (right-to-left isolate)"),
    "direction without need": ("a\u200fb", 2, "U+200F (right-to-left mark)"),
    "two directions": ("שלום\u200f\u200e", 5, "U+200F (right-to-left mark)"),
    "zero width space": ("ignore\u200ball", 7, "U+200B (zero width space)"),
    "word joiner": ("a\u2060b", 2, "U+2060 (word joiner)"),
    "byte order mark": ("\ufeffa", 1, "U+FEFF (zero width no-break space)"),
    "soft hyphen": ("a\u00adb", 2, "U+00AD (soft hyphen)"),
    "joiner in Latin": ("a\u200db", 2, "U+200D (zero width joiner)"),
    "joiner in Chinese": ("天\u200d气", 2, "U+200D (zero width joiner)"),
    "non-joiner in Japanese": ("天\u200c気", 2, "U+200C (zero width non-joiner)"),
    "non-joiner at an end": ("می\u200c", 3, "U+200C (zero width non-joiner)"),
    "two joiners": ("क्\u200d\u200dष", 4, "U+200D (zero width joiner)"),
    "joiner before nothing": ("😀\u200d", 2, "U+200D (zero width joiner)"),
    "selector in Latin": ("a\ufe0f", 2, "U+FE0F (variation selector-16)"),
    "selector after ASCII": ("1\ufe00", 2, "U+FE00 (variation selector-1)"),
    "run of selectors": ("😀\ufe0f\ufe01", 3, "U+FE01 (variation selector-2)"),
    "bytes behind an emoji": ("😀\U000e0101", 2, "U+E0101 (variation selector-18)"),
    "selector of nothing": ("\ufe0f", 1, "U+FE0F (variation selector-16)"),
    "Mongolian selector": ("a\u180b", 2, "U+180B (mongolian free variation selector one)"),
    "Hangul filler": ("a\u3164", 2, "U+3164 (hangul filler)"),
    "grapheme joiner": ("a\u034f", 2, "U+034F (combining grapheme joiner)"),
    "escape": ("a\x1b[8mb", 2, "U+001B (unnamed)"),
    "backspace": ("ab\b", 3, "U+0008 (unnamed)"),
    "carriage return": ("safe\rrm", 5, "U+000D (unnamed)"),
    "C1": ("a\u009b8m", 2, "U+009B (unnamed)"),
    "delete": ("a\x7f", 2, "U+007F (unnamed)"),
    "blanks": ("a" + " " * 101 + "b", 2, "101 blanks in a row"),
    "lines of nothing": ("a" + "\n\u00a0" * 1_000, 2, "2,000 blanks in a row"),
    "Braille blanks": ("\u2800" * 101, 1, "101 blanks in a row"),
    "comment": ("a <!-- b -->", 3, "an HTML comment"),
}
FIELDS = {
    "description": {"tool": {"function": {"description": "{}"}}},
    "a parameter's description": {"tool": {"function": {"parameters": {"properties": {"a": {"description": "{}"}}}}}},
    "an enum": {"tool": {"function": {"parameters": {"properties": {"a": {"enum": ["x", "{}"]}}}}}},
    "beside the function": {"tool": {"x": ["{}"]}},
    "tags": {"tags": ["x", "{}"]},
    "keywords": {"keywords": ["{}"]},
    "examples": {"examples": ["{}"]},
    "source": {"source": "{}"},
}  # fmt: skip


def found(text: str) -> list[tuple[int, str]]:
    """Give what a text hides."""
    return list(hidden.in_text(text))


def function(name: str = "a", **body: object) -> bytes:
    """Give a function tool as pure ASCII."""
    return json.dumps({"type": "function", "function": {"name": name, **body}}).encode()


def record(field: object, text: str) -> str:
    """Give a record that has a text in a field of `FIELDS`."""
    written = json.dumps(field).replace('"{}"', json.dumps(text))
    whole = {"tool": {"type": "function", "function": {"name": "a"}}}
    given = json.loads(written)
    inner = given.get("tool", {})
    whole["tool"] |= inner | {"function": {"name": "a"} | inner.get("function", {})}
    return json.dumps(given | whole)


@pytest.mark.parametrize("text", LEGITIMATE.values(), ids=list(LEGITIMATE))
def test_text_of_every_language_and_emoji_passes(text: str) -> None:
    """What a language or an emoji needs is not taken for hidden."""
    assert found(text) == []


@pytest.mark.parametrize(("text", "place", "what"), HIDDEN.values(), ids=list(HIDDEN))
def test_hidden_text_is_found_at_its_place(text: str, place: int, what: str) -> None:
    """Each way to hide text is told with what it is and where, first of all."""
    first, told = found(text)[0]
    assert (first + 1, told) == (place, what)


@pytest.mark.parametrize("field", FIELDS.values(), ids=list(FIELDS))
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as it is"])
def test_read_refuses_hidden_text_in_any_field(field: object, ascii_only: bool) -> None:
    """Wherever a record has a text, escaped or not, a zero width space in it is refused with code point and place."""
    written = json.dumps(json.loads(record(field, "ab\u200bc")), ensure_ascii=ascii_only)
    assert ("\\u200b" in written) == ascii_only
    with pytest.raises(InvalidEntry, match=r"do not see: \S+ has U\+200B \(zero width space\) at character 3$"):
        records.read(written.encode())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ('{"properties":{"a":{"enum":["x","y\\u0007"]}}}', "function.parameters.properties.a.enum[1] has U+0007"),
        ('{"properties":{"ci\\u200bty":{}}}', r"the key function.parameters.properties.ci\u200bty has U+200B"),
        ('{"properties":{"a":{"title":"\\u200b"},"a":{}}}', "function.parameters.properties.a.title has U+200B"),
        ('{"title":"<\\u0021--"}', "function.parameters.title has an HTML comment at character 1"),
    ],
    ids=["a list", "a key", "a member that another one replaces", "an escaped comment"],
)
def test_read_names_the_field(parameters: str, said: str) -> None:
    """The reason has the path of the field; nothing in a schema is out of sight."""
    with pytest.raises(InvalidEntry) as caught:
        records.read(b'{"type":"function","function":{"name":"a","parameters":%b}}' % parameters.encode())
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_read_tells_the_first_places() -> None:
    """Of many places in one record three are told, in their order, and that there are more."""
    with pytest.raises(InvalidEntry) as caught:
        records.read(function(description="\u200b" * 9, parameters={"title": "\u200b"}))
    reason = str(caught.value)
    assert [f"at character {place}" in reason for place in (1, 2, 3, 4)] == [True, True, True, False]
    assert reason.endswith("; and more")


def test_read_shortens_long_paths() -> None:
    """However deep and long the keys, the reason stays readable."""
    deep: object = "\u200b"
    for _ in range(50):
        deep = {"k" * 1_000: deep}
    with pytest.raises(InvalidEntry) as caught:
        records.read(function(x=deep))
    assert len(str(caught.value)) < 400


def test_read_refuses_hidden_text_at_any_depth() -> None:
    """What lies too deep to be looked at is refused, and never an error of another kind."""
    for depth in range(900, 1_010, 3):
        with pytest.raises(InvalidEntry):
            records.read(function(x=0).replace(b"0", b'{"a":' * depth + rb'"\u200b"' + b"}" * depth))


def test_read_all_names_every_record_with_hidden_text() -> None:
    """All bad entries of a batch are told at once."""
    bad = function("b", description="\u200b")
    with pytest.raises(InvalidRecords) as caught:
        records.read_all([function("a"), bad, function("c"), bad.replace(b'"b"', b'"d"')])
    assert [problem.name for problem in caught.value.problems] == ["b", "d"]


@pytest.mark.parametrize(
    "change",
    [
        {"tags": ["\u200b"]},
        {"source": "\u202e"},
        {"tool": {"type": "function", "function": {"name": "a", "x": "\x1b"}}},
    ],
)
def test_changed_refuses_hidden_text(change: object) -> None:
    """A change is looked at like a record."""
    with pytest.raises(InvalidEntry, match="people do not see"):
        records.changed(records.read(function()), json.dumps(change).encode())


def test_changed_looks_at_what_it_changes_only() -> None:
    """A tool that was registered before this was refused can still be disabled."""
    old = replace(records.read(function()), source="a\u200b")
    assert not records.changed(old, b'{"enabled":false}').enabled


@given(st.text(st.sampled_from('a "\\/\n\t<!-\u200b\u200d\ufe0f\u2800天ا😀\x1b'), max_size=12), st.booleans())
def test_json_hides_what_its_text_hides(text: str, ascii_only: bool) -> None:
    """The quick look at JSON never overlooks what a look at its texts finds."""
    raw = json.dumps({"a": text}, ensure_ascii=ascii_only).encode()
    assert len(list(hidden.in_json(raw))) == len(found(text))


@pytest.mark.skipif(not _SETS, reason="there is no ../shared/data beside the project")
@pytest.mark.parametrize("folder", _SETS, ids=lambda folder: folder.name)
def test_public_tool_sets_pass(folder: Path) -> None:
    """No tool of the public data sets is refused for hidden text."""
    lines = (folder / "tools.jsonl").read_bytes().splitlines()
    assert lines
    assert [sentence for line in lines for sentence in hidden.in_json(line)] == []
