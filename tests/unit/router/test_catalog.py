"""Catalogue and pool."""

from __future__ import annotations

import math

import numpy as np
import pytest

from router.catalog import EMPTY, Catalog, Pool, Space
from router.errors import CatalogError
from router.index.flat import FlatIndex
from router.postings import Postings
from router.text import terms_of
from router.types import Tool
from tests.unit.router.fakes import HashingEncoder, catalog, space, tool

_MAIL = tool("mail", "Send mail", keywords=("E-Mail", "!"), tags=("office",), definition=b"12345678")
_PAY = tool("pay", "Pay a bill", tags=("Office",), pinned=True, definition=b"1234")
_WORDS = HashingEncoder()


def _postings(*documents: str) -> Postings:
    return Postings.build([document.split() for document in documents], terms_of)


_TWO = _postings("a", "b")


def test_build_counts_terms_itself() -> None:
    """Without postings the catalogue counts the terms of its tools."""
    assert catalog(_MAIL, _PAY).postings.frequency("bill") == 1


def test_build_takes_postings() -> None:
    """Postings that the caller has already are used as they are."""
    made = Catalog.build("1", [_MAIL], postings=_postings("given given"))
    assert made.postings.frequency("given") == 1
    assert made.postings.frequency("mail") == 0


def test_build_has_no_vectors_unless_told() -> None:
    """A catalogue without a space has no tool ready."""
    assert not catalog(_MAIL, _PAY).ready.any()


@pytest.mark.parametrize(
    ("spaces", "postings"),
    [([space(_WORDS, [_MAIL, _PAY])], None), ([space(_WORDS, [_MAIL]), space(_WORDS, [])], None), ([], _TWO)],
)
def test_build_refuses_arrays_that_do_not_fit(spaces: list[Space], postings: Postings | None) -> None:
    """One tool with two flags or two documents, in any space, is an error, not a catalogue."""
    with pytest.raises(CatalogError, match="1 tools"):
        Catalog.build("1", [_MAIL], spaces=spaces, postings=postings)


def test_spaces_are_known_by_their_encoder() -> None:
    """Each encoder's vectors are found by its key; of an encoder that made none there is no space."""
    other = HashingEncoder(name="other")
    made = Catalog.build("1", [_MAIL, _PAY], spaces=[space(_WORDS, [_MAIL, _PAY]), space(other, [_MAIL, _PAY])])
    assert [made.space(key) for key in (_WORDS.key, other.key, "third")] == [*made.spaces, None]


def test_ready_needs_the_vectors_of_every_encoder() -> None:
    """A tool that one of two encoders has not seen yet is not ready."""
    pair = [_MAIL, _PAY]
    spaces = [space(_WORDS, pair, [True, True]), space(HashingEncoder(name="other"), pair, [False, True])]
    assert Catalog.build("1", pair, spaces=spaces).ready.tolist() == [False, True]


def test_with_spaces_keeps_what_does_not_follow_from_vectors() -> None:
    """The same tools with other vectors: what was made is not made again, but for which tools are ready."""
    before = catalog(_MAIL, _PAY)
    made = before.by_name, before.name_weights, before.scripts
    assert not before.ready.any()
    after = before.with_spaces([space(_WORDS, [_MAIL, _PAY])])
    assert all(
        one is other for one, other in zip(made, (after.by_name, after.name_weights, after.scripts), strict=True)
    )
    assert (after.ready.tolist(), before.ready.tolist()) == ([True, True], [False, False])
    assert after.space(_WORDS.key) is not None


def test_sample_of_a_space_holds_what_is_ready() -> None:
    """Of few tools the sample is every vector that is there."""
    made = space(_WORDS, [_MAIL, _PAY, _MAIL], [True, False, True])
    assert (made.sample == made.index.take(np.asarray([0, 2]))).all()


@pytest.mark.parametrize(("size", "kept"), [(2_048, 2_048), (2_049, 1_025), (10_000, 2_000)])
def test_sample_of_many_is_spread_evenly(size: int, kept: int) -> None:
    """Of many tools some at equal distances stand for all, so that measuring them takes the same time."""
    vectors = np.arange(size, dtype=np.float32)[:, np.newaxis]
    sample = Space("key", FlatIndex(vectors), np.ones(size, dtype=np.bool_)).sample[:, 0]
    assert len(sample) == kept
    assert len(set(np.diff(sample).tolist())) == 1


def test_name_weights_are_what_a_whole_name_weighs() -> None:
    """Worked by hand: of three tools two have `get`, idf ln (1 + 1.5 / 2.5); the other terms have one, ln (8 / 3)."""
    made = catalog(tool("get_mail"), tool("get_bill"), tool("pay"))
    rare, common = math.log(8 / 3), math.log(1.6)
    assert made.name_weights.tolist() == pytest.approx([common + rare, common + rare, rare])


def test_name_weights_are_never_nothing() -> None:
    """A name without a word, or of which every tool has one alike, can still be divided by."""
    assert (catalog(tool("_"), tool("_")).name_weights > 0).all()


def test_scripts_are_those_of_the_tools() -> None:
    """Half of the tools in Chinese: half of the catalogue is. A catalogue of nothing is Latin."""
    assert catalog(_MAIL, tool("天气", "查询天气")).scripts == {"latin": 0.5, "han": 0.5}
    assert EMPTY.scripts == {"latin": 1.0}


def test_by_name_holds_every_namesake() -> None:
    """A client may send one name twice: both positions are known."""
    assert catalog(_MAIL, _PAY, _MAIL).by_name == {"mail": [0, 2], "pay": [1]}


def test_by_phrase_folds_keywords_and_tags() -> None:
    """Keywords and tags stand in the form in which questions are read; those without a word are left out."""
    by_phrase = catalog(_MAIL, _PAY).by_phrase
    assert {word: rows.tolist() for word, rows in by_phrase.items()} == {"e mail": [0], "office": [0, 1]}


def test_pinned_gives_positions() -> None:
    """The pinned tools are known by position."""
    assert catalog(_MAIL, _PAY).pinned == (1,)


def test_pool_puts_own_tools_first() -> None:
    """Positions count through the client's tools and go on with the catalogue's."""
    pool = Pool(catalog(_MAIL), catalog(_PAY))
    assert [pool.tool(i) for i in range(len(pool))] == [_MAIL, _PAY]
    assert [pool.is_own(i) for i in range(len(pool))] == [True, False]
    assert [first for first, _ in pool.parts] == [0, 1]


@pytest.mark.parametrize(("own", "positions"), [((), [0]), ((_MAIL,), [1]), ((_PAY,), [0]), ((_PAY, _PAY), [0, 1])])
def test_pool_gives_the_clients_definition_of_a_name(own: tuple[Tool, ...], positions: list[int]) -> None:
    """The client's definitions of a name hide the catalogue's."""
    assert Pool(catalog(*own), catalog(_PAY)).positions("pay") == positions


def test_pool_knows_no_stranger() -> None:
    """A name that nobody defines has no position."""
    assert Pool(EMPTY, catalog(_PAY)).positions("unknown") == []


def test_pool_joins_the_arrays() -> None:
    """Tokens and flags of the pool are those of its two parts."""
    pool = Pool(catalog(_MAIL), catalog(_PAY, encoder=_WORDS))
    assert pool.tokens().tolist() == [2, 1]
    assert pool.ready().tolist() == [False, True]
