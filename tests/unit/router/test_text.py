"""Tools and questions as text."""

from __future__ import annotations

import random
import string
import unicodedata
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import text
from router.types import Parameter
from tests.support.memory import traced
from tests.unit.router.fakes import tool

_WEATHER = tool(
    "get_weather",
    "Weather of a city",
    parameters=(Parameter("cityName", "where"), Parameter("unit", "", ("metric", "imperial"))),
    tags=("climate",),
    keywords=("forecast",),
    examples=("Will it rain?",),
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("get_userById", "get user By Id"),
        ("kubectl-get.pods", "kubectl get pods"),
        ("parseHTTPResponse", "parse HTTP Response"),
        ("s3Upload", "s3 Upload"),
    ],
)
def test_split_name_parts_words(name: str, words: str) -> None:
    """Underscores, dashes, dots and changes of case divide the words of a name."""
    assert text.split_name(name) == words


def test_summary_is_name_and_description() -> None:
    """The summary is the split name and the description."""
    assert text.summary(_WEATHER) == "get weather: Weather of a city"


def test_detail_adds_parameters() -> None:
    """The detail adds every parameter with its description and its values."""
    assert text.detail(_WEATHER) == "get weather: Weather of a city cityName: where unit:  metric imperial"


def test_detail_is_bounded() -> None:
    """A very long description is cut, for the summary and for the detail."""
    long = tool("a", "x" * 9_000, parameters=(Parameter("p", "y" * 9_000),))
    assert len(text.summary(long)) == len(text.detail(long)) == text.MAX_TOOL_CHARS


def test_searchable_holds_all_a_tool_says() -> None:
    """Names, descriptions, values, tags, keywords and examples can all be hit by a word."""
    found = text.searchable(_WEATHER)
    for word in ("get weather", "city Name", "where", "imperial", "climate", "forecast", "Will it rain?"):
        assert word in found


def test_digest_follows_what_is_embedded() -> None:
    """Two tools with the same embedded texts have one digest; another description has another."""
    same = replace(_WEATHER, pinned=True, keywords=("rain",))
    assert text.digest(same) == text.digest(_WEATHER)
    assert text.digest(tool("get_weather", "Weather")) != text.digest(_WEATHER)
    assert text.digest(replace(_WEATHER, examples=("Umbrella?",))) != text.digest(_WEATHER)


def test_digest_takes_lone_surrogates() -> None:
    """A half of a surrogate pair, which JSON can carry, does not stop the digest."""
    assert len(text.digest(tool("a", "\ud83d"))) == 32


def test_terms_are_stems() -> None:
    """English words are lower-cased and stemmed, camelCase is divided."""
    assert text.terms("Searching getUserIds, INVOICES") == ["search", "get", "user", "id", "invoic"]


def test_terms_of_cjk_are_bigrams() -> None:
    """Chinese, Japanese and Korean runs become overlapping pairs; a single character stands alone."""
    assert text.terms("查询天气 API 를 カレンダー 雨") == [
        *("查询", "询天", "天气"),
        "api",
        "를",
        *("カレ", "レン", "ンダ", "ダー"),
        "雨",
    ]


def test_terms_fold_compatible_forms() -> None:
    """Full-width letters and half-width kana are the same terms as the usual forms."""
    assert text.terms("ＡＰＩ ｶﾅ") == text.terms("API カナ")


@given(st.text())
def test_terms_take_any_text(question: str) -> None:
    """No text, however odd, stops the search by word."""
    assert all(text.terms(question))


def test_gist_pieces_are_sentences_of_a_long_question() -> None:
    """A short question is embedded as it is; of a long one sentences that ask, the last, the first, in their order."""
    filling = "Nothing of this matters to anybody here. " * 30
    long = f"Book a room. {filling}Is the red one free? {filling}Thanks a lot for this."
    pieces = text.gist_pieces(long)
    assert text.gist_pieces("short") == ("short",)
    assert (pieces[0], pieces[-1]) == ("Book a room.", "Thanks a lot for this.")
    assert "Is the red one free?" in pieces
    assert sum(map(text.width, pieces)) <= text.MAX_PIECES_WIDTH


@pytest.mark.parametrize("letter", ["w", "天", " ", "\n"])
def test_gist_pieces_of_a_text_without_sentences_are_parts_of_it(letter: str) -> None:
    """There is always something to search with, and never more than there is room for."""
    pieces = text.gist_pieces(letter * 40_000)
    assert 1 <= len(pieces) <= text.MAX_PIECES_WIDTH
    assert sum(map(text.width, pieces)) <= 2 * text.MAX_PIECES_WIDTH


def test_searched_part_takes_of_a_long_text_parts_of_its_whole_length() -> None:
    """What stands in the middle is searched by word as well as what stands at the ends."""
    long = "".join(f"{number:05d} " for number in range(10_000))
    part = text.searched_part(long)
    assert text.searched_part("short") == "short"
    assert len(part) <= text.MAX_QUERY_CHARS + 10
    assert {"00000", "05000", "08750"} <= set(part.split())


def test_phrases_are_runs_of_words() -> None:
    """Every run of up to so many words is a phrase, case-folded."""
    assert set(text.phrases("Open a Pull Request", longest_words=2)) == {
        *("open", "a", "pull", "request"),
        *("open a", "a pull", "pull request"),
    }


def test_phrases_are_runs_of_characters_in_cjk() -> None:
    """Chinese has no spaces: every run of characters can be a keyword."""
    assert set(text.phrases("查天气", longest_chars=2)) == {"查", "天", "气", "查天", "天气", "查天气"}


@given(st.lists(st.text(string.ascii_letters + "天气カナ", min_size=1, max_size=4), min_size=1, max_size=3))
def test_phrase_is_found_by_phrases(words: list[str]) -> None:
    """A keyword of a few words is found in a question that is the keyword."""
    keyword = " ".join(words)
    if len(text.phrase(keyword).split()) <= 4:
        assert text.phrase(keyword) in set(text.phrases(keyword))


@pytest.mark.parametrize(
    ("definition", "tokens"),
    [(b"", 1), (b"abcdefgh", 2), ("天气预报".encode(), 4), ("天气abcd".encode(), 3)],
)
def test_estimate_tokens_counts(definition: bytes, tokens: int) -> None:
    """Four ASCII bytes are a token and so is a CJK character; nothing is free."""
    assert text.estimate_tokens(definition) == tokens


def _every_character() -> list[str]:
    return [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]


def test_text_is_normalised_piece_by_piece_as_in_one() -> None:
    """Where a piece ends nothing is joined across: a mark, or the later part of a syllable, goes with what it is on."""
    shuffled = random.Random(7)
    every = _every_character()
    marks = [character for character in every if unicodedata.category(character).startswith("M")]
    parts = [chr(code) for code in (*range(0x1100, 0x1200), *range(0x3131, 0x318F), *range(0xFFA1, 0xFFDD))]
    for _ in range(60):
        kinds = shuffled.choices([every, marks, parts, ["a", " "]], k=900)
        given = "".join(shuffled.choice(kind) for kind in kinds)
        assert text.normalised(given) == unicodedata.normalize("NFKC", given)


def test_no_piece_begins_with_what_joins_the_one_before() -> None:
    """Whatever is the second half of a composed character is never taken for the beginning of something."""
    halves = {found[-1] for one in _every_character() if len(found := unicodedata.normalize("NFD", one)) > 1}
    assert len(halves) > 80
    assert [half for half in halves if text._begins(half)] == []


def test_text_is_normalised_in_pieces_however_many_marks_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C function, whose time is the square of what it is given, is given a bounded number of characters."""
    sizes: list[int] = []
    normalise = unicodedata.normalize

    def noted(form: Literal["NFC", "NFD", "NFKC", "NFKD"], given: str) -> str:
        sizes.append(len(given))
        return normalise(form, given)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    marks = "\u0300" * 20_000 + "\u0316" * 20_000
    text.tokens(marks)
    text.phrase(marks)
    list(text.phrases(marks))
    assert max(sizes) <= 256


def test_what_is_searched_of_a_tool_is_bounded() -> None:
    """A tool says 32,000 characters of itself by word, however it says them."""
    long = "one two " * 10_000
    for talkative in (
        tool("a" * 100_000, long),
        tool("a", "b", parameters=tuple(Parameter(f"p{number}", long) for number in range(50))),
        tool("a", "b", examples=(long,) * 50),
        tool("a", "b", keywords=("k" * 100_000,)),
    ):
        assert len(text.searchable(talkative)) == 32_000
        assert len(text.detail(talkative)) <= 1_500
        assert max(map(len, text.keywords(talkative)), default=0) <= 256


def test_a_bounded_text_is_the_beginning_of_the_whole() -> None:
    """Where a tool's text is cut, what stays is as it was: stored vectors belong to these very bytes."""
    for length in range(1_480, 1_500):
        given = tool("a", "b" * length, parameters=(Parameter("c", "d"), Parameter("e", "f" * 30)))
        whole = f"a: {given.description} c: d e: {'f' * 30}"
        assert text.detail(given) == whole[:1_500]


def test_words_and_keywords_are_remembered_within_a_bound_of_bytes() -> None:
    """However many and however long the words are that callers send, what is kept of them has an end."""
    with traced() as used:
        for number in range(20_000):
            text.terms_of(f"{number:x}".rjust(24, "g"))
            text.terms_of(f"aB{number:x}".ljust(64, "aB"[number % 2]))
            text.phrase(f"{number:x} 天".ljust(200, "気"))
    assert used.kept < 8 * 2**20


@pytest.mark.parametrize(
    ("asked", "demand"),
    [
        ("夕焼けの猫の画像を作って", "画像を作って"),
        ("해 질 녘 고양이 그림을 그려 줘", "그림을 그려 줘"),
        ("画一张日落时的猫的图片", "画一张图片"),
        ("画像を作って", ""),
        ("今日は何してた？", ""),
        ("draw a cat at sunset", ""),
        ("を" * 5_000, ""),
    ],
)
def test_case_13_demand_is_what_is_to_be_done_with_what_kind_of_thing(asked: str, demand: str) -> None:
    """What tells the thing from others of its kind is left out; where nothing is, there is no other demand."""
    assert text.demand(asked) == demand
