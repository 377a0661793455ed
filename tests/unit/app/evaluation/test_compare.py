"""Two runs beside each other."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.evaluation import EvaluationFailed, compare, summary
from app.evaluation.results import DatasetRun, Result, Run
from tests.unit.app.evaluation.conftest import run_of
from tests.unit.app.evaluation.test_summary import result


def _run(*results: Result, name: str = "one") -> Run:
    figures = summary.of(results, 50.0)
    return run_of(DatasetRun(name, 9, len(results), False, figures, (), results))


def test_comparison_pairs_questions_by_id() -> None:
    """Ranks 9 and 1 became 1 and 1, whatever the order: one went up, none down."""
    (found,) = compare.with_comparison(_run(result(2, 1), result(1, 1)), _run(result(1, 9), result(2, 1))).compared
    moved = found.figures["R@5"]
    assert (moved.before, moved.after, moved.up, moved.down) == (0.5, 1.0, 1, 0)
    assert (moved.low, moved.high, moved.sure) == (0.0, 1.0, False)


def test_comparison_is_sure_of_what_moved_everywhere() -> None:
    """Thirty questions lost their tool: the interval leaves zero out."""
    before, after = [result(i, 1) for i in range(30)], [result(i, None) for i in range(30)]
    (found,) = compare.with_comparison(_run(*after), _run(*before)).compared
    assert (found.figures["R@20"].high, found.figures["R@20"].sure, found.figures["R@20"].down) == (-1.0, True, 30)


def test_comparison_looks_at_common_questions_only() -> None:
    """Questions 1 and 3 are in one of the runs each."""
    (found,) = compare.with_comparison(_run(result(2, 1), result(3, 9)), _run(result(1, 9), result(2, 1))).compared
    assert (found.queries, found.missing, found.figures["R@1"].before) == (1, 2, 1.0)


def test_comparison_of_small_talk_counts_what_was_not_added() -> None:
    """Nothing is wanted: there is no recall, but fewer additions."""
    (found,) = compare.with_comparison(_run(result(1), result(2)), _run(result(1, added=12), result(2))).compared
    assert list(found.figures) == ["nothing added"]
    assert (found.figures["nothing added"].before, found.figures["nothing added"].after) == (0.5, 1.0)


def test_comparison_without_common_questions_is_refused() -> None:
    """Another data set, or other questions."""
    for earlier in (_run(result(1, 1), name="other"), _run(result(2, 1))):
        with pytest.raises(EvaluationFailed, match="none of these questions"):
            compare.with_comparison(_run(result(1, 1)), earlier)


def test_earlier_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What is printed as JSON is the same value again."""
    run = _run(result(1, 3, None), result(2))
    path = tmp_path / "earlier.json"
    path.write_bytes(msgspec.json.encode(run))
    assert compare.read(path) == run


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{}", "missing required field"), (b"{", "truncated"), (b'{"format": "other"}', "Invalid enum value 'other'")],
)
def test_earlier_run_that_is_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """The file is named, and what it should have been."""
    path = tmp_path / "earlier.json"
    path.write_bytes(content)
    with pytest.raises(EvaluationFailed, match="this is not what 'toolfunnel eval --json' prints") as caught:
        compare.read(path)
    assert said in str(caught.value)


def test_earlier_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A file that cannot be read."""
    with pytest.raises(EvaluationFailed, match="No such file"):
        compare.read(tmp_path / "none.json")
