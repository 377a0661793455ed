"""Two runs over the same questions -> what moved, and how sure that is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from app import files
from app.evaluation import EvaluationFailed
from app.evaluation.results import Comparison, DatasetRun, Moved, Result, Run
from app.evaluation.summary import NOTHING_ADDED, of_result
from router.evaluate.bootstrap import paired


def read(path: Path) -> Run:
    """Read what `--json` printed earlier.

    Raises:
        EvaluationFailed: It is not that.
    """
    try:
        return msgspec.json.decode(files.read(path, files.MOST_CATALOGUE_BYTES), type=Run)
    except OSError as error:
        raise EvaluationFailed(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EvaluationFailed(f"{path}: this is not what 'toolfunnel eval --json' prints: {error}") from error


def with_comparison(run: Run, earlier: Run) -> Run:
    """Add what moved: in the sets that both runs have, by name, over the questions that both have.

    Raises:
        EvaluationFailed: They have nothing in common.
    """
    known = {before.name: before for before in earlier.datasets}
    found = tuple(_compared(known[after.name], after) for after in run.datasets if after.name in known)
    if not any(one.queries for one in found):
        raise EvaluationFailed("The earlier run has none of these questions: there is nothing to compare with.")
    return msgspec.structs.replace(run, compared=found)


def _compared(before: DatasetRun, after: DatasetRun) -> Comparison:
    earlier = {result.id: result for result in before.results}
    pairs = [(earlier[later.id], later) for later in after.results if later.id in earlier]
    missing = len(before.results) + len(after.results) - 2 * len(pairs)
    asked = [pair for pair in pairs if pair[0].wanted and pair[1].wanted]
    empty = [pair for pair in pairs if not pair[0].wanted and not pair[1].wanted]
    figures = _moved([(_figures(one), _figures(other)) for one, other in asked])
    figures |= _moved([({NOTHING_ADDED: one.added == 0}, {NOTHING_ADDED: other.added == 0}) for one, other in empty])
    return Comparison(after.name, len(pairs), missing, figures)


def _figures(result: Result) -> dict[str, float]:
    return of_result(result) | {"tools sent": result.sent, "tool tokens": result.tokens_after}


def _moved(pairs: list[tuple[dict[str, float], dict[str, float]]]) -> dict[str, Moved]:
    if not pairs:
        return {}
    names = list(pairs[0][0])
    before, after = (np.asarray([[pair[i][name] for name in names] for pair in pairs], np.float64) for i in (0, 1))
    steps = after - before
    return {
        name: Moved(
            before=float(before[:, i].mean()),
            after=float(after[:, i].mean()),
            low=interval.low,
            high=interval.high,
            sure=interval.sure,
            up=int((steps[:, i] > 0).sum()),
            down=int((steps[:, i] < 0).sum()),
        )
        for i, (name, interval) in enumerate(zip(names, paired(steps), strict=True))
    }
