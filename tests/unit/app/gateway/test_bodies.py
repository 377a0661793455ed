"""Bytes of bodies that are held at once."""

from __future__ import annotations

import pytest

from app.errors import Overloaded
from app.gateway.bodies import FREE_BYTES, Bodies

MOST = 2**20


def test_what_is_beyond_the_first_bytes_takes_of_the_room() -> None:
    """It is counted to the byte, refused whole where there is no room, and given back at the end."""
    bodies = Bodies()
    with bodies.held(MOST) as one, bodies.held(MOST) as other:
        one.grow(FREE_BYTES)
        one.grow(MOST - 1)
        other.grow(FREE_BYTES + 1)
        assert bodies.held_bytes == MOST
        with pytest.raises(Overloaded):
            other.grow(1)
        other.release()
        assert bodies.held_bytes == MOST - 1
    assert bodies.held_bytes == 0


def test_a_body_that_nobody_waits_for_takes_nothing_more() -> None:
    """A thread that still unpacks it is made to end."""
    bodies = Bodies()
    with bodies.held(MOST) as held:
        held.grow(FREE_BYTES)
    with pytest.raises(Overloaded):
        held.grow(1)
    assert bodies.held_bytes == 0
