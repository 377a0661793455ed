"""The recipe that others are measured by."""

from __future__ import annotations

import numpy as np

from router.evaluate import reference
from router.types import Scores


def _scores(*values: float) -> Scores:
    return np.asarray(values, dtype=np.float32)


def test_reference_stretches_both_and_weighs_meaning_more() -> None:
    """Worked by hand: meaning 0.5, 1, 0 and words 1, 0.5, 0 give 0.65, 0.85, 0; neither scale nor shift matters."""
    order = reference.ranked(_scores(0.5, 0.9, 0.1), _scores(4, 2, 0)).tolist()
    assert order == reference.ranked(_scores(5, 9, 1), _scores(14, 12, 10)).tolist() == [1, 0, 2]


def test_reference_of_equal_scores_goes_by_position() -> None:
    """A channel that tells nothing apart decides nothing; no tools are no ranking."""
    assert reference.ranked(_scores(0.5, 0.5, 0.5), _scores(0, 0, 1)).tolist() == [2, 0, 1]
    assert reference.ranked(_scores(), _scores()).tolist() == []
