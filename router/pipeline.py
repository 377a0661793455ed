"""route(): conversation and tools in, the few tools to send and the reasons out.

Law: a selection is a function of (catalogue version, grants, request). The history in the request is replayed
turn by turn, so the list of turn n + 1 starts with that of turn n, in every process. What was in force at a
turn is remembered (`recall`): that saves the replay, and keeps a running conversation's list as it was sent when
better vectors arrive, or the catalogue changes, later.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xxhash

from router import cut, fuse, permit, query, text
from router.catalog import Catalog, Pool, Space
from router.cut import Held
from router.embed.embedder import Embedder
from router.index.flat import FlatIndex
from router.memory import Lru
from router.ordering import top
from router.recall import Recall
from router.retrieve import dense, lexical
from router.script import Scripts, kinship, scripts
from router.types import (
    Grants,
    Kind,
    Mask,
    Mode,
    Positions,
    Rankings,
    Reason,
    RouteRequest,
    RoutingQuery,
    Scores,
    Selection,
    Source,
    Vectors,
)

_FULL = 5_000  # as many as are ranked in full; beyond, each channel gives its best
_DEPTH = 500


class Router:
    """Routes requests. Thread-safe: everything it holds is a bounded memory of pure functions."""

    def __init__(self, *embedders: Embedder, conversations: int = 20_000) -> None:
        """Take the embedders that a catalogue's spaces may ask for."""
        self.embedders = {embedder.key: embedder for embedder in embedders}
        self.in_force = Recall(conversations)
        self._permitted: Lru[tuple[str, Grants, frozenset[Kind]], Mask] = Lru(256)
        self._own: Lru[tuple[str, str], Space] = Lru(256)

    def close(self) -> None:
        """End the embedders' threads."""
        for embedder in self.embedders.values():
            embedder.close()

    def route(
        self,
        registered: Catalog,
        own: Catalog,
        request: RouteRequest,
        deadline: float,
        *,
        explain: bool = False,
    ) -> Selection:
        """Select the tools of one request.

        `own` is the client's list; its vectors are found here. `deadline` is a time of `time.perf_counter`:
        vectors that are not ready by then are done without. `explain` ranks the last turn even when it is
        remembered.
        """
        started = time.perf_counter()
        run = _Run(self, Pool(own, registered), request, deadline)
        held = run.in_force()
        rankings = run.rankings.get(run.last) or (run.rank(run.last) if explain and run.last >= 0 else None)
        return run.selection(held, rankings, (time.perf_counter() - started) * 1e3)

    def permitted(self, catalog: Catalog, grants: Grants, kinds: frozenset[Kind]) -> Mask:
        """Give `permit.permitted`, remembered by catalogue version."""
        key = (catalog.version, grants, kinds)
        mask = self._permitted.get(key)
        if mask is None:
            mask = permit.permitted(catalog, grants, kinds)
            self._permitted.put(key, mask)
        return mask

    def asked_of(self, catalog: Catalog) -> list[Embedder]:
        """Give the embedders whose vectors a catalogue holds; of one without any, all."""
        found = [self.embedders[space.key] for space in catalog.spaces if space.key in self.embedders]
        return found or list(self.embedders.values())

    def with_vectors(self, own: Catalog, key: str, asked: RoutingQuery, deadline: float) -> Space:
        """Give the client's list its vectors, as many as are ready in time, the likeliest tools' first."""
        known = self._own.get((own.version, key))
        if known is not None:
            return known
        likely = np.argsort(-lexical.measure(asked, Pool(own, _NOTHING)).bm25, kind="stable")
        digests = [text.digest(tool) for tool in own.tools]
        vectors, ready = self.embedders[key].tools(own.tools, digests, likely.tolist(), deadline)
        space = Space(key, FlatIndex(vectors), ready)
        if ready.all():
            self._own.put((own.version, key), space)
        return space


class _Run:
    """One request on its way: the replay of its turns over one pool."""

    def __init__(self, router: Router, pool: Pool, request: RouteRequest, deadline: float) -> None:
        self.embedders = router.asked_of(pool.registered)
        if request.source is Source.REQUEST:
            pool = Pool(pool.own, _NOTHING)
        self.router = router
        self.pool = pool
        self.request = request
        self.deadline = deadline
        self.turns = request.conversation.turns
        self.last = len(self.turns) - 1
        self.permitted = self._mask()
        self.kept = cut.invariants(pool, self.permitted, request.source, request.budget)
        self.choosable = self.permitted.copy()
        self.choosable[list(self.kept)] = False
        self.keys = self._keys()
        self.rankings: dict[int, Rankings] = {}
        self.vectors: dict[str, dict[str, Vectors]] | None = None

    def in_force(self) -> Held:
        """Give the set to send, and remember it as sent where it would not come out the same again."""
        if not self.request.conversation.has_text:
            return cut.with_forced(self._without_text(), self.pool, self.request.forced, self.permitted)
        replayed = self._replay()
        held = cut.with_forced(replayed, self.pool, self.request.forced, self.permitted)
        if held is not replayed or not held.settled:
            self.router.in_force.put(self.keys[self.last], replace(held, settled=False), self.pool)
        return held

    def _replay(self) -> Held:
        """Give the set at the last turn, from the latest turn that is remembered, or from the first."""
        turn, held = self.last, None
        while turn >= 0 and (held := self._recalled(turn)) is None:
            turn -= 1
        if held is None:
            held = Held()
        elif held.settled or self._sent(turn):
            held = cut.with_calls(held, self.pool, self._calls(turn), self.permitted)
        else:  # by words, in a hurry: the same question again may find more
            turn -= 1
        for number in range(turn + 1, len(self.turns)):
            held = self._advance(held, number)
            if held.settled:
                self.router.in_force.put(self.keys[number], held, self.pool)
            held = cut.with_calls(held, self.pool, self._calls(number), self.permitted)
        return held

    def _recalled(self, turn: int) -> Held | None:
        sent = self._sent(turn)
        return self.router.in_force.get(self.keys[turn], self.pool, self.permitted, self.kept, sent=sent)

    def _sent(self, turn: int) -> bool:
        """Whether the conversation went on after a turn's list was sent."""
        return turn < self.last or bool(self._calls(turn))

    def rank(self, turn: int) -> Rankings:
        """Rank the pool by the question of a turn."""
        asked = query.at_turn(self.request.conversation, turn)
        if self.vectors is None:
            self.vectors = self._embed(turn)
        words = lexical.measure(asked, self.pool)
        bm25 = fuse.standing(words.bm25, self.permitted)
        hits = [p for p in lexical.keyword_hits(asked, self.pool) if self.permitted[p]]
        meant = [
            (embedder, mixed)
            for embedder in self.embedders
            if (mixed := dense.mixed(asked, self.vectors[embedder.key])) is not None
        ]
        rows = self._candidates(bm25, hits, [(embedder.key, mixed) for embedder, mixed in meant])
        written, tools = scripts(asked.texts[0]), self._scripts()
        meanings = [
            fuse.Meaning(embedder.name, embedder.reading.of(written, tools), scores)
            for embedder, mixed in meant
            if not np.isnan(scores := dense.standing(mixed, embedder.key, self.pool, rows)).all()
        ]
        best = float(words.bm25[rows].max()) if len(rows) else 0.0
        said = fuse.Said(
            bm25=bm25[rows],
            names=words.names[rows],
            explained=best / words.ideal if words.ideal else 0.0,
            covered=words.covered,
            terms=words.terms,
            kin=kinship(written, tools),
        )
        return fuse.adaptive(rows, said, meanings, hits)

    def selection(self, held: Held, rankings: Rankings | None, route_ms: float) -> Selection:
        """Give the result with its figures."""
        own, tokens = len(self.pool.own), self.pool.tokens()
        offered = self.permitted.copy()
        if self.request.source is not Source.REGISTRY:
            offered[:own] = True
        offered[list(held.order)] = True
        changed = held.order != tuple(range(own))
        mode = Mode.LEXICAL if held.by_words else Mode.HYBRID
        return Selection(
            tools=tuple(self.pool.tool(p) for p in held.order),
            positions=held.order,
            reasons=held.reasons,
            mode=mode if changed else Mode.UNTOUCHED,
            changed=changed,
            available=int(offered.sum()),
            tokens_before=int(tokens[offered].sum()),
            tokens_after=int(tokens[list(held.order)].sum()),
            query=self._asked(self.last),
            rankings=rankings,
            timings_ms={"route": route_ms},
        )

    def _advance(self, held: Held, turn: int) -> Held:
        if not self.turns[turn].text:
            return held
        if not self.choosable.any():
            return cut.appended(self._unsearched(), held.order, Reason.HISTORY)
        if held.started and turn < self.last and not self._in_time(turn):
            return replace(held, settled=False)
        ranked = self.rankings[turn] = self.rank(turn)
        after = self._grown(held, ranked, turn) if held.started else self._first(ranked, turn)
        hasty = ranked.by_words or not self.pool.ready()[self.choosable].all()
        return replace(after, by_words=after.by_words or ranked.by_words, settled=held.settled and not hasty)

    def _in_time(self, turn: int) -> bool:
        """Whether a turn that is over can still be ranked well: growth that is missed is less harm than noise."""
        if self.vectors is None:
            self.vectors = self._embed(turn)
        known = all(asked in known for asked in self._asked(turn).texts for known in self.vectors.values())
        return known and time.perf_counter() < self.deadline

    def _first(self, ranked: Rankings, turn: int) -> Held:
        called = [name for earlier in self.turns[:turn] for name in earlier.calls]
        kept = cut.history(self.pool, called, self.permitted) | self.kept
        return cut.initial(self.pool, ranked.fused, kept, self.request.budget)

    def _grown(self, held: Held, ranked: Rankings, turn: int) -> Held:
        most = self.request.budget.most
        fresh = cut.newcomers(held, ranked.fused)
        grown = cut.filled(held, self.pool, fresh, most)
        if fresh and fresh[0] not in grown.order:  # no room for the very best: select anew
            held = self._first(ranked, turn)
            grown = cut.filled(held, self.pool, cut.newcomers(held, ranked.fused), most)
        return grown

    def _candidates(self, bm25: Scores, hits: list[int], meant: Sequence[tuple[str, Vectors]]) -> Positions:
        """Give the positions worth ranking, ascending: of few tools all that are permitted."""
        allowed = np.flatnonzero(self.permitted)
        if len(allowed) <= _FULL:
            return allowed
        by_words = allowed[top(bm25[allowed], _DEPTH)]
        by_meaning = [dense.nearest(mixed, key, self.pool, self.permitted, _DEPTH) for key, mixed in meant]
        return np.unique(np.concatenate([by_words, *by_meaning, np.asarray(hits, dtype=np.int64)]))

    def _scripts(self) -> Scripts:
        return (self.pool.registered if len(self.pool.registered) else self.pool.own).scripts

    def _embed(self, turn: int) -> dict[str, dict[str, Vectors]]:
        """Give by encoder the vectors of the questions from this turn on, then the client's list its own.

        The turn at hand comes first, then the newest: those decide most. Questions come before the list: they take a
        thousandth of the time, and without them its vectors are of no use.
        """
        turns = (turn, *range(self.last, turn, -1))
        waiting = [asked for number in turns for asked in self._asked(number).texts]
        texts = list(dict.fromkeys(waiting))
        for embedder in self.embedders[1:]:
            embedder.questions(texts, 0.0)  # begun beside the first one
        vectors = {embedder.key: embedder.questions(texts, self.deadline) for embedder in self.embedders}
        if self.choosable[: len(self.pool.own)].any():
            asked = self._asked(self.last)
            keys = (embedder.key for embedder in self.embedders)
            spaces = tuple(self.router.with_vectors(self.pool.own, key, asked, self.deadline) for key in keys)
            self.pool = Pool(replace(self.pool.own, spaces=spaces), self.pool.registered)
        return vectors

    def _unsearched(self) -> Held:
        order = tuple(sorted(self.kept))
        return Held(order, tuple(self.kept[p] for p in order))

    def _without_text(self) -> Held:
        """Nothing to search with: the client's list stays as it came, with what is pinned or was called."""
        own = range(len(self.pool.own)) if self.request.source is not Source.REGISTRY else ()
        kept = dict.fromkeys(own, Reason.OWN) | self.kept
        order = tuple(sorted(kept))
        held = Held(order, tuple(kept[p] for p in order))
        called = [name for turn in self.turns for name in turn.calls]
        return cut.with_calls(held, self.pool, called, self.permitted)

    def _mask(self) -> Mask:
        """What retrieval may see, `bool[n]`: trimmable tools of the client, permitted ones of the catalogue.

        A name in both is the client's definition; with the registry as the only source it is in as far as the
        catalogue's is permitted.
        """
        own, request, by_name = self.pool.own, self.request, self.pool.registered.by_name
        registered = self.router.permitted(self.pool.registered, request.grants, request.kinds)
        shadowed = [i for name in own.by_name for i in by_name.get(name, ())]
        every = request.source is not Source.REGISTRY
        offered = {self.pool.registered.tools[i].name for i in shadowed if registered[i]}
        trimmable = ((every or tool.name in offered) and not tool.fixed for tool in own.tools)
        mask = np.fromiter(trimmable, np.bool_, count=len(own))
        if shadowed:
            registered = registered.copy()
            registered[shadowed] = False
        return np.concatenate([mask, registered])

    def _keys(self) -> list[bytes]:
        """One key a turn, of everything but the catalogue that the set in force at it depends on."""
        request = self.request
        scope = (
            self.pool.own.version,
            request.owner,
            sorted(request.grants.risks),
            sorted(request.grants.tags),
            sorted(request.grants.sources),
            sorted(request.kinds),
            request.source,
            (request.budget.initial, request.budget.most),
        )
        running = xxhash.xxh3_128(repr(scope).encode())
        keys = []
        for turn in self.turns:
            running.update(repr(turn.text).encode())  # repr: no text can pass for the end of itself
            keys.append(running.digest())
            running.update(repr(turn.calls).encode())
        return keys

    def _calls(self, turn: int) -> tuple[str, ...]:
        return self.turns[turn].calls if turn >= 0 else ()

    def _asked(self, turn: int) -> RoutingQuery:
        return query.at_turn(self.request.conversation, turn)


_NOTHING = Catalog.build("nothing", ())
