"""What else could find tools, each by itself beside what it would change; R@5 and R@20."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from bench.fit import figures, learn
from bench.fit.folds import Fit, Rows
from bench.fit.learn import Lesson, Map, unit
from bench.fit.sets import Set, deviations, family, mixed, outside, standing
from router import text
from router.postings import Postings
from router.retrieve.lexical import K1, B
from router.types import Scores, Vectors

_OTHERS = 250  # questions of each other family that stand for questions as such
_RANKS = (16, 32, 64)

Similarities = Callable[[Set, Vectors], Scores]
"""A set and questions of other families -> similarities, `float32[q, n]`."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A table of what was tried. `first` in it is what the others are compared with; `kept` are in the product."""

    title: str
    about: str
    first: str
    kept: tuple[str, ...]
    rows: Rows


def questions(one: Set) -> Vectors:
    """Give the plain questions of a set, `float32[q, d]`."""
    views = one.views[0]
    return mixed(one, views.texts, views.asked)


def both(one: Set, meaning: Scores) -> Scores:
    """Join meaning and words half and half, in deviations."""
    return deviations(meaning) + one.words


def of_meaning(sets: Sequence[Set], progress: Progress) -> list[Trial]:
    """Try other similarities than the plain encoder's: alone, and half and half with words."""
    alone: Rows = {}
    joined: Rows = {}
    for name, similarities in progress.track(_similarities().items(), description="tried: meaning"):
        alone[name], joined[name] = {}, {}
        for one in sets:
            scores = similarities(one, _pooled(sets, one))[:, one.rows]
            alone[name][one.name] = figures.of_scores(one, scores)
            joined[name][one.name] = figures.of_scores(one, both(one, scores))
    return [_as_trial("Meaning alone, without a map", alone), _as_trial("Meaning and words, without a map", joined)]


def _as_trial(title: str, rows: Rows) -> Trial:
    about = "Similarities of the plain encoder, changed" + (
        "." if "alone" in title else "; joined with BM25 half and half, both in deviations from their mean."
    )
    return Trial(title, about, _PLAIN, (_PLAIN,), rows)


def _pooled(sets: Sequence[Set], one: Set) -> Vectors:
    draw = np.random.default_rng(learn.SEED)
    others = (questions(other) for other in outside(sets, family(one.name)))
    return np.concatenate([v[draw.choice(len(v), min(_OTHERS, len(v)), replace=False)] for v in others])


_PLAIN = "mean of summary and detail"


def _similarities() -> dict[str, Similarities]:
    found: dict[str, Similarities] = {
        _PLAIN: lambda one, _: questions(one) @ one.views[0].tools.T,
        "summary only": lambda one, _: questions(one) @ one.views[0].summaries.T,
        "detail only": lambda one, _: questions(one) @ one.views[0].details.T,
        "the better of summary and detail": _better,
        "tools stretched to length one": lambda one, _: questions(one) @ unit(one.views[0].tools).T,
        "tools without their mean": lambda one, _: questions(one) @ _centred(one.views[0].tools).T,
    }
    for share in (0.5, 1.0):
        found[f"questions without {share:g} of the mean question"] = _without_mean(share, tools=False)
        found[f"questions and tools without {share:g} of their means"] = _without_mean(share, tools=True)
    for power in (0.25, 0.5):
        found[f"whitened by the tools, power {power:g}"] = _whitened(power)
    for count in (3, 6):
        found[f"without the first {count} directions of the tools"] = _flattened(count)
    for weight, near in ((0.3, 10), (0.6, 100)):
        found[f"less {weight:g} of the similarity to the {near} nearest questions (CSLS)"] = _hubs(weight, near)
    return found


def _better(one: Set, _: Vectors) -> Scores:
    asked, views = questions(one), one.views[0]
    found: Scores = np.maximum(asked @ views.summaries.T, asked @ views.details.T)
    return found


def _centred(vectors: Vectors) -> Vectors:
    return unit(vectors - vectors.mean(axis=0))


def _without_mean(share: float, *, tools: bool) -> Similarities:
    """Source: Mu and Viswanath, All-but-the-Top (2018)."""

    def similarities(one: Set, others: Vectors) -> Scores:
        told = one.views[0].tools
        moved = unit(questions(one) - share * others.mean(axis=0))
        return moved @ (unit(told - share * told.mean(axis=0)) if tools else told).T

    return similarities


def _whitened(power: float) -> Similarities:
    """Source: Su et al., Whitening Sentence Representations (2021)."""

    def similarities(one: Set, others: Vectors) -> Scores:
        told = one.views[0].tools - one.views[0].tools.mean(axis=0)
        values, vectors = np.linalg.eigh(told.T @ told / len(told))
        values = np.maximum(values, 0)
        stretch = (vectors * (values + 0.3 * values.mean()) ** -power) @ vectors.T
        found: Scores = unit((questions(one) - 0.5 * others.mean(axis=0)) @ stretch) @ unit(told @ stretch).T
        return found

    return similarities


def _flattened(count: int) -> Similarities:
    def similarities(one: Set, _: Vectors) -> Scores:
        told = one.views[0].tools - one.views[0].tools.mean(axis=0)
        first = np.linalg.eigh(told.T @ told)[1][:, -count:]
        asked = questions(one)
        return unit(asked - (asked @ first) @ first.T) @ unit(told - (told @ first) @ first.T).T

    return similarities


def _hubs(weight: float, near: int) -> Similarities:
    """Source: Conneau et al., Word Translation Without Parallel Data (2018)."""

    def similarities(one: Set, others: Vectors) -> Scores:
        told = one.views[0].tools
        usual = np.sort(told @ others.T, axis=1)[:, -near:].mean(axis=1)
        found: Scores = questions(one) @ told.T - np.float32(weight) * usual
        return found

    return similarities


def of_channels(sets: Sequence[Set], progress: Progress) -> Trial:
    """Try fixed weights, ways to bring scores to one range, and further channels."""
    rows: Rows = {}
    for one in progress.track(sets, description="tried: channels"):
        meaning = questions(one) @ one.views[0].tools[one.rows].T
        z, words = deviations(meaning), one.words
        names = deviations(np.stack([said.names for said in one.said]))
        grams = deviations(_grams(one)[:, one.rows])
        found = {_HALF: z + words, "words alone": words, "names alone": names, "character 3-5-grams alone": grams}
        for share in (0.3, 0.5, 0.7):
            if share != 0.5:
                found[f"deviations, {share:g} meaning"] = share * z + (1 - share) * words
            found[f"stretched to 0..1, {share:g} meaning"] = share * _stretched(meaning) + (1 - share) * _stretched(
                words
            )
        found["half and half, and 0.4 of names"] = z + words + 0.4 * names
        found["half and half, and 0.4 of character 3-5-grams"] = z + words + 0.4 * grams
        for name, scores in found.items():
            rows.setdefault(name, {})[one.name] = figures.of_scores(one, scores)
    about = (
        "Fixed weights for all questions, the plain encoder without a map. *Deviations*: scores in deviations from "
        "their mean over the tools; *stretched*: by their lowest and highest. 0.7 of meaning, stretched, is the "
        "reference recipe."
    )
    return Trial("Channels with fixed weights", about, _HALF, ("half and half, and 0.4 of names",), rows)


_HALF = "deviations, 0.5 meaning"


def _stretched(scores: Scores) -> Scores:
    low = scores.min(axis=1, keepdims=True)
    found: Scores = (scores - low) / np.maximum(scores.max(axis=1, keepdims=True) - low, 1e-9)
    return found


def _cut(said: str) -> list[str]:
    words = (f" {word} " for word in said.lower().split())
    return [word[i : i + n] for word in words for n in (3, 4, 5) for i in range(len(word) - n + 1)]


def _grams(one: Set) -> Scores:
    """Give BM25 over character 3-5-grams of the summaries, `float32[q, n]`."""
    tools = one.catalog.tools
    postings = Postings.build((_cut(text.summary(tool)) for tool in tools), lambda gram: (gram,))
    norms = K1 * (1 - B + B * postings.lengths / max(postings.total / len(tools), 1e-9))
    scores = np.zeros((len(one.queries), len(tools)), dtype=np.float32)
    for row, asked in zip(scores, one.queries, strict=True):
        for said, weight in zip(asked.texts, asked.weights, strict=True):
            for gram in dict.fromkeys(_cut(said)):
                hit, counts = postings.of(gram)
                idf = np.log1p((len(tools) - len(hit) + 0.5) / (len(hit) + 0.5))
                row[hit] += np.float32(weight * idf * (K1 + 1)) * counts / (counts + norms[hit])
    return scores


def of_maps(
    sets: Sequence[Set], lessons: dict[str, Lesson], probes: Lesson, folds: dict[str, Fit], progress: Progress
) -> Trial:
    """Try maps of other ranks, and one for tools, each on the sets of the family that it has not seen."""
    rows: Rows = {"no map": {one.name: _mapped(one, None) for one in sets}}
    for left_out in progress.track(sorted(folds), description="tried: maps"):
        taught = [*(lessons[one.name] for one in outside(sets, left_out)), probes]
        found = {f"rank {rank}": learn.fit_map(taught, rank) for rank in _RANKS if rank != learn.RANK}
        found[f"rank {learn.RANK}"] = folds[left_out].map or learn.fit_map(taught)
        found[f"rank {learn.RANK}, and one for tools"] = learn.fit_map(taught, tools=True)
        found[f"rank {learn.RANK}, without the probes"] = learn.fit_map(taught[:-1])
        for name, map_ in found.items():
            rows.setdefault(name, {}).update({s.name: _mapped(s, map_) for s in sets if family(s.name) == left_out})
    kept = f"rank {learn.RANK}"
    about = (
        "The map of questions, fitted without the family of the set; meaning and words half and half, in deviations."
    )
    return Trial("Maps", about, "no map", (kept,), rows)


def _mapped(one: Set, map_: Map | None) -> figures.Figures:
    views = one.views[0]
    asked, tools = (map_.questions(views.asked), map_.tools(views.tools)) if map_ else (views.asked, views.tools)
    return figures.of_scores(one, standing(one, mixed(one, views.texts, asked), tools) + one.words)


def of_weights(sets: Sequence[Set], folds: dict[str, Fit], progress: Progress) -> Trial:
    """Try weights that are the same for every question, and fusing without names; all fitted on other families."""
    kept = "weights by question, with names"
    rows: Rows = {}
    for left_out, fold in progress.track(folds.items(), len(folds), description="tried: weights"):
        ways = {
            "meaning and words half and half": None,
            "the same weights for all, without names": learn.fit_weights(fold.cases, signals=False, names=False),
            "the same weights for all, with names": learn.fit_weights(fold.cases, signals=False),
            "weights by question, without names": learn.fit_weights(fold.cases, names=False),
            kept: fold.weights,
        }
        for one in (one for one in sets if family(one.name) == left_out):
            meant = fold.meant(one)
            for name, weights in ways.items():
                found = (
                    figures.of_fused(one, [meant], weights)
                    if weights
                    else figures.of_scores(one, meant.scores + one.words)
                )
                rows.setdefault(name, {})[one.name] = found
    about = "With the map; map and weights fitted without the family of the set."
    return Trial("Weights", about, "meaning and words half and half", (kept,), rows)
