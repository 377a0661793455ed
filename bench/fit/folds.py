"""Fits with one family of sets left out, to see what a fit is worth on data that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from bench.fit import figures, learn
from bench.fit.figures import Meant
from bench.fit.learn import Cases, Lesson, Map
from bench.fit.sets import GRANTS, Set, family, mixed, outside, standing
from router import fuse
from router.catalog import EMPTY, Catalog, Pool, Space
from router.embed.embedder import Embedder
from router.embed.profile import Profile
from router.embed.reading import Reading, examine
from router.frame import Frame
from router.index.flat import FlatIndex
from router.search import Memory, Search
from router.types import Encoder, RouteRequest, Vectors

_COMPARED = 25


@dataclass(frozen=True, slots=True)
class Moved:
    """An encoder whose questions go through another map than the one it comes with, or through none."""

    encoder: Encoder
    map: Map | None

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.encoder.name

    @property
    def key(self) -> str:
        """Name what its vectors are compared with."""
        return self.encoder.key

    @property
    def dimension(self) -> int:
        """Give d."""
        return self.encoder.dimension

    def encode_query(self, texts: list[str]) -> Vectors:
        """Give questions as `float32[n, d]`."""
        plain = self.encoder.encode_document(texts)
        return self.map.questions(plain) if self.map else plain

    def encode_document(self, texts: list[str]) -> Vectors:
        """Give tools as `float32[n, d]`."""
        return self.encoder.encode_document(texts)


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted, and what the encoder reads with it. `learned_on` weighs channels: see `cases`."""

    map: Map | None
    reading: Reading
    weights: fuse.Weights
    cases: tuple[Cases, ...] = ()

    def meant(self, one: Set) -> Meant:
        """Give what the embedded encoder says of a set with this map."""
        views = one.views[0]
        asked = self.map.questions(views.asked) if self.map else views.asked
        scores = standing(one, mixed(one, views.texts, asked), views.tools)
        return Meant(views.encoder.name, one.reads(self.reading), scores)


def plain(encoder: Encoder, map_: Map | None = None) -> Fit:
    """Give the shipped weights with the given map, or with none."""
    return Fit(map_, examine(Moved(encoder, map_)), fuse.FITTED)


def fit(sets: Sequence[Set], lessons: dict[str, Lesson], probes: Lesson, left_out: str | None) -> Fit:
    """Fit map and weights on all families but one.

    Weights are fitted on every other question, with a map that has learned from the rest: on questions that it has
    seen, meaning would look better than it is.
    """
    kept = outside(sets, left_out)
    encoder = kept[0].views[0].encoder
    half = plain(encoder, learn.fit_map([*(lessons[one.name].half() for one in kept), probes]))
    draw = np.random.default_rng(learn.SEED + 1)
    found = tuple(learn.cases(one, half.meant(one).scores, half.reading, draw) for one in kept)
    whole = learn.fit_map([*(lessons[one.name] for one in kept), probes])
    return Fit(whole, examine(Moved(encoder, whole)), learn.fit_weights(found), found)


def leave_out(sets: Sequence[Set], lessons: dict[str, Lesson], probes: Lesson, progress: Progress) -> dict[str, Fit]:
    """Fit once for each family, without it."""
    families = sorted({family(one.name) for one in sets})
    tracked = progress.track(families, description="fits, one family left out")
    return {left_out: fit(sets, lessons, probes, left_out) for left_out in tracked}


def agreement(one: Set, shipped: Fit, encoder: Encoder) -> tuple[int, int]:
    """Compare the shipped fit as it is counted here with `Search`: questions with the same top 20, and questions."""
    views = one.views[0]
    space = Space(encoder.key, FlatIndex(views.tools), np.ones(len(one.catalog), dtype=np.bool_))
    catalog = Catalog.build(one.name, one.catalog.tools, spaces=[space], postings=one.catalog.postings)
    few = one.only(range(0, len(one.queries), -(-len(one.queries) // _COMPARED)))
    embedder = Embedder(encoder, Profile(shipped.reading))
    same = 0
    for asked, here in zip(few.conversations, figures.fused(few, [shipped.meant(few)], shipped.weights), strict=True):
        request = RouteRequest(asked, grants=GRANTS)
        pool = Pool(EMPTY, catalog)
        frame = Frame.build(pool, request, one.permitted)
        search = Search(Memory(2**26), [embedder], pool, frame, request, math.inf)
        there = search.rankings(len(asked.turns) - 1).fused.ids
        same += here[:20].tolist() == there[:20].tolist()
    embedder.close()
    return same, len(few.queries)


Rows = dict[str, dict[str, figures.Figures]]


def table(sets: Sequence[Set], rows: dict[str, Callable[[Set], figures.Figures]], progress: Progress) -> Rows:
    """Count every row on every set."""
    found: Rows = {}
    for label, row in progress.track(rows.items(), len(rows), description="rows of the table"):
        found[label] = {one.name: row(one) for one in sets}
    return found
