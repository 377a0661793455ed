"""The bounded map."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from router.memory import ENTRY_BYTES, Lru, Room, Shares


def of(entries: int) -> Lru[Any, int]:
    """Make one that holds so many entries of a byte."""
    return Lru(entries * (ENTRY_BYTES + 1), lambda *_: 1, part=1)


def test_lru_forgets_the_oldest() -> None:
    """One entry too many pushes out what was used longest ago."""
    lru: Lru[str, int] = of(2)
    for key in "abc":
        lru.put(key, ord(key))
    assert (lru.get("a"), lru.get("b"), lru.get("c"), len(lru)) == (None, 98, 99, 2)


def test_lru_keeps_what_is_read() -> None:
    """Reading an entry makes it the newest."""
    lru: Lru[str, int] = of(2)
    lru.put("a", 1)
    lru.put("b", 2)
    lru.get("a")
    lru.put("c", 3)
    assert (lru.get("a"), lru.get("b")) == (1, None)


def test_lru_replaces_an_entry() -> None:
    """Putting a key again replaces its value, makes it the newest and takes no more room."""
    lru: Lru[str, int] = of(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        lru.put(key, value)
    assert (lru.get("a"), lru.get("b"), len(lru)) == (3, None, 2)


def test_lru_survives_many_threads() -> None:
    """Threads that read and write at once neither break it nor read what another key holds."""
    lru: Lru[int, int] = of(16)

    def work(start: int) -> None:
        for i in range(start, start + 4_000):
            lru.put(i % 40, i % 40)
            assert lru.get((i * 7) % 40) in {None, (i * 7) % 40}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(lru) == 16


def test_lru_makes_room_for_what_is_larger() -> None:
    """As many of the oldest go as the newest needs, and what is held is counted to the byte."""
    lru: Lru[str, int] = Lru(4 * ENTRY_BYTES, lambda _, value: value, part=1)
    for key, value in (("a", 0), ("b", 0), ("c", 0), ("d", ENTRY_BYTES * 2)):
        lru.put(key, value)
    assert (lru.get("a"), lru.get("b"), lru.get("c"), lru.get("d")) == (None, None, 0, ENTRY_BYTES * 2)
    assert lru.used_bytes == 4 * ENTRY_BYTES


def test_lru_keeps_nothing_that_is_larger_than_a_part() -> None:
    """It is as if it were never seen, an earlier entry of its key goes, and the others stay."""
    lru: Lru[str, int] = Lru(80 * ENTRY_BYTES, lambda _, value: value, part=8)
    lru.put("a", 1)
    lru.put("b", 1)
    lru.put("a", 10 * ENTRY_BYTES)
    assert (lru.get("a"), lru.get("b"), lru.used_bytes) == (None, 1, ENTRY_BYTES + 1)


@pytest.mark.parametrize("total", [2**20, 192 * 2**20, 10**12])
def test_shares_are_all_together_what_there_is(total: int) -> None:
    """No share is empty, and together they are no more than the whole."""
    shares = [getattr(Shares.of(total), name) for name in Shares.__slots__]
    assert min(shares) > 0
    assert 0.999 * total <= sum(shares) <= total
    assert [getattr(Shares.of(total).among(2), name) for name in Shares.__slots__] == [one // 2 for one in shares]


def test_room_is_given_as_far_as_it_goes() -> None:
    """What would be too much is refused whole, and what is given back can be had again."""
    room = Room(10)
    assert [room.take(6), room.take(5), room.take(4), room.take(1)] == [True, False, True, False]
    room.give_back(6)
    assert (room.take(6), room.used_bytes) == (True, 10)
