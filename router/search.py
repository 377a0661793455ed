"""Search: one request's pool, ranked by the question of any of its turns, and judged for relevance.

Law: it never waits beyond the request's deadline; what has no vector by then is found by words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from router import fuse, query, text
from router.catalog import Catalog, Pool, Space
from router.embed.embedder import Embedder
from router.index.flat import FlatIndex
from router.memory import Lru
from router.ordering import top
from router.retrieve import dense, lexical, relevance
from router.script import Scripts, kinship, scripts
from router.types import Grants, Kind, Mask, Positions, Rankings, RouteRequest, RoutingQuery, Scores, Vectors

_FULL = 5_000  # as many as are ranked in full; beyond, each channel gives its best
_DEPTH = 500
_READS = 0.5  # an encoder that reads less well does not judge what is relevant


class Memory:
    """What searches share: vectors of clients' lists, and what is usual for small talk. Thread-safe."""

    def __init__(self) -> None:
        self._own: Lru[tuple[str, str], Space] = Lru(256)
        self._usual: Lru[tuple[str, str, Grants, frozenset[Kind]], relevance.Usual] = Lru(64)

    def space(self, own: Catalog, embedder: Embedder, asked: RoutingQuery, deadline: float) -> Space:
        """Give the vectors of a client's list, as many as are ready in time, the likeliest tools' first."""
        known = self._own.get((own.version, embedder.key))
        if known is not None:
            return known
        likely = np.argsort(-lexical.measure(asked, Pool(own, NOTHING)).bm25, kind="stable")
        digests = [text.digest(tool) for tool in own.tools]
        vectors, ready = embedder.tools(own.tools, digests, likely.tolist(), deadline)
        space = Space(embedder.key, FlatIndex(vectors), ready)
        if ready.all():
            self._own.put((own.version, embedder.key), space)
        return space

    def usual(
        self, catalog: Catalog, embedder: Embedder, permitted: Mask, request: RouteRequest
    ) -> relevance.Usual | None:
        """Give what is usual for small talk over the permitted tools; None while it is not measured yet.

        Of many tools it is measured in the background.
        """
        key = (catalog.version, embedder.key, request.grants, request.kinds)
        known, space, talk = self._usual.get(key), catalog.space(embedder.key), embedder.small_talk
        if known is not None or talk is None or space is None:
            return known

        def measure() -> None:
            if (found := relevance.usual(talk, space, permitted)) is not None:
                self._usual.put(key, found)

        if int(permitted.sum()) > relevance.ROWS_AT_ONCE:
            embedder.later(measure)
        else:
            measure()
        return self._usual.get(key)


class Search:
    """Ranks the permitted tools of a pool. `pool` gets the vectors of the client's list when they are first needed."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a request is made of
        self,
        memory: Memory,
        embedders: Sequence[Embedder],
        pool: Pool,
        permitted: Mask,
        request: RouteRequest,
        deadline: float,
    ) -> None:
        self.pool = pool
        self._memory = memory
        self._embedders = embedders
        self._permitted = permitted
        self._request = request
        self._deadline = deadline
        self._vectors: dict[str, dict[str, Vectors]] | None = None
        self._ranked: dict[int, Rankings] = {}
        self._margins: dict[int, float | None] = {}
        self._best: dict[tuple[int, str], float | None] = {}  # similarity by turn and encoder, where it is known

    def asked(self, turn: int) -> RoutingQuery:
        """Give what is searched with at a turn."""
        return query.at_turn(self._request.conversation, turn)

    def found(self, turn: int) -> tuple[Rankings | None, float | None]:
        """Give rankings and margin of a turn as far as they were asked for."""
        return self._ranked.get(turn), self._margins.get(turn)

    def knows(self, turn: int) -> bool:
        """Tell whether the vectors of a turn's question are there."""
        vectors = self._embedded(turn)
        return all(asked in known for asked in self.asked(turn).texts for known in vectors.values())

    def rankings(self, turn: int) -> Rankings:
        """Rank the pool by the question of a turn."""
        if turn not in self._ranked:
            self._ranked[turn] = self._rank(turn, self._embedded(turn))
        return self._ranked[turn]

    def margin(self, turn: int) -> float | None:
        """Tell by how much a turn's question is above the floor; None where nobody can tell.

        The encoders that read it judge, on the catalogue's permitted tools.
        """
        if turn not in self._margins:
            self._margins[turn] = self._judge(turn, self._embedded(turn))
        return self._margins[turn]

    def _rank(self, turn: int, vectors: dict[str, dict[str, Vectors]]) -> Rankings:
        asked = self.asked(turn)
        words = lexical.measure(asked, self.pool)
        bm25 = fuse.standing(words.bm25, self._permitted)
        hits = [position for position in lexical.keyword_hits(asked, self.pool) if self._permitted[position]]
        meant = [
            (embedder, mixed)
            for embedder in self._embedders
            if (mixed := dense.mixed(asked, vectors[embedder.key])) is not None
        ]
        rows, every = self._candidates(bm25, hits, meant)
        written = scripts(asked.texts[0])
        meanings = []
        for embedder, mixed in meant:
            similar = dense.measure(mixed, embedder.key, self.pool, rows, every=every)
            if np.isnan(similar.scores).all():
                continue
            meanings.append(fuse.Meaning(embedder.name, embedder.reading.of(written, self._scripts), similar.standing))
            if len(asked.texts) == 1:
                self._best[turn, embedder.key] = _highest(similar.scores[rows >= len(self.pool.own)])
        best = float(words.bm25[rows].max()) if len(rows) else 0.0
        said = fuse.Said(
            bm25=bm25[rows],
            names=words.names[rows],
            explained=best / words.ideal if words.ideal else 0.0,
            covered=words.covered,
            terms=words.terms,
            kin=kinship(written, self._scripts),
        )
        return fuse.adaptive(rows, said, meanings, hits)

    def _judge(self, turn: int, vectors: dict[str, dict[str, Vectors]]) -> float | None:
        asked = self.asked(turn).texts[0]
        registered, permitted = self.pool.registered, self._permitted[len(self.pool.own) :]
        if not (self._request.floor and permitted.any()):
            return None
        written = scripts(asked)
        margins = []
        for embedder in self._embedders:
            vector, space, talk = vectors[embedder.key].get(asked), registered.space(embedder.key), embedder.small_talk
            if vector is None or space is None or talk is None or embedder.reading.of(written, self._scripts) < _READS:
                continue
            among = self._memory.usual(registered, embedder, permitted, self._request)
            if among is not None:
                best = self._best.get((turn, embedder.key)) or relevance.best(vector, space, permitted)
                margins.append(relevance.margin(best, vector, talk, among))
        return sum(margins) / len(margins) if margins else None

    def _candidates(
        self, bm25: Scores, hits: list[int], meant: Sequence[tuple[Embedder, Vectors]]
    ) -> tuple[Positions, bool]:
        """Give the positions worth ranking, ascending: of few tools all that are permitted; and whether it is all."""
        allowed = np.flatnonzero(self._permitted)
        if len(allowed) <= _FULL:
            return allowed, True
        by_words = allowed[top(bm25[allowed], _DEPTH)]
        by_meaning = [dense.nearest(mixed, one.key, self.pool, self._permitted, _DEPTH) for one, mixed in meant]
        return np.unique(np.concatenate([by_words, *by_meaning, np.asarray(hits, dtype=np.int64)])), False

    @cached_property
    def _scripts(self) -> Scripts:
        return (self.pool.registered if len(self.pool.registered) else self.pool.own).scripts

    def _embedded(self, turn: int) -> dict[str, dict[str, Vectors]]:
        """Give by encoder the vectors of the questions from this turn on, then the client's list its own.

        The turn at hand comes first, then the newest: those decide most. Questions come before the list: they take a
        thousandth of the time, and without them its vectors are of no use.
        """
        if self._vectors is None:
            last = len(self._request.conversation.turns) - 1
            turns = (turn, *range(last, turn, -1))
            texts = list(dict.fromkeys(asked for number in turns for asked in self.asked(number).texts))
            for embedder in self._embedders[1:]:
                embedder.questions(texts, 0.0)  # begun beside the first one
            self._vectors = {one.key: one.questions(texts, self._deadline) for one in self._embedders}
            own = self.pool.own
            if self._permitted[: len(own)].any():
                asked = self.asked(last)
                spaces = tuple(self._memory.space(own, one, asked, self._deadline) for one in self._embedders)
                self.pool = Pool(replace(own, spaces=spaces), self.pool.registered)
        return self._vectors


def _highest(scores: Scores) -> float | None:
    known = scores[~np.isnan(scores)]
    return float(known.max()) if len(known) else None


NOTHING = Catalog.build("nothing", ())
