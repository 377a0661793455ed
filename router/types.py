"""The words of the core: frozen values that every other module speaks.

Owns no behaviour beyond trivial properties. Axes: n tools, d dimensions, k kept. A *position* is a tool's
place in a `Pool` (the client's own tools first, then the catalogue's); positions order ties and what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]

# The channels that every decision has, beside one for each encoder.
LEXICAL, NAMES, KEYWORDS = "lexical", "names", "keywords"


class Risk(StrEnum):
    """What calling a tool can do. `DANGEROUS` tools are never offered to a model."""

    READ = "read"
    WRITE = "write"
    DANGEROUS = "dangerous"


class Kind(StrEnum):
    """The form of a tool's definition; `OTHER` is a hosted, typed or unknown one."""

    FUNCTION = "function"
    CUSTOM = "custom"
    OTHER = "other"


class Source(StrEnum):
    """Where the tools of a request come from. `FORCED`: the client, and of the catalogue what the tool choice names."""

    BOTH = "both"
    REGISTRY = "registry"
    REQUEST = "request"
    FORCED = "forced"


class Reason(StrEnum):
    """Why a tool was sent, or was not."""

    FIXED = "kept as it is"
    PINNED = "pinned"
    FORCED = "forced"
    HISTORY = "history"
    NAMED = "named"
    OWN = "client's own"
    ASKED = "client keeps it"
    CONTROL = "control tool"
    INSTRUCTED = "named in the instructions"
    RETRIEVED = "retrieved"
    GROWN = "grown"
    OVER_BUDGET = "over budget"
    SOURCE_SHARE = "its source has its share"
    IRRELEVANT = "the question needs no tool"
    NOT_PERMITTED = "not permitted"
    DISABLED = "disabled"
    SHADOWED = "client's definition wins"


class Barrier(StrEnum):
    """What keeps a tool of the catalogue from being offered to a caller."""

    DISABLED = "disabled"
    DANGEROUS = "dangerous"
    RISK = "risk"
    TENANT = "tenant"
    TAGS = "tags"
    WANTED = "wanted"
    SOURCE = "source"
    KIND = "kind"


class Mode(StrEnum):
    """How a selection came about."""

    HYBRID = "hybrid"
    LEXICAL = "lexical"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One property of a tool's JSON Schema, as far as finding the tool is concerned."""

    name: str
    description: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it was registered or as a client sent it.

    `definition` is the JSON object byte for byte. A tool without `tenant` is everyone's. `fixed` tools are never
    trimmed: hosted and typed tools, tools of unknown shape, deferred ones. `marker` is the raw `cache_control` value it
    carries, if any.
    """

    name: str
    definition: bytes
    kind: Kind = Kind.FUNCTION
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    pinned: bool = False
    enabled: bool = True
    risk: Risk = Risk.READ
    source: str = ""
    tenant: str = ""
    fixed: bool = False
    marker: bytes | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a user asked for, and the tools the model called before the user spoke again. No text: ''.

    `text` is the request alone: it is searched with, keys what is remembered, and is judged by the floor. `context` is
    what stood around it (documents, files, quoted mail), `before` what the assistant said last, where the request
    leans on it.
    """

    text: str
    calls: tuple[str, ...] = ()
    context: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The visible history, oldest turn first; `instructions` is the text of system messages before anybody answered."""

    turns: tuple[Turn, ...] = ()
    instructions: str = ""

    @property
    def has_text(self) -> bool:
        """Whether there is anything to search with."""
        return any(turn.text for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Grants:
    """What a caller may be offered from the catalogue.

    `tags` and `sources` (any of them) narrow; empty means all. So do `wanted`, the tags that the request itself asks
    for, once more. `tenants` widen: without any, only tools that belong to no tenant are reached.
    """

    risks: frozenset[Risk] = frozenset({Risk.READ})
    tags: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tools: `initial` for a conversation's first turn, growing to `most`.

    A source of the catalogue that is not one of `trusted` has at most the share `source_share` (0 to 1) of either, but
    for what is always kept.
    """

    initial: int = 12
    most: int = 20
    source_share: float = 1.0
    trusted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """One request to the core.

    `forced` are names that `tool_choice` demands, `keep` names that stay of the client's long list. `owner` separates
    callers: nothing remembered for one is used for another. `kinds` are the forms the client's tool list can hold. With
    `floor` nothing is added of the catalogue where nothing in it is relevant.
    """

    conversation: Conversation
    forced: tuple[str, ...] = ()
    grants: Grants = Grants()
    budget: Budget = Budget()
    floor: bool = True
    source: Source = Source.BOTH
    owner: str = ""
    kinds: frozenset[Kind] = frozenset({Kind.FUNCTION, Kind.CUSTOM})
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutingQuery:
    """Texts to search with and their weights, newest first.

    The first `asked` of them are what is asked for now, the others were said before. `beside` are texts that are
    searched by word alone: what stands around a request, and the rest of a long one.
    """

    texts: tuple[str, ...]
    weights: tuple[float, ...]
    asked: int = 1
    beside: tuple[tuple[str, float], ...] = ()

    @property
    def newest(self) -> tuple[str, ...]:
        """What is asked for now."""
        return self.texts[: self.asked]


@dataclass(frozen=True, slots=True)
class RankedList:
    """Scored positions, best first; ties stand in order of position."""

    ids: Positions
    scores: Scores

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Channel:
    """One measure of how well tools fit a question.

    `scores[i]` belongs to `Rankings.rows[i]`, NaN where the channel has none; `weight` times it is what it adds.
    """

    name: str
    weight: float
    scores: Scores


@dataclass(frozen=True, slots=True)
class Rankings:
    """What was ranked at a turn (`rows`, ascending positions), by which channels, and what they were fused to.

    `by_words`: there were no vectors in time.
    """

    rows: Positions
    channels: tuple[Channel, ...]
    fused: RankedList
    by_words: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tool's part in a decision: its place in the fused ranking and in each channel's, by channel name.

    Ranks count from 1; None, or not there, where it was not ranked. `adds` is the score times the weight. `barriers` is
    all that keeps it from being offered, `would_be` its place if nothing of the catalogue were kept back. `named`: the
    last turn names it, whether or not it may be sent.
    """

    tool: Tool
    position: int
    chosen: bool
    reason: Reason
    fused: Place | None
    channels: dict[str, Place]
    barriers: tuple[Barrier, ...] = ()
    would_be: Place | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A score, its rank from 1, and what it adds to the fused score."""

    score: float
    rank: int
    adds: float


@dataclass(frozen=True, slots=True)
class Unrestricted:
    """What the last question would come to if every tool of the catalogue might be offered. For explanations alone."""

    rankings: Rankings
    relevance: float | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The tools to send, in order, and why.

    `changed` is False when the client's own list is to go out as it came. `available` counts what could have
    been sent: the client's own tools and every permitted tool of the catalogue. Tokens are estimates. `relevance`
    says by how much the last question is above the floor, below 0 it needs no tool; None: it was not judged.
    `unrestricted` is only there where an explanation was asked for and something is kept back.
    `named` are the positions of what the last turn names, also where it may not be sent; likewise.
    """

    tools: tuple[Tool, ...]
    positions: tuple[int, ...]
    reasons: tuple[Reason, ...]
    mode: Mode
    changed: bool
    available: int
    tokens_before: int
    tokens_after: int
    query: RoutingQuery = RoutingQuery((), ())
    relevance: float | None = None
    rankings: Rankings | None = None
    unrestricted: Unrestricted | None = None
    named: tuple[int, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)


class Encoder(Protocol):
    """Turns texts into unit vectors. Thread-safe."""

    @property
    def name(self) -> str:
        """Name it for people, in a word or two: its scores are shown under this name."""
        ...

    @property
    def key(self) -> str:
        """Name model, dimension and settings: vectors of equal keys can be compared."""
        ...

    @property
    def dimension(self) -> int:
        """Give d."""
        ...

    def encode_query(self, texts: list[str]) -> Vectors:
        """Give questions as `float32[n, d]`, unit length, in the order of the texts.

        Raises:
            EncoderError: The texts could not be encoded.
        """
        ...

    def encode_document(self, texts: list[str]) -> Vectors:
        """Give what is searched in as `float32[n, d]`; some models take it otherwise than questions.

        Raises:
            EncoderError: The texts could not be encoded.
        """
        ...


class VectorIndex(Protocol):
    """Nearest vectors by inner product. Immutable once built; thread-safe.

    Raises:
        IndexAway: Where they are not `at_hand`, in this process: they cannot be searched now.
    """

    @property
    def at_hand(self) -> bool:
        """Whether this process holds the vectors."""
        ...

    def take(self, rows: Positions) -> Vectors:
        """Give the vectors of rows, `float32[k, d]`."""
        ...

    def search(self, query: Vectors, permitted: Mask, depth: int) -> tuple[Positions, Scores]:
        """Give the `depth` best permitted rows and their scores, best first, ties by row."""
        ...

    def score(self, query: Vectors, rows: Positions) -> Scores:
        """Give the exact scores of rows, `float32[k]`."""
        ...
