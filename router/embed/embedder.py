"""Embedder: an encoder with a memory, and with deadlines.

Questions and tools are encoded on two threads of their own, so that a long list of tools never stands before a
question; and tools a few of each list in turn, so that no list stands before another. A caller waits until its
deadline and takes what is ready; the rest is finished in the background and is there for the next request. A question
that somebody waits for goes before one that nobody does; that is soon given up. What could not be encoded is tried
again when it is next asked for; a tool that the encoder refuses, not so soon. A tool's vector is the mean of those of
its summary, its detail and its example questions. A dot product with it is the mean of the similarities.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from itertools import chain, islice
from sys import getsizeof

import numpy as np

from router import text
from router.embed.profile import UNKNOWN, Profile
from router.embed.reading import Reading
from router.embed.small_talk import SmallTalk
from router.errors import EncoderError
from router.memory import Lru, Room, Shares
from router.types import Encoder, Mask, Tool, Vectors

_CHUNK = 4  # tools encoded at a time: about 20 ms, what a waiting question can lose at most

_TOGETHER = 4  # questions
_TOGETHER_CHARACTERS = 400  # about 10 ms

_URGENT = 4  # texts of one request that go before everything else
_HISTORY = 256  # texts of one request at most
_BACKLOG = 5_000  # tools that may wait; more are left to words until there is room
_OF_ONE = 1_000  # tools of one list that wait at a time, so that nobody's list takes all the room
_SHORT = 64  # a list with no more to encode finds room behind a full backlog
_BACKLOG_OF_SHORT = 10_000  # even so there is an end
_ASKED = 2_000  # questions that may
_GIVEN_UP_S = 1.0  # a question that nobody has waited for so long
_REFUSED_S = 60.0
_WAITING_BYTES = 512  # what waits takes beside its texts
_VECTOR_BYTES = 160  # an array beside its numbers, and what a stored one was read from

OnLearned = Callable[[dict[str, Vectors]], None]


def tool_vectors(encoder: Encoder, tools: Sequence[Tool]) -> Vectors:
    """Give the tools' vectors, `float32[n, d]`; of length one or a little less."""
    if not tools:
        return np.zeros((0, encoder.dimension), dtype=np.float32)
    return _vectors_of([text.views(tool) for tool in tools], encoder)


def _vectors_of(views: Sequence[Sequence[str]], encoder: Encoder) -> Vectors:
    vectors = encoder.encode_document(list(chain.from_iterable(views)))
    starts = np.cumsum([0, *map(len, views[:-1])])
    sums = np.add.reduceat(vectors, starts, axis=0)
    mean: Vectors = (sums / np.asarray([[len(one)] for one in views])).astype(np.float32)
    return mean


@dataclass(slots=True)
class _Question:
    """A text that waits to be encoded, for somebody who waits until `deadline`."""

    deadline: float
    urgent: bool
    started: bool = False
    done: Future[None] = field(default_factory=Future)


_Waiting = tuple[str, list[str]]


def _waiting_size(texts: Sequence[str]) -> int:
    return _WAITING_BYTES + sum(map(getsizeof, texts))


def _vector_size(key: str, vector: Vectors) -> int:
    return getsizeof(key) + vector.nbytes + _VECTOR_BYTES


class _Tools:
    """Tools of one list on their way, their texts by digest, in their order; and what came of those before them.

    It has one turn after the other. Whoever has the turn lets it wait for the next or ends it by `finish`; a turn that
    is dropped ends it as well. Until then each of its tools is in `asking`, and takes of the room for what waits.
    """

    def __init__(self, waiting: list[_Waiting], asking: dict[str, Future[None]], room: Room) -> None:
        self.waiting = waiting
        self.learned: dict[str, Vectors] = {}
        self.done: Future[None] = Future()
        self._asking = asking
        self._room = room
        asking |= dict.fromkeys((digest for digest, _ in waiting), self.done)

    def learn(self, fresh: dict[str, Vectors]) -> None:
        """Take what came of the first few, which wait no more."""
        self.learned |= fresh
        self._release(_CHUNK)

    def finish(self) -> None:
        """Give up those that wait, and let go who waits for them."""
        self._release(len(self.waiting))
        self.done.set_result(None)

    def _release(self, count: int) -> None:
        for digest, texts in self.waiting[:count]:
            self._asking.pop(digest, None)
            self._room.give_back(_waiting_size(texts))
        self.waiting = self.waiting[count:]


class Embedder:
    """Remembers vectors of questions by their text and of tools by their digest, bounded in bytes. `close()` it."""

    def __init__(
        self,
        encoder: Encoder,
        profile: Profile = UNKNOWN,
        *,
        shares: Shares | None = None,
        on_learned: OnLearned | None = None,
        on_failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Take what may be remembered and may wait, and whom to tell of new tool vectors and of errors.

        `on_learned` and `on_failed` are called in a thread.
        """
        shares = shares or Shares.of()
        self.encoder = encoder
        self.profile = profile
        self.on_learned = on_learned
        self.on_failed = on_failed
        self._questions: Lru[str, Vectors] = Lru(shares.questions, _vector_size)
        self._tools: Lru[str, Vectors] = Lru(shares.tool_vectors * 15 // 16, _vector_size)
        self._refused: Lru[str, float] = Lru(shares.tool_vectors // 16, lambda digest, _: getsizeof(digest) + 32)
        self._waiting = Room(shares.waiting)
        self._asking: dict[str, Future[None]] = {}
        self._pending: dict[str, _Question] = {}
        self._lock = threading.Lock()  # of what is pending
        self._for_questions = ThreadPoolExecutor(1, thread_name_prefix="encode-questions")
        self._for_tools = ThreadPoolExecutor(1, thread_name_prefix="encode-tools")

    @property
    def key(self) -> str:
        """Name what its vectors can be compared with."""
        return self.encoder.key

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.encoder.name

    @property
    def used_bytes(self) -> dict[str, int]:
        """Return what it holds, in bytes by the names of `Shares`."""
        return {
            "tool_vectors": self._tools.used_bytes + self._refused.used_bytes,
            "questions": self._questions.used_bytes,
            "waiting": self._waiting.used_bytes,
        }

    @property
    def reading(self) -> Reading:
        """Tell what it can read."""
        return self.profile.reading

    @property
    def small_talk(self) -> SmallTalk | None:
        """Tell what small talk is to it."""
        return self.profile.small_talk

    def close(self) -> None:
        """Drop what waits and end the threads; what was learned of lists that wait is told."""
        self._for_questions.shutdown(wait=True, cancel_futures=True)
        self._for_tools.shutdown(wait=True, cancel_futures=True)
        for dropped in self._pending.values():
            dropped.done.set_result(None)
        self._pending.clear()

    def begin(self, texts: Sequence[str], deadline: float) -> list[Future[None]]:
        """Have those texts encoded that are not known, for somebody who waits until `deadline`; give what is under way.

        A text is encoded once, however many ask for it.
        """
        missing = [text for text in dict.fromkeys(texts) if self._questions.get(text) is None]
        # A long history must not stand before other callers' questions: only its first texts are urgent.
        asked = [self._ask(text, deadline, place < _URGENT) for place, text in enumerate(missing[:_HISTORY])]
        return [question.done for question in asked if question is not None]

    def questions(self, texts: Sequence[str], deadline: float) -> dict[str, Vectors]:
        """Give the vectors of the texts that are ready by `deadline` (of `time.perf_counter`)."""
        known = {text: vector for text in texts if (vector := self._questions.get(text)) is not None}
        missing = [text for text in texts if text not in known]
        wait_for(self.begin(missing, deadline), _until(deadline))
        return known | {text: vector for text in missing if (vector := self._questions.get(text)) is not None}

    def tools(
        self, tools: Sequence[Tool], digests: Sequence[str], order: Sequence[int], deadline: float
    ) -> tuple[Vectors, Mask]:
        """Give `float32[n, d]` and which rows are ready by `deadline`; the unknown are encoded in `order`."""
        if waiting := self._fitting((digests[i], tools[i]) for i in self._to_ask(digests, order)):
            self._let_wait(_Tools(waiting, self._asking, self._waiting))
        wait_for({asked for d in digests if (asked := self._asking.get(d)) is not None}, _until(deadline))
        vectors = np.zeros((len(tools), self.encoder.dimension), dtype=np.float32)
        ready = np.zeros(len(tools), dtype=np.bool_)
        for i, digest in enumerate(digests):
            vector = self._tools.get(digest)
            if vector is not None:
                vectors[i], ready[i] = vector, True
        return vectors, ready

    def _fitting(self, missing: Iterable[tuple[str, Tool]]) -> list[_Waiting]:
        """Return the texts of the first tools, of as many as there is room for."""
        found: list[_Waiting] = []
        for digest, tool in missing:
            texts = text.views(tool)
            if not self._waiting.take(_waiting_size(texts)):
                break
            found.append((digest, texts))
        return found

    def remember(self, vectors: dict[str, Vectors]) -> None:
        """Take tool vectors that were stored earlier."""
        for digest, vector in vectors.items():
            self._tools.put(digest, vector)

    def _ask(self, text: str, deadline: float, urgent: bool) -> _Question | None:
        """Join a text that waits already, or let it wait; None where too many do."""
        with self._lock:
            question = self._pending.get(text)
            if question is None:
                if len(self._pending) >= _ASKED or not self._waiting.take(_waiting_size([text])):
                    return None
                question = self._pending[text] = _Question(deadline, urgent)
                self._submit(self._for_questions if urgent else self._for_tools, self._encode_questions, urgent)
            elif urgent and not question.urgent:
                question.urgent = True
                self._submit(self._for_questions, self._encode_questions, urgent)
            question.deadline = max(question.deadline, deadline)
        return question

    def _encode_questions(self, urgent: bool) -> None:
        """Encode one of those that wait, and others with it; there is a job for each, and any of them may do it."""
        found = self._next_questions(urgent)
        try:
            for asked, vector in self._vectors_for([asked for asked in found if self._questions.get(asked) is None]):
                self._questions.put(asked, vector.copy())  # a row would keep the others of its array
        finally:
            with self._lock:
                for asked in found:
                    self._drop(asked)
            for question in found.values():
                question.done.set_result(None)

    def _drop(self, asked: str) -> None:
        if self._pending.pop(asked, None) is not None:
            self._waiting.give_back(_waiting_size([asked]))

    def _vectors_for(self, asked: list[str]) -> list[tuple[str, Vectors]]:
        """Give vectors by question; one that the encoder refuses keeps back no other.

        Raises:
            EncoderError: There is no other.
        """
        if not asked:
            return []
        try:
            return list(zip(asked, self.encoder.encode_query([text.gist(one) for one in asked]), strict=True))
        except EncoderError:
            if len(asked) == 1:
                raise
        found = []
        for one in asked:
            try:
                found += self._vectors_for([one])
            except EncoderError as error:
                self._tell(error)
        return found

    def _next_questions(self, urgent: bool) -> dict[str, _Question]:
        """Take the first that somebody still waits for, else the first that is there; give up those of long ago.

        With it come others that wait, as long as they are short: four take as long as two or three.
        """
        now = time.perf_counter()
        with self._lock:
            for asked, question in list(self._pending.items()):
                if question.deadline + _GIVEN_UP_S < now and not question.started:
                    self._drop(asked)
                    question.done.set_result(None)
            waiting = [(a, q) for a, q in self._pending.items() if q.urgent is urgent and not q.started]
            waiting.sort(key=lambda one: one[1].deadline < now)
            found, room = dict(waiting[:1]), _TOGETHER_CHARACTERS
            for asked, question in waiting[:_TOGETHER]:
                room -= len(asked)
                if room >= 0:
                    found[asked] = question
            for question in found.values():
                question.started = True
        return found

    def _to_ask(self, digests: Sequence[str], order: Sequence[int]) -> list[int]:
        """Choose the tools of a list that are to be encoded next, as far as there is room for them."""
        # What it has under way counts: else each repetition of a long list would ask for the next of it.
        room = max(0, _OF_ONE - sum(digest in self._asking for digest in set(digests)))
        unknown = (i for i in order if self._tools.get(digests[i]) is None and self._may_be_asked(digests[i]))
        missing = list(islice(unknown, max(room, _SHORT + 1)))
        backlog = _BACKLOG_OF_SHORT if len(missing) <= _SHORT else _BACKLOG
        return missing[:room] if len(self._asking) < backlog else []

    def _may_be_asked(self, digest: str) -> bool:
        """Tell whether a tool is neither on its way nor was refused a moment ago."""
        return digest not in self._asking and (self._refused.get(digest) or 0.0) <= time.perf_counter()

    def _submit(self, threads: ThreadPoolExecutor, work: Callable[..., None], *arguments: object) -> Future[None]:
        job = threads.submit(work, *arguments)
        job.add_done_callback(self._report)
        return job

    def _report(self, job: Future[None]) -> None:
        if not job.cancelled() and (error := job.exception()) is not None:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        if self.on_failed is not None:
            self.on_failed(error)

    def _let_wait(self, work: _Tools) -> None:
        """Let a list wait for its turn, behind those of other callers; when none comes any more it ends."""
        try:
            turn = self._submit(self._for_tools, self._encode_tools, work)
        except RuntimeError:  # closed
            self._finish(work)
        else:
            turn.add_done_callback(lambda turn: self._finish(work) if turn.cancelled() else None)

    def _encode_tools(self, work: _Tools) -> None:
        """Encode a few tools of a list: its turn."""
        try:
            encoded = self._encode_some(work.waiting[:_CHUNK])
            fresh = {digest: vector.copy() for digest, vector in encoded}  # a row would keep the others of its array
        except BaseException:
            self._finish(work)
            raise
        for digest, vector in fresh.items():
            self._tools.put(digest, vector)
        work.learn(fresh)
        if work.waiting:
            self._let_wait(work)
        else:
            self._finish(work)

    def _finish(self, work: _Tools) -> None:
        """End a list, and tell what was learned of it: once, as storing a few vectors costs as much as many."""
        work.finish()
        if work.learned and self.on_learned is not None:
            try:
                self.on_learned(work.learned)
            except Exception as error:  # noqa: BLE001 - whatever a listener raises: the next list must have its turn
                self._tell(error)

    def _encode_some(self, chunk: list[_Waiting]) -> list[tuple[str, Vectors]]:
        """Give vectors by digest; a tool that the encoder refuses keeps back no other.

        Raises:
            EncoderError: The encoder takes nothing.
        """
        try:
            return list(zip([digest for digest, _ in chunk], self._vectors_of(chunk), strict=True))
        except EncoderError:
            self.encoder.encode_document(["ready"])  # else the fault is the encoder's, not a tool's
        found = []
        for digest, texts in chunk:
            try:
                found.append((digest, self._vectors_of([(digest, texts)])[0]))
            except EncoderError as error:
                self._refused.put(digest, time.perf_counter() + _REFUSED_S)
                self._tell(error)
        return found

    def _vectors_of(self, chunk: list[_Waiting]) -> Vectors:
        return _vectors_of([texts for _, texts in chunk], self.encoder)


def _until(deadline: float) -> float:
    return max(0.0, min(deadline - time.perf_counter(), 3_600.0))
