"""Embedder: an encoder with a memory, and with deadlines.

Questions and tools are encoded on two threads of their own, so that a long list of tools never stands before
a question. A caller waits until its deadline and takes what is ready; the rest is finished in the background
and is there for the next request. What could not be encoded is tried again when it is next asked for. A
tool's vector is the mean of two: its summary's and its detail's. A dot product with it is the mean of the two
similarities.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import numpy as np

from router import text
from router.embed.reading import EVERYTHING, Reading
from router.embed.small_talk import SmallTalk
from router.memory import Lru
from router.types import Encoder, Mask, Tool, Vectors

_CHUNK = 4  # tools encoded at a time: about 20 ms, what a waiting question can lose at most

_URGENT = 4  # texts of one request that go before everything else
_HISTORY = 256  # texts of one request at most
_BACKLOG = 5_000  # tools that may wait; more are left to words until there is room

OnLearned = Callable[[dict[str, Vectors]], None]


def tool_vectors(encoder: Encoder, tools: Sequence[Tool]) -> Vectors:
    """Give the tools' vectors, `float32[n, d]`; of length one or a little less."""
    if not tools:
        return np.zeros((0, encoder.dimension), dtype=np.float32)
    both = encoder.encode_document([text.summary(t) for t in tools] + [text.detail(t) for t in tools])
    mean: Vectors = (both[: len(tools)] + both[len(tools) :]) / np.float32(2)
    return mean


class Embedder:
    """Remembers vectors of questions by their text and of tools by their digest. `close()` it."""

    def __init__(  # noqa: PLR0913 - all but the first two by name
        self,
        encoder: Encoder,
        reading: Reading = EVERYTHING,
        small_talk: SmallTalk | None = None,
        *,
        questions: int = 8_192,
        tools: int = 20_000,
        on_learned: OnLearned | None = None,
        on_failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Take sizes of the two memories in entries, and whom to tell of new tool vectors and of errors.

        `on_learned` and `on_failed` are called in a thread.
        """
        self.encoder = encoder
        self.reading = reading
        self.small_talk = small_talk
        self.on_learned = on_learned
        self.on_failed = on_failed
        self._closing = False
        self._questions: Lru[str, Vectors] = Lru(questions)
        self._tools: Lru[str, Vectors] = Lru(tools)
        self._asking: dict[str, Future[None]] = {}
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

    def close(self) -> None:
        """Drop what waits and end the threads."""
        self._closing = True
        self._for_questions.shutdown(wait=True, cancel_futures=True)
        self._for_tools.shutdown(wait=True, cancel_futures=True)
        for dropped in set(self._asking.values()):
            dropped.set_result(None)
        self._asking.clear()

    def questions(self, texts: Sequence[str], deadline: float) -> dict[str, Vectors]:
        """Give the vectors of the texts that are ready by `deadline` (of `time.perf_counter`)."""
        known = {t: self._questions.get(t) for t in texts}
        missing = [t for t, vector in known.items() if vector is None]
        if missing:
            # A long history must not stand before other callers' questions: only its first texts are urgent.
            jobs = [self._submit(self._for_questions, self._encode_question, text) for text in missing[:_URGENT]]
            jobs += [self._submit(self._for_tools, self._encode_question, text) for text in missing[_URGENT:_HISTORY]]
            wait_for(jobs, _until(deadline))
            known |= {t: self._questions.get(t) for t in missing}
        return {t: vector for t, vector in known.items() if vector is not None}

    def tools(
        self, tools: Sequence[Tool], digests: Sequence[str], order: Sequence[int], deadline: float
    ) -> tuple[Vectors, Mask]:
        """Give `float32[n, d]` and which rows are ready by `deadline`; the unknown are encoded in `order`."""
        missing = [i for i in order if self._tools.get(digests[i]) is None and digests[i] not in self._asking]
        if missing and len(self._asking) < _BACKLOG:
            job: Future[None] = Future()
            self._asking |= dict.fromkeys((digests[i] for i in missing), job)
            self._submit(self._for_tools, self._encode_tools, [(digests[i], tools[i]) for i in missing], job)
        wait_for({asked for d in digests if (asked := self._asking.get(d)) is not None}, _until(deadline))
        vectors = np.zeros((len(tools), self.encoder.dimension), dtype=np.float32)
        ready = np.zeros(len(tools), dtype=np.bool_)
        for i, digest in enumerate(digests):
            vector = self._tools.get(digest)
            if vector is not None:
                vectors[i], ready[i] = vector, True
        return vectors, ready

    def later(self, work: Callable[[], None]) -> None:
        """Do something behind the tools that wait to be encoded."""
        self._submit(self._for_tools, work)

    def remember(self, vectors: dict[str, Vectors]) -> None:
        """Take tool vectors that were stored earlier."""
        for digest, vector in vectors.items():
            self._tools.put(digest, vector)

    def _encode_question(self, question: str) -> None:
        if self._questions.get(question) is None:
            self._questions.put(question, self.encoder.encode_query([text.gist(question)])[0])

    def _submit(self, threads: ThreadPoolExecutor, work: Callable[..., None], *arguments: object) -> Future[None]:
        job = threads.submit(work, *arguments)
        job.add_done_callback(self._report)
        return job

    def _report(self, job: Future[None]) -> None:
        if not job.cancelled() and (error := job.exception()) is not None and self.on_failed is not None:
            self.on_failed(error)

    def _encode_tools(self, work: list[tuple[str, Tool]], job: Future[None]) -> None:
        learned: dict[str, Vectors] = {}
        try:
            for start in range(0, len(work), _CHUNK):
                if self._closing:
                    return
                chunk = work[start : start + _CHUNK]
                vectors = tool_vectors(self.encoder, [tool for _, tool in chunk])
                for (digest, _), vector in zip(chunk, vectors, strict=True):
                    self._tools.put(digest, vector)
                    learned[digest] = vector
        finally:
            for digest, _ in work:
                self._asking.pop(digest, None)
            job.set_result(None)
            if learned and self.on_learned is not None:
                self.on_learned(learned)


def _until(deadline: float) -> float:
    return max(0.0, min(deadline - time.perf_counter(), 3_600.0))
