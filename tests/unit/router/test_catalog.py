"""Catalogue and pool."""

from __future__ import annotations

import numpy as np
import pytest

from router.catalog import EMPTY, Catalog, Pool
from router.errors import CatalogError
from router.postings import Postings
from router.text import terms_of
from router.types import Tool
from tests.unit.router.fakes import catalog, tool

_MAIL = tool("mail", "Send mail", keywords=("E-Mail", "!"), tags=("office",), definition=b"12345678")
_PAY = tool("pay", "Pay a bill", tags=("Office",), pinned=True, definition=b"1234")


def _postings(*documents: str) -> Postings:
    return Postings.build([document.split() for document in documents], terms_of)


def test_build_counts_terms_itself() -> None:
    """Without postings the catalogue counts the terms of its tools."""
    assert catalog(_MAIL, _PAY).postings.frequency("bill") == 1


def test_build_takes_postings() -> None:
    """Postings that the caller has already are used as they are."""
    made = Catalog.build("1", [_MAIL], postings=_postings("given given"))
    assert made.postings.frequency("given") == 1
    assert made.postings.frequency("mail") == 0


def test_build_has_no_vectors_unless_told() -> None:
    """A catalogue without flags has no tool ready."""
    assert not catalog(_MAIL, _PAY).ready.any()


@pytest.mark.parametrize(("ready", "postings"), [(np.ones(2, dtype=np.bool_), None), (None, _postings("a", "b"))])
def test_build_refuses_arrays_that_do_not_fit(
    ready: np.ndarray[tuple[int], np.dtype[np.bool_]] | None, postings: Postings | None
) -> None:
    """One tool with two flags or two documents is an error, not a catalogue."""
    with pytest.raises(CatalogError, match="1 tools"):
        Catalog.build("1", [_MAIL], ready=ready, postings=postings)


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
    ready = np.ones(1, dtype=np.bool_)
    pool = Pool(catalog(_MAIL), Catalog.build("1", [_PAY], ready=ready))
    assert pool.tokens().tolist() == [2, 1]
    assert pool.ready().tolist() == [False, True]
