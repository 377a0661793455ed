"""The fit of map and weights: its parts that need no torch, against what the product does."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.fit import figures, folds, learn, page, sets
from bench.fit.figures import Meant
from bench.fit.sets import Set
from router import fuse
from router.catalog import EMPTY, Catalog, Pool, Space
from router.embed.use import EmbeddedEncoder
from router.index.flat import FlatIndex
from router.retrieve import dense
from router.types import Conversation, Tool, Turn

_TOOLS = ("get_weather", "send_mail", "send_letter", "read_mail")


def _set(name: str = "small") -> Set:
    """Give four tools, of which two send, and two questions."""
    return Set(
        name=name,
        catalog=Catalog.build(name, [Tool(tool, b"{}", description=tool.split("_")[1]) for tool in _TOOLS]),
        groups=np.asarray([0, 1, 1, 2]),
        conversations=(Conversation((Turn("weather"),)), Conversation((Turn("weather"), Turn("mail for Ada")))),
        gold=((0,), (1, 2)),
        langs=("en", "en"),
    )


def _random(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_outside_leaves_out_a_whole_family() -> None:
    """Who has learned from the English set has seen its Chinese translation."""
    kept = sets.outside([_set(name) for name in ("acebench_en", "acebench_zh", "bfcl")], "acebench")
    assert [one.name for one in kept] == ["bfcl"]


def test_positions_are_of_all_tools_of_a_group() -> None:
    """Either way to send is right, and so is the mail that is read."""
    assert _set().positions(1) == [1, 2, 3]


def test_figures_count_groups_at_their_first_place() -> None:
    """With both questions' best tool first, the second question has one of its two groups."""
    scores = np.asarray([[4, 3, 2, 1], [1, 4, 3, 2]], dtype=np.float32)
    one = _set()
    assert figures.of_orders(one, (np.argsort(-row)[:2] for row in scores)).tolist() == [
        [1, 1, 1, 1],
        [0.5, 0.5, 0.5, 0],
    ]
    assert figures.of_scores(one, scores).tolist() == [[1, 1, 1, 1], [1, 1, 1, 1]]


def test_standing_is_that_of_dense_search() -> None:
    """What is counted for all questions at once is what the product counts for each."""
    one, asked, tools = _set(), _random(2, 8), _random(4, 8)
    space = Space("x", FlatIndex(tools), np.ones(4, dtype=np.bool_))
    pool = Pool(EMPTY, Catalog.build("x", one.catalog.tools, spaces=[space]))
    each = [dense.measure(question, "x", pool, one.rows, every=True).standing for question in asked]
    assert np.allclose(sets.standing(one, asked, tools), each, atol=1e-4)


def test_fused_follows_the_given_weights() -> None:
    """Words alone, or meaning alone, decide where the other weighs nothing."""
    one = _set()
    meant = Meant("x", [1.0, 1.0], np.asarray([[0, 0, 0, 1]] * 2, dtype=np.float32))
    loud, silent = (50.0, 0.0, 0.0, 0.0, 0.0), (-50.0, 0.0, 0.0, 0.0, 0.0)
    by_words = figures.fused(one, [meant], fuse.Weights(meaning=silent, words=loud, names=silent))
    by_meaning = figures.fused(one, [meant], fuse.Weights(meaning=loud, words=silent, names=silent))
    assert [int(order[0]) for order in by_words] == [0, 1]
    assert [int(order[0]) for order in by_meaning] == [3, 3]


def test_a_lesson_leaves_every_other_question_to_the_weights() -> None:
    """The map of the half learns from the first and the third."""
    half = learn.Lesson(_random(4, 2), _random(3, 2), [[0], [1], [2], [0]]).half()
    assert (len(half.questions), half.right) == (2, [[0], [2]])


def test_map_moves_as_the_embedded_encoder_does(tmp_path: Path) -> None:
    """Written and read again, the shipped map is the one that the encoder applies."""
    learn.read_map().write(tmp_path / "map.npz")
    encoder, texts = EmbeddedEncoder(), ["Send a mail", "明天天气怎么样？"]
    moved = folds.Moved(encoder, learn.read_map(tmp_path / "map.npz")).encode_query(texts)
    assert np.allclose(moved, encoder.encode_query(texts), atol=1e-6)
    assert not np.allclose(moved, encoder.encode_document(texts), atol=1e-2)


def test_page_says_where_one_channel_alone_finds_more() -> None:
    """Only what is less is named."""
    unseen = {"small": np.asarray([[0.5, 1, 1, 1]])}
    best = {"small": ("words", np.asarray([[1, 1, 1, 0.5]]))}
    assert page.below(unseen, best) == ["small, R@5 50.0 (words 100.0)"]


def test_fitting_without_torch_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the make target."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match="make extras"):
        learn.torch()
