"""Search: one request's pool, ranked by the question of any of its turns, and judged for relevance.

Law: it never waits beyond the request's deadline; what has no vector by then is found by words.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from router import footprint, fuse, query, text
from router.catalog import Catalog, Pool, Space
from router.deadline import Check, checked, never
from router.embed.embedder import Embedder
from router.embed.small_talk import SmallTalk
from router.errors import IndexAway
from router.frame import Frame
from router.index.flat import FlatIndex
from router.memory import Lru
from router.ordering import top
from router.retrieve import dense, lexical, relevance
from router.script import Scripts, kinship, scripts
from router.types import (
    Grants,
    Kind,
    Positions,
    Rankings,
    Risk,
    RouteRequest,
    RoutingQuery,
    Scores,
    Unrestricted,
    Vectors,
)

_FULL = 5_000  # as many as are ranked in full; beyond, each channel gives its best
_DEPTH = 500
_MEASURED_AT_ONCE = 4  # each may take a thread
EVERYTHING = Grants(risks=frozenset(Risk))  # nobody's: no caller is granted what is dangerous
_NEAR, _CLEAR = 1.5, 1.5  # deviations below the floor, and above it: see docs/adr/0016
_READS = 0.5  # an encoder that reads less well does not judge what is relevant


class Memory:
    """What searches share: clients' lists with their vectors, and what is usual for small talk. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self._own: Lru[tuple[str, tuple[str, ...]], Catalog] = Lru(most_bytes * 15 // 16, _catalog_size)
        self._usual: Lru[_Scope, relevance.Usual] = Lru(most_bytes // 16, _usual_size)
        self._measuring: set[_Scope] = set()
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """What it holds."""
        return self._own.used_bytes + self._usual.used_bytes

    def own(
        self,
        own: Catalog,
        embedders: Sequence[Embedder],
        asked: RoutingQuery,
        deadline: float,
        check: Check = never,
    ) -> Catalog:
        """Give a client's list with its vectors, as many as are ready in time, the likeliest tools' first.

        Raises:
            OutOfTime: As `check` does.
        """
        key = (own.version, tuple(embedder.key for embedder in embedders))
        known = self._own.get(key)
        if known is not None:
            return known
        likely = np.argsort(-lexical.measure(asked, Pool(own, NOTHING)).bm25, kind="stable").tolist()
        digests = [text.digest(tool) for tool in checked(own.tools, check)]
        spaces = []
        for embedder in embedders:
            vectors, ready = embedder.tools(own.tools, digests, likely, deadline)
            spaces.append(Space(embedder.key, FlatIndex(vectors), ready))
        found = own.with_spaces(spaces)
        if found.ready.all():
            self._own.put(key, found)
        return found

    def usual(
        self, catalog: Catalog, embedder: Embedder, frame: Frame, request: RouteRequest
    ) -> relevance.Usual | None:
        """Give what is usual for small talk over the tools that these grants reach; None while it is not measured yet.

        Of many tools it is measured in the background.
        """
        scope = (catalog.version, embedder.key, request.grants, request.kinds)
        known, space, talk = self._usual.get(scope), catalog.space(embedder.key), embedder.small_talk
        if known is not None or talk is None or space is None:
            return known
        with self._lock:
            known = self._usual.get(scope)  # it may have come in the meantime
            if known is not None or scope in self._measuring or len(self._measuring) >= _MEASURED_AT_ONCE:
                return known
            self._measuring.add(scope)

        def measure() -> None:
            try:
                if (found := relevance.usual(talk, space, frame.registered)) is not None:
                    self._usual.put(scope, found)
            except IndexAway:
                pass  # the next question asks again
            finally:
                with self._lock:
                    self._measuring.discard(scope)

        if int(frame.registered.sum()) > relevance.ROWS_AT_ONCE or not space.index.at_hand:
            threading.Thread(target=measure, name="measure-small-talk", daemon=True).start()
        else:
            measure()
        return self._usual.get(scope)


class Search:
    """Ranks the permitted tools of a pool. `pool` gets the vectors of the client's list when they are first needed."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a request is made of
        self,
        memory: Memory,
        embedders: Sequence[Embedder],
        pool: Pool,
        frame: Frame,
        request: RouteRequest,
        deadline: float,
        check: Check = never,
    ) -> None:
        self.pool = pool
        self._check = check
        self._memory = memory
        self._embedders = embedders
        self._frame = frame
        self._permitted = frame.permitted
        self._request = request
        self._deadline = deadline
        self._vectors: dict[str, dict[str, Vectors]] | None = None
        self._asked: dict[int, RoutingQuery] = {}
        self._ranked: dict[int, Rankings] = {}
        self._margins: dict[int, float | None] = {}
        self._best: dict[tuple[int, str], float | None] = {}  # similarity by turn and encoder, where it is known
        self._undecided: set[int] = set()

    def asked(self, turn: int) -> RoutingQuery:
        """Give what is searched with at a turn."""
        if turn not in self._asked:
            self._asked[turn] = query.at_turn(self._request.conversation, turn)
        return self._asked[turn]

    def sought(self, turn: int) -> RoutingQuery:
        """Give what is searched with at a turn; an earlier turn that needed no tool says nothing about it."""
        asked = self.asked(turn)
        before = query.spoken(self._request.conversation, turn)[1:]
        idle = any((margin := self.margin(number)) is not None and margin < 0 for number in before)
        return query.alone(asked) if idle else asked

    def found(self, turn: int) -> tuple[Rankings | None, float | None]:
        """Give rankings and margin of a turn as far as they were asked for."""
        return self._ranked.get(turn), self._margins.get(turn)

    def knows(self, turn: int) -> bool:
        """Tell whether the vectors of a turn's question are there."""
        vectors = self._embedded(turn)
        return all(asked in known for asked in self.asked(turn).texts for known in vectors.values())

    def decided(self, turn: int) -> bool:
        """Tell whether more time would change nothing about a turn's ranking and its margin."""
        return self.knows(turn) and turn not in self._undecided

    def rankings(self, turn: int) -> Rankings:
        """Rank the pool by the question of a turn."""
        if turn not in self._ranked:
            try:
                self._ranked[turn] = self._rank(turn, self._embedded(turn))
            except IndexAway:
                self._undecided.add(turn)
                self._ranked[turn] = self._rank(turn, {one.key: {} for one in self._embedders})
        return self._ranked[turn]

    def margin(self, turn: int) -> float | None:
        """Tell by how much a turn's question is above the floor; None where nobody can tell.

        The encoders that read it judge, on the catalogue's permitted tools.
        """
        if turn not in self._margins:
            try:
                self._margins[turn] = self._judge(turn, self._embedded(turn))
            except IndexAway:
                self._undecided.add(turn)
                self._margins[turn] = None
        return self._margins[turn]

    def unrestricted(self, turn: int) -> Unrestricted | None:
        """Rank and judge as if every tool of the catalogue might be offered; None where every one may be.

        For explanations alone. What is sent comes from `rankings`, which never sees what is not permitted.
        """
        own, registered = self.pool.own, self.pool.registered
        permitted = self._permitted.copy()
        permitted[len(own) :] = True
        permitted[[len(own) + row for name in own.by_name for row in registered.by_name.get(name, ())]] = False
        if np.array_equal(permitted, self._permitted):
            return None
        self.rankings(turn)  # the query is what it is for the permitted ones
        frame = replace(self._frame, registered=np.ones(len(registered), np.bool_), permitted=permitted)
        request = replace(self._request, grants=EVERYTHING)
        other = Search(self._memory, self._embedders, self.pool, frame, request, self._deadline, self._check)
        other._vectors = self._vectors
        other._margins = {number: margin for number, margin in self._margins.items() if number != turn}
        return Unrestricted(other.rankings(turn), other.margin(turn))

    def _rank(self, turn: int, vectors: dict[str, dict[str, Vectors]]) -> Rankings:
        self._check()
        asked = self.sought(turn)
        words = lexical.measure(asked, self.pool)
        bm25 = fuse.standing(words.bm25, self._permitted)
        hits = [position for position in lexical.keyword_hits(asked, self.pool) if self._permitted[position]]
        meant = [
            (embedder, mixed)
            for embedder in self._embedders
            if (mixed := dense.mixed(asked, vectors[embedder.key])) is not None
        ]
        rows, every = self._candidates(bm25, hits, meant)
        written = scripts(" ".join(asked.newest))
        meanings = []
        for embedder, mixed in meant:
            similar = dense.measure(mixed, embedder.key, self.pool, rows, every=every)
            if np.isnan(similar.scores).all():
                continue
            meanings.append(fuse.Meaning(embedder.name, embedder.reading.of(written, self._scripts), similar.standing))
            if len(asked.texts) == 1:  # that one is judged, too
                self._best[turn, embedder.key] = _highest(similar.scores[rows >= len(self.pool.own)])
        best = float(words.bm25[rows].max()) if len(rows) else 0.0
        said = fuse.Said(
            bm25=bm25[rows],
            names=words.names[rows],
            explained=min(1.0, best / words.ideal) if words.ideal else 0.0,
            covered=words.covered,
            terms=words.terms,
            kin=kinship(written, self._scripts),
        )
        return fuse.adaptive(rows, said, meanings, hits)

    def _judge(self, turn: int, vectors: dict[str, dict[str, Vectors]]) -> float | None:
        """Judge the clearest text of what is asked for now: of a long request one sentence may ask for all."""
        self._check()
        registered, permitted = self.pool.registered, self._permitted[len(self.pool.own) :]
        if not (self._request.floor and permitted.any()):
            return None
        margins = []
        for embedder in self._embedders:
            space, talk = registered.space(embedder.key), embedder.small_talk
            read = [one for one in self.asked(turn).newest if one in vectors[embedder.key]]
            read = [one for one in read if embedder.reading.of(scripts(one), self._scripts) >= _READS]
            if not read or space is None or talk is None:
                continue
            among = self._memory.usual(registered, embedder, self._frame, self._request)
            known = self._best.get((turn, embedder.key)) if len(read) == 1 else None
            found = {one: known or relevance.best(vectors[embedder.key][one], space, permitted) for one in read}
            judged = [
                relevance.margin(best, vectors[embedder.key][one], talk, among)
                for one, best in found.items()
                if among is not None and best is not None
            ]
            if len(judged) < len(read) or among is None:
                self._undecided.add(turn)
            else:
                margins.append(self._with_demand(turn, max(judged), embedder, space, talk, among))
        return sum(margins) / len(margins) if margins else None

    def _with_demand(  # noqa: PLR0913, PLR0917 - what a judgement is made of
        self, turn: int, margin: float, embedder: Embedder, space: Space, talk: SmallTalk, among: relevance.Usual
    ) -> float:
        """Return the margin of a question; just below the floor that of its demand alone, where that is clear."""
        asked = self.asked(turn).newest
        demand = text.demand(asked[0]) if len(asked) == 1 and -_NEAR < margin < 0 else ""
        if not demand:
            return margin
        vector = embedder.questions([demand], self._deadline).get(demand)
        best = None if vector is None else relevance.best(vector, space, self._permitted[len(self.pool.own) :])
        if vector is None or best is None:
            self._undecided.add(turn)
            return margin
        alone = relevance.margin(best, vector, talk, among)
        return alone if alone >= _CLEAR else margin

    def _candidates(
        self, bm25: Scores, hits: list[int], meant: Sequence[tuple[Embedder, Vectors]]
    ) -> tuple[Positions, bool]:
        """Give the positions worth ranking, ascending: of few tools all that are permitted; and whether it is all."""
        allowed = np.flatnonzero(self._permitted)
        if len(allowed) <= _FULL:
            return allowed, True
        own = allowed[allowed < len(self.pool.own)]
        by_words = allowed[top(bm25[allowed], _DEPTH)]
        named = np.asarray(hits, dtype=np.int64)
        named = named[top(bm25[named], _DEPTH)]
        by_meaning = [dense.nearest(mixed, one.key, self.pool, self._permitted, _DEPTH) for one, mixed in meant]
        return np.unique(np.concatenate([own, by_words, named, *by_meaning])), False

    @cached_property
    def _scripts(self) -> Scripts:
        return (self.pool.registered if len(self.pool.registered) else self.pool.own).scripts

    def _embedded(self, turn: int) -> dict[str, dict[str, Vectors]]:
        """Give by encoder the vectors of the questions from this turn on, then the client's list its own.

        The turn at hand comes first, then the newest: those decide most. Questions come before the list: they take a
        thousandth of the time, and without them its vectors are of no use.
        """
        if self._vectors is None:
            conversation = self._request.conversation
            last = len(conversation.turns) - 1
            numbers = checked(range(last, turn, -1), self._check)
            later = (conversation.turns[number] for number in numbers if conversation.turns[number].text)
            said = (text for one in later for text in query.asked_at(one).texts)
            texts = list(dict.fromkeys((*self.asked(turn).texts, *said)))
            for embedder in self._embedders[1:]:
                embedder.begin(texts, self._deadline)  # beside the first one
            self._vectors = {one.key: one.questions(texts, self._deadline) for one in self._embedders}
            if self._frame.choosable[: len(self.pool.own)].any():
                own = self._memory.own(self.pool.own, self._embedders, self.asked(last), self._deadline, self._check)
                self.pool = Pool(own, self.pool.registered)
        return self._vectors


def _highest(scores: Scores) -> float | None:
    known = scores[~np.isnan(scores)]
    return float(known.max()) if len(known) else None


def _catalog_size(key: tuple[str, tuple[str, ...]], catalog: Catalog) -> int:
    return footprint.texts((key[0], *key[1])) + footprint.of_catalog(catalog)


def _usual_size(key: _Scope, _: relevance.Usual) -> int:
    return footprint.texts(key[:2]) + footprint.of_grants(key[2]) + 512


_Scope = tuple[str, str, Grants, frozenset[Kind]]
NOTHING = Catalog.build("nothing", ())
