"""Misses: what stood before a wanted tool, and why."""

from __future__ import annotations

from app.evaluation import misses
from app.evaluation.results import Miss
from tests.support import tools
from tests.support.datasets import entry, question
from tests.unit.app.evaluation.conftest import Evaluate

_MANY = [{"id": tools.name_of(tool), "tool": tool} for tool in tools.distinct(40)]


def test_miss_shows_what_stood_before_and_by_which_words(evaluate: Evaluate) -> None:
    """Asked in words of invoices, the contract is far behind: five invoices stand before it, and know what it lacks."""
    asked = [question(7, "show an invoice in full by its number", "archive_contract")]
    (miss,) = evaluate(asked, entries=_MANY).misses
    assert (miss.id, miss.texts) == ("7", ("show an invoice in full by its number",))
    assert miss.rank is not None
    assert miss.rank > 5
    assert len(miss.ahead) == 5
    assert miss.ahead[0].name == "get_invoice"
    assert {"invoic", "full"} <= set(miss.ahead[0].terms)
    assert "invoic" not in miss.wanted[0].terms


def test_miss_has_rank_and_score_by_ranking(evaluate: Evaluate) -> None:
    """The best leads the fused ranking; a tool that knows no word has no place among words."""
    asked = [question(1, "invoice", "list_contract")]
    (miss,) = evaluate(asked, entries=_MANY).misses
    assert miss.rankings == ("fused", "words", "lexical", "names")
    assert miss.ahead[0].places["fused"][0] == 1
    assert "lexical" in miss.ahead[0].places
    assert "lexical" not in miss.wanted[0].places


def test_miss_names_rare_words_first(evaluate: Evaluate) -> None:
    """What one tool of many knows tells more than what all of them know."""
    entries = [*_MANY, entry("zebra", "Plan a zebra for a later date")]
    (miss,) = evaluate([question(1, "a zebra", "list_contract")], entries=entries).misses
    assert miss.ahead[0].terms[:2] == ("zebra", "a")


def test_misses_are_ordered_worst_first_and_hits_are_none(evaluate: Evaluate) -> None:
    """A tool that leads is no miss; of the others the one furthest behind comes first."""
    said = "Show one invoice in full by its number."
    asked = [
        question("hit", said, "get_invoice"),
        question("near", said, "get_contract", "share_contract"),
        question("far", "invoice", "compare_shipment"),
    ]
    ranks = [(miss.id, miss.rank) for miss in evaluate(asked, entries=_MANY, k=1).misses]
    assert {"near", "far"} >= {name for name, _ in ranks}
    assert [rank for _, rank in ranks] == sorted((rank for _, rank in ranks if rank), reverse=True)
    assert len(ranks) == 2


def test_misses_without_a_rank_come_last() -> None:
    """What may not be offered is no fault of the search."""
    given = [Miss(str(rank), (), rank, (), (), ()) for rank in (9, None, 300)]
    assert [miss.rank for miss in misses.worst_first(given)] == [300, 9, None]
