"""Dataset -> results: every conversation goes through the routing that serves requests.

The request at the end of the turn before goes first, as it would have, then the last turn's: what differs is what the
turn changed. Nothing is cut short for lack of time; what would have been over the budget is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.encoders.readers import Reader
from app.evaluation import EvaluationFailed, misses
from app.evaluation.dataset import Dataset, Query
from app.evaluation.results import FUSED, REFERENCE, Change, Miss, Result
from app.routing import Options, Routed, Routing
from app.settings import Settings
from router import text
from router.catalog import Catalog, Space
from router.embed.embedder import tool_vectors
from router.evaluate import reference
from router.evaluate.metrics import Places, places
from router.index.choice import index_of
from router.memory import Shares
from router.ordering import top
from router.pipeline import Router
from router.types import (
    KEYWORDS,
    LEXICAL,
    Encoder,
    Positions,
    RankedList,
    Rankings,
    RoutingQuery,
    Selection,
    Tool,
    Vectors,
)

Report = Callable[[int, int], None]
Lists = dict[str, RankedList]

# Every vector is waited for: on a busy machine the figures would tell of the machine.
_PATIENCE_MS = 60_000.0
_CHUNK = 32
_CACHE_BYTES = 4 * 2**30  # nothing is forgotten: 200,000 questions and more
_WARM_UP = b'{"messages":[{"role":"user","content":"warm up"}]}'


def routing_of(readers: Sequence[Reader], settings: Settings) -> Routing:
    """Make the routing of a gateway with these settings, and give it all the time it needs."""
    patient = settings.select.model_copy(update={"budget_ms": _PATIENCE_MS})
    shares = Shares.of(_CACHE_BYTES)
    embedders = (reader.embedder(shares=shares) for reader in readers)
    return Routing(Router(*embedders, shares=shares), settings.model_copy(update={"select": patient}))


async def catalog_of(name: str, tools: Sequence[Tool], readers: Sequence[Reader], report: Report) -> Catalog:
    """Build a catalogue in memory; names in it need not be unique."""
    ready = np.ones(len(tools), dtype=np.bool_)
    spaces = []
    for number, reader in enumerate(readers):
        vectors: list[Vectors] = []
        for start in range(0, len(tools), _CHUNK):
            vectors.append(await asyncio.to_thread(tool_vectors, reader.encoder, tools[start : start + _CHUNK]))
            done = number * len(tools) + min(start + _CHUNK, len(tools))
            report(done, len(readers) * len(tools))
        spaces.append(Space(reader.encoder.key, index_of(np.concatenate(vectors)), ready))
    return Catalog.build(name, tools, spaces=spaces)


def lists_of(rankings: Rankings | None) -> Lists:
    """Give the rankings of a turn by name: the fused one, then those of the channels by their scores alone."""
    if rankings is None:
        return {}
    lists = {FUSED: rankings.fused}
    for channel in rankings.channels:
        if channel.name != KEYWORDS:  # it names a few and ranks nothing
            there = np.flatnonzero(~np.isnan(channel.scores))
            best = there[top(channel.scores[there], len(there))]
            lists[channel.name] = RankedList(rankings.rows[best], channel.scores[best])
    return lists


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference recipe over a catalogue: the encoder takes a question as it takes a tool."""

    encoder: Encoder
    catalog: Catalog

    def order(self, asked: RoutingQuery, rankings: Rankings) -> Positions:
        """Rank the tools that were ranked by the fixed weights of the recipe."""
        space = self.catalog.space(self.encoder.key)
        assert space is not None  # noqa: S101 - `catalog_of` and the registry make vectors of every encoder
        vectors = self.encoder.encode_document([text.gist(said) for said in asked.texts])
        mixed = np.asarray(asked.weights, dtype=np.float32) @ vectors
        lexical = next(channel.scores for channel in rankings.channels if channel.name == LEXICAL)
        return rankings.rows[reference.ranked(space.index.score(mixed, rankings.rows), lexical)]


@dataclass(frozen=True, slots=True)
class Replay:
    """The questions of a data set on their way through a routing."""

    dataset: Dataset
    catalog: Catalog
    routing: Routing
    options: Options
    reference: Reference | None = None
    _seen: set[str] = field(default_factory=set)

    async def run(self, report: Report) -> tuple[list[Result], list[Miss]]:
        """Route every question; give the results, and what stood far behind, worst first.

        Raises:
            EvaluationFailed: Routing failed.
        """
        results: list[Result] = []
        missed: list[Miss] = []
        await self.routing.explain(_WARM_UP, self.catalog, self.options)
        for number, query in enumerate(self.dataset.queries, start=1):
            result, miss = await self._ask(query)
            results.append(result)
            missed += [miss] if miss else []
            report(number, len(self.dataset.queries))
        return results, misses.worst_first(missed)

    async def _ask(self, query: Query) -> tuple[Result, Miss | None]:
        before = await self._route(query, query.before) if query.before else None
        new = query.texts[-1] not in self._seen
        routed = await self._route(query, query.body)
        self._seen.update(query.texts)
        selection = _selection(routed)
        rankings = selection.rankings or await self._ranked(query)
        lists = self._lists(query, rankings)
        ranks = self._ranks(query, selection.query, rankings, lists)
        result = self._result(query, routed, before, ranks, new=new)
        return result, misses.of(query, self.dataset.groups, self.catalog, selection.query.texts, lists, ranks[FUSED])

    async def _route(self, query: Query, body: bytes) -> Routed:
        routed = await self.routing.route(body, self.catalog, self.options, owner=query.id)
        if routed.outcome not in ("routed", "untouched") or routed.selection is None:
            raise self._failed(query, f"routing ended with {routed.outcome!r}")
        return routed

    async def _ranked(self, query: Query) -> Rankings | None:
        """Rank a turn for which routing needed no ranking, as far as there is anything to search with."""
        if not any(query.texts):
            return None
        return (await self.routing.explain(query.body, self.catalog, self.options)).selection.rankings

    def _lists(self, query: Query, rankings: Rankings | None) -> Lists:
        """Refuse what was ranked without an encoder: the figures would be those of another configuration."""
        lists = lists_of(rankings)
        silent = [one.name for one in self.routing.router.embedders.values() if one.name not in lists]
        if lists and silent:
            raise self._failed(query, f"the encoder {silent[0]} did not answer")
        return lists

    def _failed(self, query: Query, why: str) -> EvaluationFailed:
        return EvaluationFailed(f"{self.dataset.name}, question {query.id}: {why}. Nothing was measured.")

    def _ranks(self, query: Query, asked: RoutingQuery, rankings: Rankings | None, lists: Lists) -> dict[str, Places]:
        groups = np.asarray(self.dataset.groups, dtype=np.int64)
        orders = {name: ranked.ids for name, ranked in lists.items()}
        if self.reference is not None and rankings is not None:
            orders[REFERENCE] = self.reference.order(asked, rankings)
        nowhere: Places = (None,) * len(query.gold)
        return {FUSED: nowhere} | {name: places(query.gold, ids, groups) for name, ids in orders.items()}

    def _result(
        self, query: Query, routed: Routed, before: Routed | None, ranks: dict[str, Places], *, new: bool
    ) -> Result:
        selection, after, held = _selection(routed), _in_force(routed), _in_force(before)
        return Result(
            id=query.id,
            lang=query.lang,
            category=query.category,
            wanted=len(query.gold),
            found=len({self.dataset.groups[position] for position in after}.intersection(query.gold)),
            sent=len(after),
            added=len(set(after).difference(held)),
            change=_change(held, after) if before else "first",
            tokens_before=selection.tokens_before,
            tokens_after=selection.tokens_after,
            route_ms=routed.route_ms if new else None,
            ranks=ranks,
        )


def _selection(routed: Routed) -> Selection:
    assert routed.selection is not None  # noqa: S101 - `_route` refuses others
    return routed.selection


def _in_force(routed: Routed | None) -> tuple[int, ...]:
    """Give the positions that were sent. The client of an evaluation has no tools: untouched means none."""
    return () if routed is None or routed.outcome == "untouched" else _selection(routed).positions


def _change(held: tuple[int, ...], after: tuple[int, ...]) -> Change:
    if after == held:
        return "kept"
    return "grown" if after[: len(held)] == held else "renewed"
