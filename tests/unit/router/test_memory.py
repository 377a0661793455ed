"""The bounded map."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from router.memory import Lru


def test_lru_forgets_the_oldest() -> None:
    """One entry too many pushes out what was used longest ago."""
    lru: Lru[str, int] = Lru(2)
    for key in "abc":
        lru.put(key, ord(key))
    assert (lru.get("a"), lru.get("b"), lru.get("c"), len(lru)) == (None, 98, 99, 2)


def test_lru_keeps_what_is_read() -> None:
    """Reading an entry makes it the newest."""
    lru: Lru[str, int] = Lru(2)
    lru.put("a", 1)
    lru.put("b", 2)
    lru.get("a")
    lru.put("c", 3)
    assert (lru.get("a"), lru.get("b")) == (1, None)


def test_lru_replaces_an_entry() -> None:
    """Putting a key again replaces its value, makes it the newest and takes no more room."""
    lru: Lru[str, int] = Lru(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        lru.put(key, value)
    assert (lru.get("a"), lru.get("b"), len(lru)) == (3, None, 2)


def test_lru_survives_many_threads() -> None:
    """Threads that read and write at once neither break it nor read what another key holds."""
    lru: Lru[int, int] = Lru(16)

    def work(start: int) -> None:
        for i in range(start, start + 4_000):
            lru.put(i % 40, i % 40)
            assert lru.get((i * 7) % 40) in {None, (i * 7) % 40}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(lru) == 16
