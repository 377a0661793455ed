"""What questions that a tool was good for add, as vectors of the tool; with real ones and with a catalogue's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.progress import Progress

from bench.fit import figures, learn
from bench.fit.figures import Figures, Meant
from bench.fit.folds import Fit
from bench.fit.sets import Set, deviations, mixed, with_tools
from router.types import Encoder, Scores, Vectors

_PAST = (1, 3, 10)
WAYS = ("mean of all views", "mean of summary, detail and the mean example", "the nearer of tool and nearest example")

Rows = dict[str, tuple[Figures, Figures]]
"""By name: by meaning alone, and by all channels."""


def past_questions(metatool: Set, fit: Fit, progress: Progress) -> tuple[Set, Rows]:
    """Give tools of a set past questions of their own: odd questions are past, even ones judge."""
    judged = metatool.only(range(0, len(metatool.queries), 2))
    views = metatool.views[0]
    rows: Rows = {"none": _measured(judged, fit, _plain(judged, fit))}
    for count in progress.track(_PAST, description="past questions"):
        held = _drawn(metatool, count)
        texts = [tuple(metatool.queries[i].texts[0] for i in numbers) for numbers in held]
        told = with_tools(
            judged, [replace(tool, examples=said) for tool, said in zip(judged.catalog.tools, texts, strict=True)]
        )
        known = dict(zip(views.texts, views.asked, strict=True))
        vectors = [[known[said] for said in each] for each in texts]
        rows |= {f"{count}: {name}": found for name, found in _ways(judged, told, fit, vectors).items()}
    return judged, rows


def _drawn(one: Set, count: int) -> list[list[int]]:
    """Draw past questions that need one tool alone, for each tool."""
    draw = np.random.default_rng(learn.SEED)
    past: list[list[int]] = [[] for _ in one.groups]
    for number in draw.permutation(np.arange(1, len(one.queries), 2)).tolist():
        if len(one.gold[number]) == 1:
            for position in one.positions(number):
                past[position].append(number)
    return [numbers[:count] for numbers in past]


def own_examples(sample: Set, fit: Fit, encoder: Encoder) -> Rows:
    """Take the example questions that the tools of the sample catalogue come with."""
    tools = sample.catalog.tools
    silent = with_tools(sample, [replace(tool, examples=()) for tool in tools])
    texts = list(dict.fromkeys(said for tool in tools for said in tool.examples))
    known = dict(zip(texts, encoder.encode_document(texts), strict=True))
    vectors = [[known[said] for said in tool.examples] for tool in tools]
    rows = {"none": _measured(silent, fit, _plain(silent, fit))}
    return rows | _ways(silent, sample, fit, vectors)


def _ways(silent: Set, told: Set, fit: Fit, vectors: Sequence[Sequence[Vectors]]) -> Rows:
    """Measure: as words, as vectors in three ways, as both. `told` knows the examples as words, `silent` does not."""
    found = {"as words": _measured(told, fit, _plain(told, fit))}
    for name, scores in zip(WAYS, _scores(silent, fit, vectors), strict=True):
        found[f"as vectors, {name}"] = _measured(silent, fit, scores)
        found[f"as words and vectors, {name}"] = _measured(told, fit, scores)
    return found


def _asked(one: Set, fit: Fit) -> Vectors:
    views = one.views[0]
    return mixed(one, views.texts, fit.map.questions(views.asked) if fit.map else views.asked)


def _plain(one: Set, fit: Fit) -> Scores:
    return _asked(one, fit) @ one.views[0].plain.T


def _scores(one: Set, fit: Fit, vectors: Sequence[Sequence[Vectors]]) -> tuple[Scores, Scores, Scores]:
    """Give similarities in the order of `WAYS`, `float32[q, n]`; tools without examples keep theirs."""
    asked, plain = _asked(one, fit), one.views[0].plain
    every, third = plain.copy(), plain.copy()
    nearest = asked @ plain.T
    for i, held in enumerate(vectors):
        if held:
            examples = np.stack(held)
            every[i] = (2 * plain[i] + examples.sum(axis=0)) / (2 + len(examples))
            third[i] = (2 * plain[i] + examples.mean(axis=0)) / 3
            nearest[:, i] = np.maximum(nearest[:, i], (asked @ examples.T).max(axis=1))
    return asked @ every.T, asked @ third.T, nearest


def _measured(one: Set, fit: Fit, similarities: Scores) -> tuple[Figures, Figures]:
    scores = deviations(similarities[:, one.rows], similarities)
    meant = Meant(one.views[0].encoder.name, one.reads(fit.reading), scores)
    return figures.of_scores(one, scores), figures.of_fused(one, [meant], fit.weights)
