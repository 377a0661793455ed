"""Hand-written stand-ins at the core's seams, and short ways to make its values."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from router import text
from router.catalog import Catalog, Space
from router.embed.embedder import tool_vectors
from router.embed.small_talk import SmallTalk
from router.errors import EncoderError
from router.index.flat import FlatIndex
from router.types import Conversation, Encoder, Tool, Turn, Vectors

DIMENSION = 32


class HashingEncoder:
    """Sums one random vector a word: texts of the same words are alike, `synonyms` are the same word."""

    dimension = DIMENSION

    def __init__(self, synonyms: Mapping[str, str] | None = None, name: str = "hashing") -> None:
        self.synonyms = dict(synonyms or {})
        self.name = name
        self.key = f"{name}/{DIMENSION}"
        self.seen: list[str] = []
        self.batches: list[int] = []

    def encode(self, texts: list[str]) -> Vectors:
        """Encode, and note what was asked."""
        self.seen.extend(texts)
        self.batches.append(len(texts))
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, DIMENSION), dtype=np.float32)

    def encode_query(self, texts: list[str]) -> Vectors:
        """Encode questions."""
        return self.encode(texts)

    def encode_document(self, texts: list[str]) -> Vectors:
        """Encode tools."""
        return self.encode(texts)

    def _vector(self, text: str) -> Vectors:
        words = [self.synonyms.get(word, word) for word in re.findall(r"[^\W_]+", text.lower())]
        mixed = sum((_word_vector(word) for word in words), _word_vector("") * np.float32(1e-3))
        unit: Vectors = mixed / np.linalg.norm(mixed)
        return unit


class GatedEncoder(HashingEncoder):
    """Stands still before texts that `stops` picks until `gate` is set; `reached` says that it does."""

    def __init__(
        self, stops: Callable[[str], bool] = lambda _: True, synonyms: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(synonyms)
        self.stops = stops
        self.gate = threading.Event()
        self.reached = threading.Event()

    def encode(self, texts: list[str]) -> Vectors:
        """Encode, after the gate."""
        if any(self.stops(text) for text in texts):
            self.reached.set()
            assert self.gate.wait(60), "nobody opened the gate"
        return super().encode(texts)


class BreakingEncoder(HashingEncoder):
    """Raises at texts that hold a word, until it is mended."""

    def __init__(self, word: str = "") -> None:
        super().__init__()
        self.word: str | None = word

    def encode(self, texts: list[str]) -> Vectors:
        """Encode, or fail."""
        if self.word is not None and any(self.word in text for text in texts):
            raise EncoderError("out of order")
        return super().encode(texts)


def tool(name: str, description: str = "", **fields: Any) -> Tool:
    """Make a tool with a definition that fits its name."""
    definition = f'{{"type":"function","function":{{"name":"{name}"}}}}'.encode()
    return Tool(name, fields.pop("definition", definition), description=description, **fields)


def catalog(*tools: Tool, encoder: Encoder | None = None, version: str = "registered") -> Catalog:
    """Build a catalogue, with vectors when an encoder is given."""
    return Catalog.build(version, tools, spaces=[space(encoder, tools)] if encoder is not None and tools else ())


def space(encoder: Encoder, tools: Sequence[Tool], ready: Sequence[bool] | None = None) -> Space:
    """Make the vectors of tools, all of them ready unless told."""
    flags = np.ones(len(tools), dtype=np.bool_) if ready is None else np.asarray(ready, dtype=np.bool_)
    return Space(encoder.key, FlatIndex(tool_vectors(encoder, tools) * flags[:, np.newaxis]), flags)


def greetings(encoder: HashingEncoder) -> SmallTalk:
    """Make what an encoder takes for small talk: whatever begins with hello."""
    said = [f"hello {whom}" for whom in ("you", "there", "again", "friend", "dear", "all", "world", "folks", "sir")]
    return SmallTalk(encoder.encode(said), to_requests=0.0, to_itself=0.5)


def talk(*turns: str | tuple[str, tuple[str, ...]]) -> Conversation:
    """Make a conversation of texts, or of texts with calls."""
    return Conversation(tuple(Turn(turn) if isinstance(turn, str) else Turn(*turn) for turn in turns))


def digests(*tools: Tool) -> list[str]:
    """Give the keys of the tools' vectors."""
    return [text.digest(one) for one in tools]


def soon() -> float:
    """Give a deadline that only a hanging thread misses."""
    return time.perf_counter() + 60


def now() -> float:
    """Give a deadline that has passed."""
    return time.perf_counter()


def _word_vector(word: str) -> Vectors:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    drawn: Vectors = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return drawn
