"""The channel of words."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from router.catalog import EMPTY, Pool
from router.retrieve.lexical import MOST_TERMS, keyword_hits, rank
from router.types import RoutingQuery
from tests.unit.router.fakes import catalog, tool

_MAIL = tool("mail", "send mail")  # 3 terms, mail twice
_PAY = tool("pay", "pay a bill")  # 4 terms
_BOTH = Pool(EMPTY, catalog(_MAIL, _PAY))
_ALL = np.ones(2, dtype=np.bool_)


def _ask(*texts: str) -> RoutingQuery:
    return RoutingQuery(texts, (1.0, 0.5)[: len(texts)])


def test_rank_is_bm25() -> None:
    """Worked by hand: idf ln 2, two of three terms, average length 3.5, k1 1.5, b 0.75."""
    norm = 1.5 * (0.25 + 0.75 * 3 / 3.5)
    ranked = rank(_ask("mail"), _BOTH, _ALL, 9)
    assert ranked.ids.tolist() == [0, 1]
    assert ranked.scores.tolist() == pytest.approx([math.log(2) * 2.5 * 2 / (2 + norm), 0.0])
    assert ranked.scores[0] == pytest.approx(1.037867, abs=1e-6)


def test_rank_uses_the_statistics_of_the_union() -> None:
    """Two catalogues are ranked as one that holds all their tools."""
    parted = rank(_ask("send a mail"), Pool(catalog(_MAIL), catalog(_PAY)), _ALL, 9)
    assert parted.scores.tolist() == rank(_ask("send a mail"), _BOTH, _ALL, 9).scores.tolist()


def test_rank_adds_texts_with_their_weights() -> None:
    """A second text adds half of what it gives alone."""
    first, second = (rank(_ask(text), _BOTH, _ALL, 9) for text in ("mail", "bill"))
    both = rank(_ask("mail", "bill"), _BOTH, _ALL, 9)
    assert both.scores.tolist() == pytest.approx([first.scores[0], second.scores[0] / 2])


def test_rank_sees_the_permitted_only() -> None:
    """A tool that is not permitted is not ranked, nor does it make the lowest score."""
    ranked = rank(_ask("mail bill"), _BOTH, np.asarray([False, True]), 9)
    assert ranked.ids.tolist() == [1]
    assert ranked.low == ranked.scores[0] > 0


def test_rank_cut_short_tells_the_lowest() -> None:
    """A list cut at its depth still tells the lowest score of all."""
    ranked = rank(_ask("mail"), _BOTH, _ALL, 1)
    assert (ranked.ids.tolist(), ranked.low) == ([0], 0.0)


def test_rank_of_an_empty_pool_is_empty() -> None:
    """No tools, no ranks."""
    ranked = rank(_ask("mail"), Pool(EMPTY, EMPTY), np.zeros(0, dtype=np.bool_), 9)
    assert (len(ranked), ranked.low) == (0, 0.0)


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
def test_rank_finds_forms_of_a_word(name: str, description: str, question: str) -> None:
    """Other endings, parts of camelCase and pairs of CJK characters find the tool before a stranger."""
    pool = Pool(EMPTY, catalog(tool("stranger", "nothing of it"), tool(name, description)))
    ranked = rank(_ask(question), pool, _ALL, 9)
    assert ranked.ids[0] == 1
    assert ranked.scores[0] > 0


def test_rank_does_not_follow_the_hash_seed() -> None:
    """Processes with other hash seeds give the same scores to the last bit."""
    words = " ".join(f"w{i:x} " * (i % 5 + 1) for i in range(60))
    code = (
        "import numpy as np; from router.catalog import EMPTY, Catalog, Pool; from router.types import *;"
        "from router.retrieve.lexical import rank;"
        f"pool = Pool(EMPTY, Catalog.build('1', [Tool('a', b'', description={words!r}), Tool('b', b'')]));"
        f"asked = RoutingQuery(({words!r},), (1.0,));"
        "print(rank(asked, pool, np.ones(2, dtype=np.bool_), 9).scores.tobytes().hex())"
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


def test_rank_takes_the_rarest_terms_of_a_long_text() -> None:
    """Beyond so many terms the commonest are left out; a text of so many is ranked by all."""
    words = [f"rare{number}" for number in range(MOST_TERMS)]
    pool = Pool(EMPTY, catalog(tool("common", "send"), tool("other", "send"), tool("third", " ".join(words))))
    everything = np.ones(3, dtype=np.bool_)
    full = rank(_ask(" ".join(["send", *words[1:]])), pool, everything, 3)
    assert full.scores.tolist()[1] > 0
    long = rank(_ask(" ".join(["send", *words])), pool, everything, 3)
    assert (long.ids.tolist()[0], long.scores.tolist()[1:]) == (2, [0.0, 0.0])
