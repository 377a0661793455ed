"""Means of results, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from app.evaluation import summary
from app.evaluation.results import Result


def result(number: int, *ranks: int | None, **fields: Any) -> Result:
    """Give a question with these ranks of the wanted tools."""
    values: dict[str, Any] = {
        "id": str(number),
        "lang": "en",
        "category": "",
        "wanted": len(ranks),
        "found": 0,
        "sent": 12,
        "added": 0,
        "change": "first",
        "tokens_before": 1000,
        "tokens_after": 100,
        "route_ms": None,
        "ranks": {"fused": ranks},
    }
    return Result(**(values | fields))


def test_summary_averages_over_questions_that_want_something() -> None:
    """Ranks 1 and 8, and a question that wants nothing: it does not count."""
    found = summary.of([result(1, 1), result(2, 8), result(3)], 50.0)
    assert found.overall.queries == 2
    assert found.overall.figures == pytest.approx(
        {"R@1": 0.5, "R@5": 0.5, "R@10": 1, "R@20": 1, "C@5": 0.5, "C@10": 1, "C@20": 1}
        | {"nDCG@10": (1 + 0.31546488) / 2, "MRR": (1 + 1 / 8) / 2, "C@sent": 0}
    )
    assert (found.curves["fused"][5], found.curves["fused"][8]) == (0.5, 1.0)


def test_summary_groups_by_language_and_category_largest_first() -> None:
    """Two Korean questions stand before an English one; those without a category are one group."""
    found = summary.of([result(1, 1), result(2, 1, lang="ko"), result(3, 9, lang="ko")], 50.0)
    assert [(name, group.queries) for name, group in found.by["language"].items()] == [("ko", 2), ("en", 1)]
    assert found.by["language"]["ko"].figures["R@5"] == 0.5
    assert list(found.by["category"]) == [""]


def test_summary_counts_the_list_in_force() -> None:
    """A question is complete when as many wanted tools are sent as are wanted."""
    found = summary.of([result(1, 1, 2, found=2), result(2, 1, 2, found=1, sent=14)], 50.0)
    assert (found.overall.figures["C@sent"], found.sent_tools) == (0.5, 13.0)
    assert (found.tokens_before, found.tokens_after) == (1000.0, 100.0)


def test_summary_counts_turns_that_changed_the_list() -> None:
    """First turns are left out."""
    changes = ("first", "kept", "kept", "grown", "renewed")
    found = summary.of([result(i, 1, change=change) for i, change in enumerate(changes)], 50.0)
    assert (found.later_turns, found.grown, found.renewed) == (4, 0.25, 0.25)


def test_summary_of_nothing_wanted_counts_what_was_added() -> None:
    """Of three questions that need nothing one got four tools: the one alone."""
    later = {"change": "kept", "lang": "ko"}
    found = summary.of([result(1, **later), result(2, **later), result(3, added=4), result(4, 1, added=9)], 50.0)
    shares = {label: (one.queries, one.figures["nothing added"]) for label, one in found.nothing_wanted.items()}
    assert shares == {
        "all": (3, pytest.approx(2 / 3)),
        "in a conversation": (2, 1.0),
        "alone": (1, 0.0),
        "language ko": (2, 1.0),
        "language en": (1, 0.0),
        "category -": (3, pytest.approx(2 / 3)),
    }
    assert found.nothing_wanted["alone"].figures["tools added"] == 4


def test_summary_times_only_what_was_timed() -> None:
    """The median of 1, 2 and 60 is 2; one was over the budget."""
    found = summary.of([result(i, 1, route_ms=time) for i, time in enumerate((1.0, None, 60.0, 2.0))], 50.0)
    assert (found.timed, found.route_p50_ms, found.over_budget) == (3, 2.0, 1)
    assert summary.of([result(1, 1)], 50.0).route_p99_ms is None


def test_summary_counts_a_ranking_that_was_not_made_as_nothing_found() -> None:
    """One question has no ranking by meaning: the mean is over both."""
    both = {"fused": (1,), "dense": (1,)}
    found = summary.of([result(1, 1, ranks=both), result(2, 1)], 50.0)
    assert (found.rankings["dense"].queries, found.rankings["dense"].figures["R@1"]) == (2, 0.5)
    assert "C@sent" not in found.rankings["dense"].figures
