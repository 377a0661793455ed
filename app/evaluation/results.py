"""What an evaluation found, as it is written to JSON and read again to be compared with.

Figures in 0..1 are shares; `None` stands where nothing could be measured.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FORMAT: Literal["toolfunnel-eval/1"] = "toolfunnel-eval/1"
FUSED = "fused"
REFERENCE = "reference"

# The tools in force after a turn, beside those after the turn before it.
Change = Literal["first", "kept", "grown", "renewed"]


class Result(msgspec.Struct, frozen=True):
    """One question. `ranks` has a list a ranking, a rank (from 1) a wanted tool; nothing is wanted: `wanted` is 0.

    `found` counts the wanted tools among the `sent` ones; `added` the tools that are new at this turn.
    """

    id: str
    lang: str
    category: str
    wanted: int
    found: int
    sent: int
    added: int
    change: Change
    tokens_before: int
    tokens_after: int
    route_ms: float | None
    ranks: dict[str, tuple[int | None, ...]]


class Placed(msgspec.Struct, frozen=True):
    """A tool's place for a question: by channel its rank and score, and the question's terms that it knows."""

    name: str
    description: str
    places: dict[str, tuple[int, float]]
    terms: tuple[str, ...]


class Miss(msgspec.Struct, frozen=True):
    """A question whose tool stood far behind: the wanted tools, and the first of those that stood before them."""

    id: str
    texts: tuple[str, ...]
    rank: int | None
    rankings: tuple[str, ...]
    wanted: tuple[Placed, ...]
    ahead: tuple[Placed, ...]


class Group(msgspec.Struct, frozen=True):
    """Mean figures of questions, by the figure's name."""

    queries: int
    figures: dict[str, float]


class Summary(msgspec.Struct, frozen=True):
    """Means over the questions of a set; see docs/evaluation.md.

    `nothing_wanted` has its groups by label, the first of them all questions for which no tool is needed.
    """

    overall: Group
    by: dict[str, dict[str, Group]]
    rankings: dict[str, Group]
    curves: dict[str, dict[int, float]]
    sent_tools: float
    later_turns: int
    grown: float | None
    renewed: float | None
    nothing_wanted: dict[str, Group]
    tokens_before: float
    tokens_after: float
    timed: int
    route_p50_ms: float | None
    route_p99_ms: float | None
    over_budget: int


class DatasetRun(msgspec.Struct, frozen=True):
    """A set with its figures and its questions."""

    name: str
    tools: int
    queries: int
    sampled: bool
    summary: Summary
    misses: tuple[Miss, ...]
    results: tuple[Result, ...]


class Moved(msgspec.Struct, frozen=True):
    """A figure in two runs over the same questions, with the 95 % interval of the difference."""

    before: float
    after: float
    low: float
    high: float
    sure: bool
    up: int
    down: int


class Comparison(msgspec.Struct, frozen=True):
    """What moved in a set. `missing`: questions that only one of the two runs has."""

    name: str
    queries: int
    missing: int
    figures: dict[str, Moved]


class Run(msgspec.Struct, frozen=True):
    """All of an evaluation."""

    created: str
    version: str
    encoder: str
    initial: int
    max: int
    budget_ms: float
    datasets: tuple[DatasetRun, ...]
    compared: tuple[Comparison, ...] = ()
    format: Literal["toolfunnel-eval/1"] = FORMAT
