"""The encoder's memory and its deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from router import text
from router.embed import embedder as module
from router.embed.embedder import Embedder, OnLearned, tool_vectors
from router.embed.profile import UNKNOWN, measure
from router.types import Encoder, Vectors
from tests.unit.router.fakes import (
    BreakingEncoder,
    GatedEncoder,
    HashingEncoder,
    digests,
    now,
    soon,
    tool,
)

_TOOLS = [tool(f"tool_{i}", f"does thing {i}") for i in range(10)]
_DIGESTS = digests(*_TOOLS)
_ORDER = range(len(_TOOLS))


@contextmanager
def _embedder(encoder: Encoder, on_learned: OnLearned | None = None) -> Iterator[Embedder]:
    made = Embedder(encoder, on_learned=on_learned)
    try:
        yield made
    finally:
        if isinstance(encoder, GatedEncoder):
            encoder.gate.set()
        made.close()


def test_tool_vectors_are_the_mean_of_two() -> None:
    """A tool's vector is halfway between those of its summary and its detail."""
    encoder = HashingEncoder()
    summary, detail = encoder.encode([text.summary(_TOOLS[0]), text.detail(_TOOLS[0])])
    assert np.allclose(tool_vectors(encoder, _TOOLS[:1]), [(summary + detail) / 2])


def test_tool_vectors_hold_the_example_questions() -> None:
    """Each example counts as much as the summary; those beyond the first ten are left to words."""
    encoder = HashingEncoder()
    asked = [f"question number {number}" for number in range(12)]
    told = replace(_TOOLS[0], examples=tuple(asked))
    expected = encoder.encode([text.summary(told), text.detail(told), *asked[:10]]).mean(axis=0)
    assert np.allclose(tool_vectors(encoder, [_TOOLS[1], told, _TOOLS[1]])[1], expected)


def test_tool_vectors_of_nothing_have_the_right_shape() -> None:
    """No tools give no rows, of the encoder's dimension, without asking it."""
    encoder = HashingEncoder()
    assert tool_vectors(encoder, []).shape == (0, encoder.dimension)
    assert encoder.seen == []


def test_questions_are_encoded_once() -> None:
    """A question asked again is remembered."""
    encoder = HashingEncoder()
    with _embedder(encoder) as embedder:
        first = embedder.questions(["one", "two"], soon())
        again = embedder.questions(["two", "one"], soon())
    assert first.keys() == again.keys() == {"one", "two"}
    assert sorted(encoder.seen) == ["one", "two"]


def test_questions_past_the_deadline_come_next_time() -> None:
    """What is not ready is left out, is finished in the background and is there for the next request."""
    encoder = GatedEncoder(stops=lambda asked: asked == "slow")
    with _embedder(encoder) as embedder:
        embedder.questions(["known"], soon())
        assert embedder.questions(["known", "slow"], now()).keys() == {"known"}
        encoder.gate.set()
        assert embedder.questions(["slow"], soon()).keys() == {"slow"}
    assert encoder.seen.count("slow") == 1


def test_questions_survive_a_broken_encoder() -> None:
    """An encoder that fails gives no vectors, no error and no wait, and is asked anew by the next request."""
    encoder = BreakingEncoder()
    with _embedder(encoder) as embedder:
        assert embedder.questions(["one"], soon()) == {}
        encoder.word = None
        assert embedder.questions(["one"], soon()).keys() == {"one"}


def test_questions_asked_at_once_are_one_job() -> None:
    """Who asks for a text that is on its way waits for that."""
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder:
        begun = embedder.begin(["one", "one"], soon())
        assert embedder.begin(["one"], soon()) == begun
        encoder.gate.set()
        assert embedder.questions(["one"], soon()).keys() == {"one"}
    assert encoder.seen == ["one"]


def test_questions_of_long_ago_are_given_up() -> None:
    """A fresh question does not stand behind one that nobody waits for any more; one that is asked anew is kept."""
    encoder = GatedEncoder(stops=lambda asked: asked == "slow")
    with _embedder(encoder) as embedder:
        embedder.begin(["slow"], soon())
        assert encoder.reached.wait(60)
        (stale, kept) = embedder.begin(["stale", "kept"], now() - 60)
        embedder.begin(["kept"], soon())
        encoder.gate.set()
        assert embedder.questions(["fresh"], soon()).keys() == {"fresh"}
        assert (stale.done(), kept.done()) == (True, True)
    assert encoder.seen == ["slow", "kept", "fresh"]


def test_questions_that_are_waited_for_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose deadline has just passed is encoded behind those that can still be in time."""
    monkeypatch.setattr(module, "_GIVEN_UP_S", 600.0)
    encoder = GatedEncoder(stops=lambda asked: asked == "slow")
    with _embedder(encoder) as embedder:
        embedder.begin(["slow"], soon())
        assert encoder.reached.wait(60)
        (late,) = embedder.begin(["late"], now() - 1)
        embedder.begin(["fresh"], soon())
        encoder.gate.set()
        late.result(60)
    assert encoder.seen == ["slow", "fresh", "late"]


def test_short_questions_that_wait_are_encoded_together() -> None:
    """While one is encoded others come: they are taken at one go, as far as they are short."""
    encoder = GatedEncoder(stops=lambda asked: asked == "slow")
    with _embedder(encoder) as embedder:
        embedder.begin(["slow"], soon())
        assert encoder.reached.wait(60)
        begun = [embedder.begin([asked], soon())[0] for asked in ("one", "two", "long " * 100, "three", "four", "five")]
        encoder.gate.set()
        for job in begun:
            job.result(60)
    assert encoder.batches == [1, 2, 1, 3]


def test_a_refused_question_keeps_back_no_other() -> None:
    """What the encoder does not take costs the others that came with it nothing, and is told once."""
    encoder, told = BreakingEncoder("bad"), list[BaseException]()
    with _embedder(encoder) as embedder:
        embedder.on_failed = told.append
        assert embedder.questions(["bad", "one", "two"], soon()).keys() == {"one", "two"}
    assert {str(error) for error in told} == {"out of order"}


def test_a_text_of_a_history_becomes_urgent() -> None:
    """What waits behind a list of tools comes at once when it is the question of another request."""
    encoder = GatedEncoder(stops=lambda asked: asked.startswith("tool"))
    with _embedder(encoder) as embedder:
        embedder.tools(_TOOLS, _DIGESTS, _ORDER, now())
        assert encoder.reached.wait(60)
        embedder.begin(["1", "2", "3", "4", "old"], soon())
        assert embedder.questions(["old"], soon()).keys() == {"old"}
    assert encoder.seen.count("old") == 1


def test_questions_beyond_the_backlog_are_left_to_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many wait, a new one is not taken, and nobody waits for it."""
    monkeypatch.setattr(module, "_ASKED", 1)
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder:
        embedder.begin(["one"], soon())
        assert embedder.questions(["two"], soon()) == {}
    assert encoder.seen == ["one"]


def test_questions_take_an_endless_deadline() -> None:
    """A deadline of infinity is no error."""
    with _embedder(HashingEncoder()) as embedder:
        assert embedder.questions(["one"], float("inf")).keys() == {"one"}


def test_tools_are_given_in_their_order() -> None:
    """Rows stand in the order of the tools, in whatever order they were encoded."""
    encoder = HashingEncoder()
    with _embedder(encoder) as embedder:
        vectors, ready = embedder.tools(_TOOLS, _DIGESTS, [*reversed(_ORDER)], soon())
    assert ready.all()
    assert np.allclose(vectors, tool_vectors(HashingEncoder(), _TOOLS))
    assert encoder.seen[0] == text.summary(_TOOLS[-1])


def test_tools_past_the_deadline_come_next_time() -> None:
    """What is ready is given, zeros for the rest; the rest is there for the next request, encoded once."""
    encoder = GatedEncoder(stops=lambda asked: asked.startswith("tool 9"))
    with _embedder(encoder) as embedder:
        embedder.tools(_TOOLS[:4], _DIGESTS[:4], range(4), soon())
        vectors, ready = embedder.tools(_TOOLS, _DIGESTS, _ORDER, now())
        assert ready[:4].all()
        assert not ready[9]
        assert not vectors[~ready].any()
        encoder.gate.set()
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].all()
    assert len(encoder.seen) == 2 * len(_TOOLS)


def test_tools_first_in_order_are_ready_first() -> None:
    """When time runs out half-way, the likeliest tools have their vectors."""
    encoder = GatedEncoder(stops=lambda asked: asked.startswith("tool 0"))
    with _embedder(encoder) as embedder:
        embedder.tools(_TOOLS, _DIGESTS, [*reversed(_ORDER)], now())
        assert encoder.reached.wait(60)
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, now())[1].tolist() == [False] * 2 + [True] * 8


def test_tools_asked_twice_at_once_are_encoded_once() -> None:
    """A second request for the same tools waits for the work of the first."""
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder, ThreadPoolExecutor(1) as threads:
        embedder.tools(_TOOLS, _DIGESTS, _ORDER, now())
        second = threads.submit(embedder.tools, _TOOLS, _DIGESTS, _ORDER, soon())
        encoder.gate.set()
        assert second.result(60)[1].all()
    assert len(encoder.seen) == 2 * len(_TOOLS)


def test_tools_of_a_long_list_let_those_of_others_go_on() -> None:
    """A list that came first and is long keeps nobody waiting for its end."""
    long = [tool(f"long_{i}", f"does thing {i}") for i in range(200)]
    encoder = GatedEncoder(stops=lambda asked: asked.startswith("long 100"))
    with _embedder(encoder) as embedder:
        embedder.tools(long, digests(*long), range(200), now())
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].all()
        assert not embedder.tools(long, digests(*long), range(200), now())[1].all()


def test_tools_of_one_list_do_not_take_all_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a list only so many wait at a time; the next request asks for the next."""
    monkeypatch.setattr(module, "_OF_ONE", 6)
    with _embedder(HashingEncoder()) as embedder:
        first = embedder.tools(_TOOLS, _DIGESTS, [*reversed(_ORDER)], soon())[1]
        second = embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1]
    assert first.tolist() == [False] * 4 + [True] * 6
    assert second.all()


def test_tools_of_one_list_asked_again_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a list has under way counts: repeating it does not fill the backlog, and another list has its turn."""
    monkeypatch.setattr(module, "_OF_ONE", 8)
    monkeypatch.setattr(module, "_SHORT", 2)
    monkeypatch.setattr(module, "_BACKLOG", 16)
    long = [tool(f"long_{i}", f"does thing {i}") for i in range(100)]
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder:
        for _ in range(5):
            embedder.tools(long, digests(*long), range(100), now())
        assert set(embedder._asking) == set(digests(*long[:8]))
        embedder.tools(_TOOLS[:6], _DIGESTS[:6], range(6), now())
        encoder.gate.set()
        assert embedder.tools(_TOOLS[:6], _DIGESTS[:6], [], soon())[1].all()


def test_a_short_list_finds_room_behind_a_full_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many long lists leave no room for another, but for one with few tools to encode; up to a bound of its own."""
    monkeypatch.setattr(module, "_BACKLOG", 3)
    monkeypatch.setattr(module, "_SHORT", 2)
    monkeypatch.setattr(module, "_BACKLOG_OF_SHORT", 5)
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder:
        for some in (slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 10)):  # long, long, short, short
            embedder.tools(_TOOLS[some], _DIGESTS[some], range(len(_TOOLS[some])), now())
        assert set(embedder._asking) == {*_DIGESTS[:3], *_DIGESTS[6:8]}


def test_tools_survive_a_broken_encoder() -> None:
    """A failing encoder gives no vectors, no error, no wait; nothing stays marked, the next request retries."""
    encoder = BreakingEncoder()
    with _embedder(encoder) as embedder:
        vectors, ready = embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())
        assert not ready.any()
        assert not vectors.any()
        assert not embedder._asking
        encoder.word = None
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].all()


def test_tools_encoded_before_a_failure_are_kept() -> None:
    """When the encoder fails half-way, what it gave until then is used and is reported for storing."""
    learned: dict[str, Vectors] = {}
    tools = [*_TOOLS[:5], tool("tool_5", "ready"), *_TOOLS[6:]]  # with this word it is asked whether it works at all
    with _embedder(BreakingEncoder("ready"), learned.update) as embedder:
        ready = embedder.tools(tools, digests(*tools), _ORDER, soon())[1]
    assert ready.tolist() == [True] * 4 + [False] * 6
    assert learned.keys() == set(_DIGESTS[:4])


def test_a_refused_tool_keeps_back_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One text that the encoder does not take costs one tool its vector, and is not sent with each request."""
    encoder = BreakingEncoder("tool 5")
    with _embedder(encoder) as embedder:
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].tolist() == [True] * 5 + [False] + [True] * 4
        encoder.word = None
        assert not embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1][5]
    monkeypatch.setattr(module, "_REFUSED_S", 0.0)
    encoder, told = BreakingEncoder("tool 5"), list[BaseException]()
    with _embedder(encoder) as embedder:
        embedder.on_failed = told.append
        embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())
        assert [str(error) for error in told] == ["out of order"]
        encoder.word = None
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].all()


def test_tools_newly_learned_are_reported() -> None:
    """`on_learned` gets the new vectors, and not those that were known."""
    calls: list[dict[str, Vectors]] = []
    with _embedder(HashingEncoder(), calls.append) as embedder:
        embedder.remember(dict(zip(_DIGESTS[:8], tool_vectors(HashingEncoder(), _TOOLS[:8]), strict=True)))
        embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())
    assert [call.keys() for call in calls] == [set(_DIGESTS[8:])]


def test_tools_of_a_failed_encoder_are_not_reported() -> None:
    """Nothing learned, nothing reported."""
    calls: list[dict[str, Vectors]] = []
    with _embedder(BreakingEncoder(), calls.append) as embedder:
        embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())
    assert calls == []


def test_tools_survive_a_broken_listener() -> None:
    """An `on_learned` that fails stops neither the waiting nor the thread."""

    def fail(_: dict[str, Vectors]) -> None:
        raise RuntimeError("disk full")

    told: list[BaseException] = []
    with _embedder(HashingEncoder(), fail) as embedder:
        embedder.on_failed = told.append
        assert embedder.tools(_TOOLS[:5], _DIGESTS[:5], range(5), soon())[1].all()
        assert embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].all()
    assert [str(error) for error in told] == ["disk full"] * 2


def test_tools_with_one_digest_share_a_vector() -> None:
    """Two tools of the same text both get the one vector."""
    twice = [_TOOLS[0], _TOOLS[0]]
    with _embedder(HashingEncoder()) as embedder:
        vectors, ready = embedder.tools(twice, digests(*twice), range(2), soon())
    assert ready.all()
    assert (vectors[0] == vectors[1]).all()


def test_remember_spares_the_encoder() -> None:
    """Vectors that were stored earlier are not encoded again."""
    encoder = BreakingEncoder()
    known = tool_vectors(HashingEncoder(), _TOOLS)
    with _embedder(encoder) as embedder:
        embedder.remember(dict(zip(_DIGESTS, known, strict=True)))
        vectors, ready = embedder.tools(_TOOLS, _DIGESTS, _ORDER, now())
    assert ready.all()
    assert (vectors == known).all()


def test_errors_are_reported_once_each() -> None:
    """Whom it may concern hears what the encoder said, of questions and of tools."""
    heard: list[BaseException] = []
    embedder = Embedder(BreakingEncoder(), on_failed=heard.append)
    embedder.questions(["one"], soon())
    embedder.tools(_TOOLS[:1], _DIGESTS[:1], [0], soon())
    embedder.close()
    assert [str(error) for error in heard] == ["out of order"] * 2


def test_close_lets_those_go_who_wait_for_questions() -> None:
    """A question that was never encoded leaves nobody waiting, and no vector."""
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder, ThreadPoolExecutor(1) as threads:
        embedder.begin(["first"], soon())
        assert encoder.reached.wait(60)
        (waiting,) = embedder.begin(["second"], soon())
        closing = threads.submit(embedder.close)
        _until(lambda: embedder._for_questions._shutdown)
        encoder.gate.set()
        closing.result(60)
        waiting.result(60)
    assert encoder.seen == ["first"]


def test_profile_tells_what_the_encoder_reads() -> None:
    """What is known of an encoder is replaced as a whole."""
    with _embedder(HashingEncoder()) as embedder:
        assert (embedder.reading, embedder.small_talk) == (UNKNOWN.reading, None)
        embedder.profile = measure(embedder.encoder)
        assert embedder.reading.shares


def test_close_lets_waiters_go() -> None:
    """Work that is dropped when the embedder closes leaves nobody waiting for it."""
    encoder = GatedEncoder()
    with _embedder(encoder) as embedder, ThreadPoolExecutor(2) as threads:
        embedder.tools(_TOOLS[:1], _DIGESTS[:1], [0], now())
        waiter = threads.submit(embedder.tools, _TOOLS[1:], _DIGESTS[1:], range(9), soon())
        _until(lambda: len(embedder._asking) == len(_TOOLS) and embedder._for_tools._work_queue.qsize() == 1)
        closing = threads.submit(embedder.close)
        _until(lambda: embedder._for_tools._shutdown)
        encoder.gate.set()
        closing.result(60)
        assert not waiter.result(30)[1].any()


def test_close_tells_what_was_learned_of_lists_that_wait() -> None:
    """Each vector that was made is reported, though the list that it is of has not had its last turn."""
    lists = [[tool(f"{name}_{i}", f"does thing {i}") for i in range(10)] for name in ("one", "two", "three")]
    learned: list[str] = []
    encoder = GatedEncoder()
    with _embedder(encoder, learned.extend) as embedder, ThreadPoolExecutor(1) as threads:
        for listed in (_TOOLS[:1], *lists):  # the first keeps the others waiting until all are there
            embedder.tools(listed, digests(*listed), range(len(listed)), now())
        assert encoder.reached.wait(60)
        first, encoder.gate = encoder.gate, threading.Event()
        encoder.stops = lambda asked: asked.startswith("one 4")  # the second turn of the first list
        encoder.reached.clear()
        first.set()
        assert encoder.reached.wait(60)
        closing = threads.submit(embedder.close)
        _until(lambda: embedder._for_tools._shutdown)
        encoder.gate.set()
        closing.result(60)
        assert not embedder._asking
    assert sorted(learned) == sorted(digests(_TOOLS[0], *lists[0][:8], *lists[1][:4], *lists[2][:4]))


def test_tools_asked_of_a_closed_embedder_keep_nobody_waiting() -> None:
    """A request that comes while the process ends is left to words."""
    embedder = Embedder(HashingEncoder())
    embedder.close()
    assert not embedder.tools(_TOOLS, _DIGESTS, _ORDER, soon())[1].any()
    assert not embedder._asking


def test_threads_ask_at_once() -> None:
    """Many threads with overlapping questions and tools all get all of theirs."""
    with _embedder(HashingEncoder()) as embedder, ThreadPoolExecutor(8) as threads:
        barrier = threading.Barrier(8)

        def ask(start: int) -> bool:
            barrier.wait()
            asked = [f"question {i}" for i in range(start, start + 5)]
            found = embedder.questions(asked, soon())
            mine = slice(start, start + 3)
            ready = embedder.tools(_TOOLS[mine], _DIGESTS[mine], range(3), soon())[1]
            return found.keys() == set(asked) and bool(ready.all())

        assert all(threads.map(ask, range(8)))


def _until(condition: Callable[[], bool]) -> None:
    give_up = soon()
    while not condition():
        assert time.perf_counter() < give_up
        time.sleep(0.005)
