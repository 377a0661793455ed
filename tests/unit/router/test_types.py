"""The trivial properties of the core's words."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import RankedList
from tests.unit.router.fakes import talk


@pytest.mark.parametrize(("texts", "has_text"), [((), False), (("",), False), (("", "hello"), True)])
def test_conversation_has_text_when_a_turn_has(texts: tuple[str, ...], *, has_text: bool) -> None:
    """A conversation can be searched with as soon as one turn has text."""
    assert talk(*texts).has_text is has_text


def test_ranked_list_has_the_length_of_its_ids() -> None:
    """The length of a ranked list is how many it lists."""
    assert len(RankedList(np.arange(3), np.zeros(3, dtype=np.float32))) == 3
