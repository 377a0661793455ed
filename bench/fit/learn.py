"""Fits a map of questions, and weights of channels. Needs torch, which `make extras` installs.

Source of the loss of both: Xia et al., Listwise approach to learning to rank (2008), the likelihood of the right tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.fit.sets import Set, mixed
from router import fuse
from router.embed.reading import Reading, probes
from router.ordering import top
from router.types import Encoder, Scores, Vectors

SEED = 0
RANK = 32
SHIPPED = Path(str(files("router.embed").joinpath("use_questions.npz")))

_STEPS = 900
_RATE = 4e-4
_DECAY = 1e-2
_SHARPNESS = 20.0  # similarities of this encoder differ by little
_BATCH = 48
_WRONG = 700  # wrong tools that a question is compared with
_EXAMINED = 12  # topics that `router.embed.reading` examines with: no map may have learned from them

_SIGNALS = 5
_CASES = 400  # questions of a set: the sets then weigh alike
_NEAREST = 60  # tools of each channel that a question is judged on
_SILENT = -100.0  # softplus of it is nothing


def torch() -> ModuleType:
    """Import torch on one thread.

    Raises:
        SystemExit: It is not installed.
    """
    try:
        found = import_module("torch")
    except ImportError:
        raise SystemExit("torch is needed to fit: make extras") from None
    found.set_num_threads(1)
    return found


@dataclass(frozen=True, slots=True)
class Map:
    """v + up(down(v)) + shift, back on the unit sphere: `float32[r, d]` both, `float32[d]`. `of_tools` moves tools."""

    down: Vectors
    up: Vectors
    shift: Vectors
    of_tools: tuple[Vectors, Vectors] | None = None

    def questions(self, vectors: Vectors) -> Vectors:
        """Move questions, `float32[n, d]`."""
        moved: Any = vectors + (vectors @ self.down.T) @ self.up + self.shift
        return unit(moved)

    def tools(self, vectors: Vectors) -> Vectors:
        """Move tools, `float32[n, d]`."""
        if self.of_tools is None:
            return vectors
        down, up = self.of_tools
        moved: Any = vectors + (vectors @ down.T) @ up
        return np.asarray(moved, dtype=np.float32)

    def write(self, path: Path) -> None:
        """Write what `EmbeddedEncoder` reads."""
        np.savez(path, **{name: getattr(self, name).astype(np.float16) for name in ("down", "up", "shift")})


def read_map(path: Path = SHIPPED) -> Map:
    """Read what the embedded encoder uses."""
    with np.load(path) as held:
        return Map(*(held[name].astype(np.float32) for name in ("down", "up", "shift")))


@dataclass(frozen=True, slots=True)
class Lesson:
    """Questions and tools, `float32[·, d]`, and which tools are right for each question."""

    questions: Vectors
    tools: Vectors
    right: list[list[int]]

    def half(self) -> Lesson:
        """Leave out every other question: weights are fitted on those, where the map has not seen them."""
        return Lesson(self.questions[::2], self.tools, self.right[::2])


def lesson(one: Set) -> Lesson:
    """Give a data set's."""
    views = one.views[0]
    return Lesson(
        mixed(one, views.texts, views.asked), views.tools, [one.positions(i) for i in range(len(one.queries))]
    )


def probes_lesson(encoder: Encoder) -> Lesson:
    """Give what the probes teach in all their languages: that one topic is one, whatever the language."""
    found = probes()
    asked, told = (
        [said for texts in found[kind].values() for said in texts[_EXAMINED:]] for kind in ("questions", "descriptions")
    )
    topics = np.tile(np.arange(len(found["topics"]) - _EXAMINED), len(found["questions"]))
    right = [np.flatnonzero(topics == topic).tolist() for topic in topics]
    return Lesson(encoder.encode_document(asked), encoder.encode_document(told), right)


def fit_map(lessons: Sequence[Lesson], rank: int = RANK, *, tools: bool = False) -> Map:
    """Fit a map, the lessons taking turns. `tools`: and one for tools."""
    t = torch()
    t.manual_seed(SEED)
    draw = np.random.default_rng(SEED)
    d = lessons[0].tools.shape[1]
    up, shift, up_tools = (t.zeros(shape, requires_grad=True) for shape in ((d, rank), (d,), (d, rank)))
    down, down_tools = ((t.randn(rank, d) * 0.05).requires_grad_() for _ in range(2))
    learned = [up, down, shift, *([up_tools, down_tools] if tools else [])]
    optimizer = t.optim.AdamW(learned, lr=_RATE, weight_decay=_DECAY)
    for step in range(_STEPS):
        optimizer.param_groups[0]["lr"] = _RATE * (1 - step / _STEPS)
        asked, told, right = _batch(lessons[step % len(lessons)], draw)
        asked, told = t.from_numpy(asked), t.from_numpy(told)
        moved = t.nn.functional.normalize(asked + (asked @ down.T) @ up.T + shift, dim=1)
        told = told + (told @ down_tools.T) @ up_tools.T if tools else told
        chances = t.log_softmax(_SHARPNESS * moved @ told.T, 1)
        loss = -t.logsumexp(chances.masked_fill(~t.from_numpy(right), -1e9), 1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    up, down, shift, up_tools, down_tools = (x.detach().numpy() for x in (up, down, shift, up_tools, down_tools))
    return Map(down, up.T, shift, (down_tools, up_tools.T) if tools else None)


def _batch(taught: Lesson, draw: np.random.Generator) -> tuple[Vectors, Vectors, NDArray[np.bool_]]:
    """Draw questions, and all that is right for any of them among some that is wrong."""
    rows = draw.choice(len(taught.questions), min(_BATCH, len(taught.questions)), replace=False)
    wrong = draw.choice(len(taught.tools), min(_WRONG, len(taught.tools)), replace=False)
    columns = np.unique(np.concatenate([wrong, *(taught.right[row] for row in rows)]).astype(np.int64))
    right = np.stack([np.isin(columns, taught.right[row]) for row in rows])
    return taught.questions[rows], taught.tools[columns], right


@dataclass(frozen=True, slots=True)
class Cases:
    """Questions to weigh channels on. Axes: c cases, k tools (`there`: the others fill up), 3 channels, 5 signals."""

    channels: NDArray[np.float32]
    there: NDArray[np.bool_]
    right: NDArray[np.float32]
    seen: NDArray[np.float32]


def cases(one: Set, meaning: Scores, reading: Reading, draw: np.random.Generator) -> Cases:
    """Give questions that the map behind `meaning`, `float32[q, k]`, has not seen: every other one."""
    numbers = np.arange(1, len(one.queries), 2)
    if len(numbers) > _CASES:
        numbers = draw.choice(numbers, _CASES, replace=False)
    reads = one.reads(reading)
    found = [_case(one, int(i), meaning[i], reads[i]) for i in numbers]
    widest = max(len(right) for _, right, _ in found)
    channels = np.zeros((len(found), widest, 3), dtype=np.float32)
    there = np.zeros((len(found), widest), dtype=np.bool_)
    right = np.zeros((len(found), widest), dtype=np.float32)
    for i, (values, correct, _) in enumerate(found):
        channels[i, : len(correct)], there[i, : len(correct)], right[i, : len(correct)] = values, True, correct
    return Cases(channels, there, right, np.asarray([seen for _, _, seen in found], dtype=np.float32))


def _case(one: Set, number: int, meaning: Scores, reads: float) -> tuple[Scores, NDArray[np.bool_], tuple[float, ...]]:
    said = one.said[number]
    gold = np.searchsorted(one.rows, one.positions(number))
    near = np.unique(np.concatenate([top(meaning, _NEAREST), top(said.bm25, _NEAREST), gold]))
    values = np.stack([reads * meaning[near], said.matches * said.bm25[near], said.names[near]], axis=1)
    return values, np.isin(near, gold), fuse.signals(said, meaning)


def fit_weights(sets: Sequence[Cases], *, signals: bool = True, names: bool = True) -> fuse.Weights:
    """Fit the weights. Without `signals` they are the same for all questions, without `names` these count nothing."""
    t = torch()
    t.manual_seed(SEED)
    free, start = t.ones(3, _SIGNALS), t.zeros(3, _SIGNALS)
    start[0, 0], start[1, 0] = 1.0, 0.5
    if not signals:
        free[:, 1:] = 0
    if not names:
        free[2], start[2, 0] = 0, _SILENT
    factors = start.clone().requires_grad_()
    optimizer = t.optim.Adam([factors], lr=0.03)
    taken = [[t.from_numpy(part) for part in (one.channels, one.there, one.right, one.seen)] for one in sets]
    for _ in range(400):
        used = start + (factors - start) * free
        loss = sum(_loss(t, used, parts) for parts in taken) / len(taken) + 0.02 * (used[:, 1:] ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    rows = (start + (factors - start) * free).tolist()
    return fuse.Weights(*(tuple(round(factor, 3) for factor in row) for row in rows))


def _loss(t: ModuleType, factors: Any, one: Sequence[Any]) -> Any:
    channels, there, right, seen = one
    weights = t.nn.functional.softplus(seen @ factors.T)
    scores = (channels * weights[:, None, :]).sum(-1).masked_fill(~there, -1e9)
    return -((t.log_softmax(scores, 1) * right).sum(1) / right.sum(1)).mean()


def unit(vectors: Vectors) -> Vectors:
    """Stretch to length one, `float32[n, d]`."""
    found: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return found
