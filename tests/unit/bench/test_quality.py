"""The table of all sets: what it says of runs that are worked out by hand."""

from __future__ import annotations

from app.evaluation import summary
from app.evaluation.results import DatasetRun, Result, Run
from bench import quality
from tests.unit.app.evaluation.conftest import run_of
from tests.unit.app.evaluation.test_summary import result


def _run(fused: int, lexical: int, *more: Result) -> Run:
    """Give a run over one set with one question, found at these ranks, and more."""
    ranks = {"fused": (fused,), "use": (30,), "lexical": (lexical,), "reference": (12,)}
    results = (result(0, fused, ranks=ranks, found=1, route_ms=2.0), *more)
    return run_of(DatasetRun("small", 9, len(results), False, summary.of(results, 50.0), (), results))


def test_page_has_a_column_a_run_and_its_best_channel() -> None:
    """Rank 1 counts everywhere, rank 8 from the top 10 on, rank 12 in the top 20, rank 30 nowhere."""
    text = "\n".join(quality.page({"default": _run(8, 12), "two": _run(1, 8)}))
    row = next(line for line in text.splitlines() if line.startswith("| small (9; 1)"))
    assert row.split(" | ")[1:] == [
        "0.0 / 100.0 / 100.0 / 100.0",
        "use 0.0 / 0.0 / 0.0 / 0.0",
        "100.0 / 100.0 / 100.0 / 100.0",
        "lexical 0.0 / 100.0 / 100.0 / 100.0",
        "0.0 / 0.0 / 100.0 / 100.0 |",
    ]
    assert "Below the best single channel: nothing." in text


def test_page_says_where_one_channel_alone_is_better() -> None:
    """Words alone found it at once, all together did not."""
    text = "\n".join(quality.page({"default": _run(8, 1)}))
    assert "Below the best single channel: default on small, R@5 0.0 (lexical 100.0)." in text


def test_page_shows_the_list_in_force_and_small_talk() -> None:
    """One later turn that grew, one question of small talk to which nothing was added."""
    text = "\n".join(quality.page({"default": _run(1, 1, result(1, change="grown"))}))
    assert "| small | default | 100.0 | 12.0 | 1 | 100.0 | 0.0 | 1,000 → 100 | 2.0 / 2.0 |" in text
    assert "| small | default | 1 | 100.0 | - | 100.0 |" in text
