"""docs/benchmarks/retrieval-fit.md, from what was measured."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from bench.fit import examples, learn
from bench.fit.figures import HEADLINE, Figures
from bench.fit.folds import Rows
from bench.fit.sets import FAMILIES, Set
from bench.fit.tried import Trial
from router import fuse

_TITLE = "# What the map and the weights are worth\n"
_MADE = """
Made by `python -m bench.fit` on {date}: {versions}; seed {seed}. What is fitted is the map of questions of the
embedded encoder (`router/embed/use_questions.npz`, rank {rank}) and the weights of the channels (`router/fuse.py`).
All figures are percentages. What is ranked for is the last turn of a conversation."""
_COLUMNS = """
*Unseen*: map and weights were fitted on the sets of all other families ({families}), and on probes in twelve
languages; the set itself had no part in it. *Seen*: as shipped, fitted on all of these sets, so flattered by them.
Nothing is fitted on `questions`, the examples of this repository: there *unseen* is the shipped fit, too. Of rankings
as counted here and as the gateway makes them, {same} of {compared} were alike in their first 20 places."""
_TRIED = """
R@5 / R@20. The mean is over the sets, each counting once; in brackets what it gained over the first row. *Kept* is
what the product does, with weights by question."""
_PAST = """
On {name}: every other question is a past one of its tools, the rest, {judged:,} questions, judge. Map and weights are
the unseen ones. *As words*: among what BM25 reads of a tool. The product does *as words and vectors, mean of all
views*. R@5 / R@10 / R@20 / C@20."""
_OWN = """
On the sample catalogue, where {some} of {tools:,} tools come with example questions, judged by `{name}`, with the
shipped map and weights. *As words and vectors, mean of all views* is what the product does. R@5 / R@10 / R@20 / C@20;
by language R@10 of all channels."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that one run found."""

    sets: Sequence[Set]
    table: Rows
    best: dict[str, tuple[str, Figures]]
    agreement: tuple[int, int]
    trials: Sequence[Trial]
    past: examples.Rows
    own: examples.Rows
    judged: tuple[Set, Set]
    refit: fuse.Weights
    moved: float
    weights: dict[str, fuse.Weights] = field(default_factory=dict)
    encoders: tuple[str, ...] = ()


def write(found: Findings) -> str:
    """Give the whole page."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Findings) -> Iterator[str]:
    packages = ("toolfunnel", "torch", "numpy")
    yield _TITLE
    made = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages), *found.encoders]
    date = datetime.now(UTC).date().isoformat()
    yield _filled(_MADE.format(date=date, versions=", ".join(made), seed=learn.SEED, rank=learn.RANK))
    families = f"{' and '.join(FAMILIES)} are one"
    same, compared = found.agreement
    yield _filled(_COLUMNS.format(families=families, same=same, compared=compared))
    yield "## By set\n"
    yield from _by_set(found)
    yield from _weights(found)
    yield "\n## What was tried\n"
    yield _filled(_TRIED)
    for trial in found.trials:
        yield from _trial([one for one in found.sets if one.name in trial.rows[trial.first]], trial)
    yield from _examples(found)


def _by_set(found: Findings) -> Iterator[str]:
    yield " / ".join(HEADLINE) + "\n"
    labels = list(found.table)
    yield from head("set (tools; questions)", *labels, "best single channel of *unseen*")
    for one in found.sets:
        cells = [four(found.table[label].get(one.name)) for label in labels]
        name, best = found.best[one.name]
        yield row(f"{one.name} ({len(one.catalog):,}; {len(one.queries):,})", *cells, f"{name} {four(best)}")


def _filled(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), 120, break_long_words=False, break_on_hyphens=False) + "\n"


def below(unseen: dict[str, Figures], best: dict[str, tuple[str, Figures]]) -> list[str]:
    """Say where the unseen fit finds less than one channel alone."""
    return [
        f"{name}, {label} {100 * mine:.1f} ({channel} {100 * other:.1f})"
        for name, (channel, alone) in best.items()
        for label, mine, other in zip(HEADLINE, unseen[name].mean(axis=0), alone.mean(axis=0), strict=True)
        if mine < other - 5e-4
    ]


def _weights(found: Findings) -> Iterator[str]:
    yield "\nBelow the best single channel: " + ("; ".join(below(found.table["unseen"], found.best)) or "nothing") + "."
    yield "\n## The weights\n"
    yield "Factors of (1, explained, length, standing of meaning, standing of words), see `router/fuse.py`.\n"
    yield from head("fitted", "meaning", "words", "names")
    shown = {"shipped": fuse.FITTED, "anew on all": found.refit} | {
        f"without {name}": weights for name, weights in found.weights.items()
    }
    for name, weights in shown.items():
        yield row(
            name, *(", ".join(f"{x:.3f}" for x in part) for part in (weights.meaning, weights.words, weights.names))
        )
    yield f"\nA question moved by the map fitted anew and by the shipped one: mean cosine {found.moved:.4f}."


def _trial(sets: Sequence[Set], trial: Trial) -> Iterator[str]:
    yield f"\n### {trial.title}\n\n{_filled(trial.about)}"
    yield from head("", *(one.name for one in sets), "mean", "")
    first = _mean(sets, trial.rows[trial.first])
    order = [trial.first, *(name for name in trial.rows if name != trial.first)]
    for name in order:
        mean = _mean(sets, trial.rows[name])
        gain = "" if name == trial.first else f" ({mean[0] - first[0]:+.1f} / {mean[1] - first[1]:+.1f})"
        cells = [two(trial.rows[name][one.name]) for one in sets]
        verdict = "kept" if name in trial.kept else "not kept" if gain else ""
        yield row(name, *cells, f"{mean[0]:.1f} / {mean[1]:.1f}{gain}", verdict)


def _mean(sets: Sequence[Set], cells: dict[str, Figures]) -> tuple[float, float]:
    means = np.mean([cells[one.name].mean(axis=0) for one in sets], axis=0)
    return 100 * float(means[0]), 100 * float(means[2])


def _examples(found: Findings) -> Iterator[str]:
    metatool, sample = found.judged
    yield "\n### Past questions of a tool as vectors\n"
    yield _filled(_PAST.format(name=metatool.name, judged=len(metatool.queries)))
    yield from head("past questions a tool", "meaning alone", "all channels")
    for name, (alone, all_) in found.past.items():
        yield row(name, four(alone), four(all_))
    yield "\n### The catalogue's own examples as vectors\n"
    some = sum(bool(tool.examples) for tool in sample.catalog.tools)
    yield _filled(_OWN.format(some=some, tools=len(sample.catalog), name=sample.name))
    groups = list(dict.fromkeys(sample.langs))
    yield from head("examples", "meaning alone", "all channels", *groups)
    langs = np.asarray(sample.langs)
    for name, (alone, all_) in found.own.items():
        cells = (f"{100 * all_[langs == lang, 1].mean():.1f}" for lang in groups)
        yield row(name, four(alone), four(all_), *cells)


def four(found: Figures | None) -> str:
    """Write the means of figures."""
    return "-" if found is None else " / ".join(f"{100 * value:.1f}" for value in found.mean(axis=0))


def two(found: Figures) -> str:
    """Write R@5 and R@20."""
    means = found.mean(axis=0)
    return f"{100 * means[0]:.1f} / {100 * means[2]:.1f}"


def head(*headings: str) -> Iterator[str]:
    """Give a table's head."""
    yield row(*headings)
    yield "|---" * len(headings) + "|"


def row(*cells: str) -> str:
    """Give a row of a table."""
    return "| " + " | ".join(cells) + " |"
