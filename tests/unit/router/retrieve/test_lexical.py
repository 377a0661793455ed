"""The channels of words and of names."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest

from router.catalog import EMPTY, Pool
from router.retrieve.lexical import MOST_TERMS, keyword_hits, measure
from router.types import RoutingQuery
from tests.unit.router.fakes import catalog, tool

_MAIL = tool("mail", "send mail")  # 3 terms, mail twice
_PAY = tool("pay", "pay a bill")  # 4 terms
_BOTH = Pool(EMPTY, catalog(_MAIL, _PAY))


def _ask(*texts: str) -> RoutingQuery:
    return RoutingQuery(texts, (1.0, 0.5)[: len(texts)])


def test_measure_is_bm25() -> None:
    """Worked by hand: idf ln 2, two of three terms, average length 3.5, k1 1.5, b 0.75."""
    norm = 1.5 * (0.25 + 0.75 * 3 / 3.5)
    words = measure(_ask("mail"), _BOTH)
    assert words.bm25.tolist() == pytest.approx([math.log(2) * 2.5 * 2 / (2 + norm), 0.0])
    assert words.bm25[0] == pytest.approx(1.037867, abs=1e-6)


def test_measure_gives_shares_of_names() -> None:
    """Worked by hand: of three tools two have `get`, idf ln 1.6, and each other term has one, ln (8 / 3)."""
    pool = Pool(EMPTY, catalog(tool("get_mail"), tool("getBill"), tool("pay", "mail")))
    common, rare = math.log(1.6), math.log(8 / 3)
    assert measure(_ask("get a bill"), pool).names.tolist() == pytest.approx([common / (common + rare), 1, 0])
    assert measure(_ask("Mails"), pool).names.tolist() == pytest.approx([rare / (common + rare), 0, 0])


def test_measure_tells_how_much_of_the_question_is_known() -> None:
    """Worked by hand: idf ln 2 for a word of one tool of two, ln 6 for a word of none; terms are the newest text's."""
    words = measure(_ask("mail mail unheard", "bill"), _BOTH)
    known, unknown = math.log(2), math.log(6)
    assert words.ideal == pytest.approx(known + unknown + known / 2)
    assert words.covered == pytest.approx(1.5 * known / words.ideal)
    assert words.terms == 2


def test_measure_uses_the_statistics_of_the_union() -> None:
    """By BM25 two catalogues are ranked as one that holds all their tools; a name that is said whole is 1 in both."""
    asked = _ask("pay by mail", "send a bill")
    one, two = measure(asked, _BOTH), measure(asked, Pool(catalog(_MAIL), catalog(_PAY)))
    assert two.bm25.tolist() == one.bm25.tolist()
    assert (two.ideal, two.covered, two.terms) == (one.ideal, one.covered, one.terms)
    assert two.names.tolist() == pytest.approx(one.names.tolist()) == [1, 1]


def test_measure_adds_texts_with_their_weights() -> None:
    """A second text adds half of what it gives alone, of the words and of the names."""
    first, second, both = (measure(_ask(*texts), _BOTH) for texts in (("mail",), ("pay",), ("mail", "pay")))
    assert both.bm25.tolist() == pytest.approx([first.bm25[0], second.bm25[1] / 2])
    assert both.names.tolist() == pytest.approx([1, 0.5])


def test_measure_of_no_tools_or_no_question_is_nothing() -> None:
    """No tools, no scores; no texts or no words, nothing that could be known."""
    assert len(measure(_ask("mail"), Pool(EMPTY, EMPTY)).bm25) == 0
    for asked in (_ask(), _ask("!")):
        words = measure(asked, _BOTH)
        assert (words.ideal, words.covered, words.terms) == (0, 0, 0)
        assert not words.bm25.any()
        assert not words.names.any()


def test_measure_takes_tools_without_words() -> None:
    """Where no tool has a word nothing is divided by nothing."""
    assert measure(_ask("mail"), Pool(EMPTY, catalog(tool("_"), tool("__")))).bm25.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "description", "question"),
    [
        ("a", "Search for invoices", "searching an invoice"),
        ("getUserById", "", "user"),
        ("weather", "查询城市的天气预报", "明天天气怎么样"),
        ("cal", "カレンダーに予定を追加する", "予定を入れて"),
        ("food", "근처 맛집을 찾아줘", "맛집 추천"),
    ],
)
def test_measure_finds_forms_of_a_word(name: str, description: str, question: str) -> None:
    """Other endings, parts of camelCase and pairs of CJK characters find the tool before a stranger."""
    pool = Pool(EMPTY, catalog(tool("stranger", "nothing of it"), tool(name, description)))
    scores = measure(_ask(question), pool).bm25
    assert scores[1] > scores[0] == 0


def test_measure_does_not_follow_the_hash_seed() -> None:
    """Processes with other hash seeds give the same scores to the last bit."""
    words = " ".join(f"w{i:x} " * (i % 5 + 1) for i in range(60))
    code = (
        "from router.catalog import EMPTY, Catalog, Pool; from router.types import *;"
        "from router.retrieve.lexical import measure;"
        f"pool = Pool(EMPTY, Catalog.build('1', [Tool('a', b'', description={words!r}), Tool('b', b'')]));"
        f"asked = RoutingQuery(({words!r},), (1.0,));"
        "words = measure(asked, pool);"
        "print(words.bm25.tobytes().hex(), words.names.tobytes().hex(), words.ideal.hex(), words.covered.hex())"
    )
    given = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3, 4)
    }
    assert len(given) == 1


def test_keyword_hits_name_tools_exactly() -> None:
    """Keywords and tags that the newest text names are hits, in both parts of the pool."""
    pool = Pool(
        catalog(tool("a", keywords=("pull request",)), tool("b", keywords=("pull",))),
        catalog(tool("c", tags=("GitHub",)), tool("d", keywords=("天气",))),
    )
    assert sorted(keyword_hits(_ask("Open a Pull Request on github", "天气"), pool)) == [0, 1, 2]
    assert keyword_hits(_ask("今天天气好吗"), pool) == [3]


def test_keyword_hits_need_a_question_and_keywords() -> None:
    """Without a text there are no hits, nor among tools without keywords."""
    assert keyword_hits(_ask(), _BOTH) == []
    assert keyword_hits(_ask("mail"), _BOTH) == []


def test_measure_takes_the_rarest_terms_of_a_long_text() -> None:
    """Beyond so many terms the commonest are left out; a text of so many is ranked by all."""
    words = [f"rare{number}" for number in range(MOST_TERMS)]
    pool = Pool(EMPTY, catalog(tool("common", "send"), tool("other", "send"), tool("third", " ".join(words))))
    full = measure(_ask(" ".join(["send", *words[1:]])), pool)
    assert (full.bm25 > 0).all()
    long = measure(_ask(" ".join(["send", *words])), pool)
    assert (long.bm25 > 0).tolist() == [False, False, True]
    assert long.terms == MOST_TERMS + 1
    assert long.covered == pytest.approx(1)
