"""Data sets as routing sees them: questions as searched with, words, vectors.

Scores stand in matrices here, because a fit needs those of all questions at once; each row is what `router.search`
makes of one question, and `folds.agreement` compares the two.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from app import importer
from app.evaluation import dataset
from router import fuse, query, text
from router.catalog import EMPTY, Catalog, Pool, Space
from router.embed.reading import Reading
from router.index.flat import FlatIndex
from router.permit import permitted
from router.retrieve import dense, lexical
from router.script import kinship, scripts
from router.types import (
    Conversation,
    Encoder,
    Grants,
    Kind,
    Mask,
    Positions,
    Risk,
    RoutingQuery,
    Scores,
    Tool,
    Turn,
    Vectors,
)

# In the order in which the map learns from them: another order gives another map.
NAMES = (
    "bfcl",
    "metatool",
    "seal_tools",
    "acebench_en",
    "acebench_zh",
    "functionchat_ko",
    "apibank",
    "tooltalk",
)
# One is the translation of the other: who has seen one has seen both.
FAMILIES = {"acebench_en": "acebench", "acebench_zh": "acebench"}
EXAMPLES = Path(__file__).parents[2] / "examples"
GRANTS = Grants(risks=frozenset({Risk.READ, Risk.WRITE}))

_KINDS = frozenset({Kind.FUNCTION, Kind.CUSTOM})
_CHUNK = 16


@dataclass(frozen=True, slots=True)
class Views:
    """What an encoder makes of a set: views of each tool, `float32[n, d]`, and the texts of questions, [t, d].

    `examples` is the sum of a tool's example questions, `counts` is how many they are, `float32[n, 1]`.
    """

    encoder: Encoder
    summaries: Vectors
    details: Vectors
    examples: Vectors
    counts: Vectors
    texts: tuple[str, ...]
    asked: Vectors

    @property
    def tools(self) -> Vectors:
        """Give the tools' vectors as the product makes them."""
        mean: Vectors = (self.summaries + self.details + self.examples) / (np.float32(2) + self.counts)
        return mean

    @property
    def plain(self) -> Vectors:
        """Give the tools' vectors without their example questions."""
        mean: Vectors = (self.summaries + self.details) / np.float32(2)
        return mean


@dataclass(frozen=True)
class Set:
    """A data set. Axes: q questions, n tools, k of them permitted (`rows`)."""

    name: str
    catalog: Catalog
    groups: NDArray[np.int64]
    conversations: tuple[Conversation, ...]
    gold: tuple[tuple[int, ...], ...]
    langs: tuple[str, ...]
    views: tuple[Views, ...] = ()

    @cached_property
    def queries(self) -> tuple[RoutingQuery, ...]:
        """Give what is searched with at the last turn of each."""
        return tuple(query.at_turn(one, len(one.turns) - 1) for one in self.conversations)

    @property
    def pool(self) -> Pool:
        """Give the tools of a request that brings none."""
        return Pool(EMPTY, self.catalog)

    @cached_property
    def permitted(self) -> Mask:
        """Which tools may be offered, `bool[n]`."""
        return permitted(self.catalog, GRANTS, _KINDS)

    @cached_property
    def rows(self) -> Positions:
        """Give the positions that are ranked, ascending."""
        return np.flatnonzero(self.permitted)

    @cached_property
    def said(self) -> tuple[fuse.Said, ...]:
        """Give what words say of each question."""
        return tuple(map(self._said, self.queries))

    @cached_property
    def hits(self) -> tuple[list[int], ...]:
        """Give the positions that a keyword names."""
        found = (lexical.keyword_hits(one, self.pool) for one in self.queries)
        return tuple([position for position in hits if self.permitted[position]] for hits in found)

    @cached_property
    def words(self) -> Scores:
        """Give BM25 in deviations, `float32[q, k]`."""
        return np.stack([one.bm25 for one in self.said])

    def reads(self, reading: Reading) -> list[float]:
        """Give how well an encoder reads each question and the tools."""
        return [reading.of(scripts(one.texts[0]), self.catalog.scripts) for one in self.queries]

    def positions(self, number: int) -> list[int]:
        """Give every tool that question `number` is right with."""
        return np.flatnonzero(np.isin(self.groups, self.gold[number])).tolist()

    def only(self, numbers: Sequence[int]) -> Set:
        """Keep some of the questions."""
        return replace(
            self,
            conversations=tuple(self.conversations[i] for i in numbers),
            gold=tuple(self.gold[i] for i in numbers),
            langs=tuple(self.langs[i] for i in numbers),
        )

    def _said(self, asked: RoutingQuery) -> fuse.Said:
        words = lexical.measure(asked, self.pool)
        return fuse.Said(
            bm25=fuse.standing(words.bm25, self.permitted)[self.rows],
            names=words.names[self.rows],
            explained=float(words.bm25[self.rows].max()) / words.ideal if words.ideal else 0.0,
            covered=words.covered,
            terms=words.terms,
            kin=kinship(scripts(asked.texts[0]), self.catalog.scripts),
        )


def family(name: str) -> str:
    """Name what a set is left out with."""
    return FAMILIES.get(name, name)


def outside(sets: Sequence[Set], left_out: str | None) -> list[Set]:
    """Give the sets of other families."""
    return [one for one in sets if family(one.name) != left_out]


def load(data: Path) -> list[Set]:
    """Read the development sets."""
    return [_of(dataset.read(data / name)) for name in NAMES]


def sample() -> Set:
    """Read the sample catalogue and the questions over it. They judge, and nothing is ever fitted on them."""
    asked = EXAMPLES / "questions"
    tools = importer.read_files([EXAMPLES / "catalog"])
    return _of(dataset.read_about(tools, "questions", asked / "queries.jsonl", asked / "equiv.json"))


def _of(found: dataset.Dataset) -> Set:
    kept = [one for one in found.queries if one.gold and any(one.texts)]
    return Set(
        name=found.name,
        catalog=Catalog.build(found.name, found.tools),
        groups=np.asarray(found.groups, dtype=np.int64),
        conversations=tuple(Conversation(tuple(Turn(said) for said in one.texts)) for one in kept),
        gold=tuple(one.gold for one in kept),
        langs=tuple(one.lang for one in kept),
    )


def with_tools(one: Set, tools: Sequence[Tool]) -> Set:
    """Give a set with its tools described otherwise."""
    return replace(one, catalog=Catalog.build(one.name, tools))


def encoded(one: Set, encoder: Encoder, questions: Callable[[list[str]], Vectors], progress: Progress) -> Set:
    """Add what an encoder makes of a set; `questions` encodes them."""
    tools = one.catalog.tools
    texts = tuple(dict.fromkeys(said for asked in one.queries for said in asked.texts))
    told = f"{encoder.name} on {one.name}"
    said = [text.views(tool)[2:] for tool in tools]
    examples = np.zeros((len(tools), encoder.dimension), dtype=np.float32)
    if flat := [example for each in said for example in each]:
        rows = [row for row, each in enumerate(said) for _ in each]
        np.add.at(examples, rows, _vectors(encoder.key, encoder.encode_document, flat, told, progress))
    views = Views(
        encoder,
        _vectors(encoder.key, encoder.encode_document, [text.summary(tool) for tool in tools], told, progress),
        _vectors(encoder.key, encoder.encode_document, [text.detail(tool) for tool in tools], told, progress),
        examples,
        np.asarray([[len(each)] for each in said], dtype=np.float32),
        texts,
        _vectors(f"{encoder.key} asked", questions, [text.gist(said) for said in texts], told, progress),
    )
    return replace(one, views=(*one.views, views))


def mixed(one: Set, texts: Sequence[str], vectors: Vectors) -> Vectors:
    """Give the questions' vectors, `float32[q, d]`, from those of their texts."""
    known: Mapping[str, Vectors] = dict(zip(texts, vectors, strict=True))
    found = [dense.mixed(asked, known) for asked in one.queries]
    return np.stack([vector for vector in found if vector is not None])


def standing(one: Set, asked: Vectors, tools: Vectors) -> Scores:
    """Give similarities in deviations, `float32[q, k]`: `dense.measure` for all questions at once."""
    space = Space("", FlatIndex(tools), np.ones(len(tools), dtype=np.bool_))
    return deviations(asked @ tools[one.rows].T, asked @ space.sample.T)


def deviations(scores: Scores, usual: Scores | None = None) -> Scores:
    """Give scores in deviations of what is usual for each question, or of themselves."""
    usual = scores if usual is None else usual
    deviation = np.maximum(usual.std(axis=1, keepdims=True), 1e-6)
    found: Scores = (scores - usual.mean(axis=1, keepdims=True)) / deviation
    return found


def _vectors(
    key: str, encode: Callable[[list[str]], Vectors], texts: list[str], told: str, progress: Progress
) -> Vectors:
    """Encode, or find what was encoded for an earlier run."""
    name = hashlib.sha256("\0".join([key, *texts]).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    path = Path(tempfile.gettempdir()) / "toolfunnel-fit" / f"{name}.npy"
    if not path.exists():
        different = list(dict.fromkeys(texts))
        starts = range(0, len(different), _CHUNK)
        chunks = [encode(different[i : i + _CHUNK]) for i in progress.track(starts, description=told)]
        known = dict(zip(different, np.concatenate(chunks), strict=True))
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.stack([known[said] for said in texts]))
    found: Vectors = np.load(path)
    return found
