"""route(): conversation and tools in, the few tools to send and the reasons out.

Law: a selection is a function of (catalogue version, grants, request). The history in the request is replayed
turn by turn, so the list of turn n + 1 starts with that of turn n, in every process. What was in force at a turn is
remembered (bounded): that saves the replay, and keeps a running conversation's list as it was sent when better
vectors arrive later.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import xxhash

from router import cut, fuse, permit, query, text
from router.catalog import Catalog, Pool
from router.cut import Held
from router.embed.embedder import Embedder
from router.index.flat import FlatIndex
from router.memory import Lru
from router.retrieve import dense, lexical
from router.types import (
    Grants,
    Kind,
    Mask,
    Mode,
    Rankings,
    Reason,
    RouteRequest,
    RoutingQuery,
    Selection,
    Source,
)

_DEPTH = 5_000  # as many as are ranked in full; beyond, each channel gives its best


class Router:
    """Routes requests. Thread-safe: everything it holds is a bounded memory of pure functions."""

    def __init__(self, embedder: Embedder, *, conversations: int = 20_000) -> None:
        self.embedder = embedder
        self._in_force: Lru[bytes, Held] = Lru(conversations)
        self._permitted: Lru[tuple[str, Grants, frozenset[Kind]], Mask] = Lru(256)
        self._own: Lru[str, Catalog] = Lru(256)

    def route(
        self, registered: Catalog, own: Catalog, request: RouteRequest, deadline: float, *, explain: bool = False
    ) -> Selection:
        """Select the tools of one request.

        `own` is the client's list; its vectors are found here. `deadline` is a time of `time.perf_counter`: vectors
        that are not ready by then are done without. `explain` ranks the last turn even when it is remembered.
        """
        started = time.perf_counter()
        own = self._with_vectors(own, request, deadline)
        run = _Run(self, Pool(own, registered), request, deadline)
        held = run.replay()
        held = cut.with_forced(held, run.pool, request.forced, run.permitted)
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

    def _with_vectors(self, own: Catalog, request: RouteRequest, deadline: float) -> Catalog:
        """Give the client's list its vectors, as many as are ready in time, those of the likeliest tools first."""
        if len(own) <= request.budget.initial or not request.conversation.has_text:
            return own
        known = self._own.get(own.version)
        if known is not None:
            return known
        likely = lexical.rank(
            query.at_turn(request.conversation, len(request.conversation.turns) - 1),
            Pool(own, _NOTHING),
            np.ones(len(own), dtype=np.bool_),
            len(own),
        )
        digests = [text.digest(tool) for tool in own.tools]
        vectors, ready = self.embedder.tools(own.tools, digests, likely.ids.tolist(), deadline)
        own = replace(own, index=FlatIndex(vectors), ready=ready)
        if ready.all():
            self._own.put(own.version, own)
        return own

    def recall(self, key: bytes) -> Held | None:
        """Give what was in force at a turn, if it is remembered."""
        return self._in_force.get(key)

    def remember(self, key: bytes, held: Held) -> None:
        """Remember what is in force at a turn."""
        self._in_force.put(key, held)


class _Run:
    """One request on its way: the replay of its turns over one pool."""

    def __init__(self, router: Router, pool: Pool, request: RouteRequest, deadline: float) -> None:
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
        self.keys = self._keys()
        self.rankings: dict[int, Rankings] = {}
        self.vectors: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] | None = None
        self.lexical_only = False

    def replay(self) -> Held:
        """Give the set in force now, from the latest turn that is remembered, or from the first."""
        if not self.request.conversation.has_text:
            return self._without_text()
        turn, held = self.last, None
        while turn >= 0 and (held := self.router.recall(self.keys[turn])) is None:
            turn -= 1
        held = Held() if held is None else cut.with_calls(held, self.pool, self._calls(turn), self.permitted)
        for number in range(turn + 1, len(self.turns)):
            held = self._advance(held, number)
            self.router.remember(self.keys[number], held)
            held = cut.with_calls(held, self.pool, self._calls(number), self.permitted)
        return held

    def rank(self, turn: int) -> Rankings:
        """Rank the pool by the question of a turn."""
        asked = query.at_turn(self.request.conversation, turn)
        if self.vectors is None:
            waiting = [t for n in range(turn, len(self.turns)) for t in self._asked(n).texts]
            self.vectors = self.router.embedder.questions(list(dict.fromkeys(waiting)), self.deadline)
        words = lexical.rank(asked, self.pool, self.permitted, _DEPTH)
        meaning = dense.rank(asked, self.vectors, self.pool, self.permitted, _DEPTH)
        self.lexical_only |= meaning is None
        fused = fuse.weighted(
            words,
            meaning,
            ready=self.pool.ready(),
            permitted=self.permitted,
            hits=[p for p in lexical.keyword_hits(asked, self.pool) if self.permitted[p]],
        )
        return Rankings(fused, words, meaning)

    def selection(self, held: Held, rankings: Rankings | None, route_ms: float) -> Selection:
        """Give the result with its figures."""
        own, tokens = len(self.pool.own), self.pool.tokens()
        offered = self.permitted.copy()
        offered[:own] = True
        changed = held.order != tuple(range(own))
        mode = Mode.LEXICAL if self.lexical_only else Mode.HYBRID
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
        if not held.started and not self._searching():
            return self._unsearched()
        ranked = self.rankings[turn] = self.rank(turn)
        if not held.started:
            return cut.appended(self._first(ranked, turn), held.order, Reason.HISTORY)
        fresh = cut.newcomers(held, ranked.fused)
        if fresh and held.budgeted + len(fresh) > self.request.budget.most:
            return self._first(ranked, turn)
        return cut.appended(held, fresh, Reason.GROWN)

    def _first(self, ranked: Rankings, turn: int) -> Held:
        called = [name for earlier in self.turns[:turn] for name in earlier.calls]
        return cut.initial(self.pool, ranked.fused, self.kept, self.request.budget, called, self.permitted)

    def _searching(self) -> bool:
        """Whether there is anything to choose: a tool beyond those that are kept in any case."""
        choosable = self.permitted.copy()
        choosable[list(self.kept)] = False
        return bool(choosable.any())

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
        """What retrieval may see, `bool[n]`: trimmable tools of the client, permitted ones of the catalogue."""
        own, request = self.pool.own, self.request
        trimmable = request.source is not Source.REGISTRY
        mask = np.fromiter((trimmable and not tool.fixed for tool in own.tools), np.bool_, count=len(own))
        registered = self.router.permitted(self.pool.registered, request.grants, request.kinds)
        shadowed = [i for name in own.by_name for i in self.pool.registered.by_name.get(name, ())]
        if shadowed:
            registered = registered.copy()
            registered[shadowed] = False
        return np.concatenate([mask, registered])

    def _keys(self) -> list[bytes]:
        """One key a turn, of everything that the set in force at it depends on."""
        request = self.request
        scope = (
            self.pool.registered.version,
            self.pool.own.version,
            request.owner,
            sorted(request.grants.risks),
            sorted(request.grants.tags),
            sorted(request.kinds),
            request.source,
            (request.budget.initial, request.budget.most),
        )
        running = xxhash.xxh3_128(repr(scope).encode())
        keys = []
        for turn in self.turns:
            running.update(b"\0u")
            running.update(turn.text.encode("utf-8", "surrogatepass"))
            keys.append(running.digest())
            running.update(repr(turn.calls).encode("utf-8", "surrogatepass"))
        return keys

    def _calls(self, turn: int) -> tuple[str, ...]:
        return self.turns[turn].calls if turn >= 0 else ()

    def _asked(self, turn: int) -> RoutingQuery:
        return query.at_turn(self.request.conversation, turn)


_NOTHING = Catalog.build("nothing", ())
