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
from router.memory import Lru
from router.types import Encoder, Mask, Tool, Vectors

_CHUNK = 4  # tools encoded at a time: about 20 ms, what a waiting question can lose at most

_URGENT = 8  # texts of one request that go before everything else

OnLearned = Callable[[dict[str, Vectors]], None]


def tool_vectors(encoder: Encoder, tools: Sequence[Tool]) -> Vectors:
    """Give the tools' vectors, `float32[n, d]`; of length one or a little less."""
    if not tools:
        return np.zeros((0, encoder.dimension), dtype=np.float32)
    both = encoder.encode([text.summary(t) for t in tools] + [text.detail(t) for t in tools])
    mean: Vectors = (both[: len(tools)] + both[len(tools) :]) / np.float32(2)
    return mean


class Embedder:
    """Remembers vectors of questions by their text and of tools by their digest. `close()` it."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        questions: int = 8_192,
        tools: int = 20_000,
        on_learned: OnLearned | None = None,
    ) -> None:
        """Take sizes of the two memories in entries; `on_learned` gets new tool vectors, in a thread."""
        self.encoder = encoder
        self.on_learned = on_learned
        self._questions: Lru[str, Vectors] = Lru(questions)
        self._tools: Lru[str, Vectors] = Lru(tools)
        self._asking: dict[str, Future[None]] = {}
        self._for_questions = ThreadPoolExecutor(1, thread_name_prefix="encode-questions")
        self._for_tools = ThreadPoolExecutor(1, thread_name_prefix="encode-tools")

    def close(self) -> None:
        """Drop what waits and end the threads."""
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
            urgent, rest = missing[:_URGENT], missing[_URGENT:]
            jobs = [self._for_questions.submit(self._encode_questions, urgent)]
            jobs += [self._for_tools.submit(self._encode_questions, chunk) for chunk in _chunks(rest)]
            wait_for(jobs, _until(deadline))
            known |= {t: self._questions.get(t) for t in missing}
        return {t: vector for t, vector in known.items() if vector is not None}

    def tools(
        self, tools: Sequence[Tool], digests: Sequence[str], order: Sequence[int], deadline: float
    ) -> tuple[Vectors, Mask]:
        """Give `float32[n, d]` and which rows are ready by `deadline`; the unknown are encoded in `order`."""
        missing = [i for i in order if self._tools.get(digests[i]) is None and digests[i] not in self._asking]
        if missing:
            job: Future[None] = Future()
            self._asking |= dict.fromkeys((digests[i] for i in missing), job)
            self._for_tools.submit(self._encode_tools, [(digests[i], tools[i]) for i in missing], job)
        wait_for({asked for d in digests if (asked := self._asking.get(d)) is not None}, _until(deadline))
        vectors = np.zeros((len(tools), self.encoder.dimension), dtype=np.float32)
        ready = np.zeros(len(tools), dtype=np.bool_)
        for i, digest in enumerate(digests):
            vector = self._tools.get(digest)
            if vector is not None:
                vectors[i], ready[i] = vector, True
        return vectors, ready

    def remember(self, vectors: dict[str, Vectors]) -> None:
        """Take tool vectors that were stored earlier."""
        for digest, vector in vectors.items():
            self._tools.put(digest, vector)

    def _encode_questions(self, texts: list[str]) -> None:
        fresh = [t for t in texts if self._questions.get(t) is None]
        for question, vector in zip(fresh, self.encoder.encode(fresh), strict=True):
            self._questions.put(question, vector)

    def _encode_tools(self, work: list[tuple[str, Tool]], job: Future[None]) -> None:
        learned: dict[str, Vectors] = {}
        try:
            for start in range(0, len(work), _CHUNK):
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


def _chunks(texts: list[str]) -> list[list[str]]:
    return [texts[start : start + _URGENT] for start in range(0, len(texts), _URGENT)]


def _until(deadline: float) -> float:
    return max(0.0, min(deadline - time.perf_counter(), 3_600.0))
