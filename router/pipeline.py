"""route(): conversation and tools in, the few tools to send and the reasons out.

Law: a selection is a function of (catalogue version, grants, request). The history in the request is replayed
turn by turn, so the list of turn n + 1 starts with that of turn n, in every process. What was in force at a
turn is remembered (`recall`): that saves the replay, and keeps a running conversation's list as it was sent when
better vectors arrive, or the catalogue changes, later.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import cached_property

import xxhash

from router import cut, footprint, naming, permit, query
from router.catalog import Catalog, Pool
from router.cut import Held
from router.deadline import Check, checked, never, until
from router.embed.embedder import Embedder
from router.frame import KEY_BYTES, Frame, FrameKey, frame_key, frame_size
from router.keeping import Instructions
from router.memory import Lru, Shares
from router.recall import Recall
from router.search import NOTHING, Memory, Search
from router.types import (
    Grants,
    Kind,
    Mask,
    Mode,
    RankedList,
    Rankings,
    Reason,
    RouteRequest,
    Selection,
    Source,
)

# What a turn must be above the floor to change a list, in deviations: it costs the prompt cache (docs/adr/0009).
GROWS = 0.5

# What is decided on the event loop: for so many of a client's tools, and so many times tool and turn, 2 ms or so each.
_AT_ONCE_TOOLS = 2_000
_AT_ONCE_STEPS = 20_000


class Router:
    """Routes requests. Thread-safe: everything it holds is a memory of pure functions, bounded in bytes."""

    def __init__(self, *embedders: Embedder, shares: Shares | None = None) -> None:
        """Take the embedders that a catalogue's spaces may ask for, and how much may be remembered."""
        shares = shares or Shares.of()
        self.embedders = {embedder.key: embedder for embedder in embedders}
        self.in_force = Recall(shares.conversations)
        self._permitted: Lru[_Scope, Mask] = Lru(shares.frames // 4, _mask_size)
        self._frames: Lru[FrameKey, Frame] = Lru(shares.frames // 2, frame_size)
        self._instructions = Instructions(shares.frames // 8)
        self.memory = Memory(shares.list_vectors)
        self.named = naming.Memory(shares.frames // 8)

    def used_bytes(self) -> dict[str, int]:
        """Return what is remembered, in bytes by the names of `Shares`."""
        embedders = self.embedders.values()
        return {
            "conversations": self.in_force.used_bytes,
            "list_vectors": self.memory.used_bytes,
            "tool_vectors": sum(embedder.used_bytes["tool_vectors"] for embedder in embedders),
            "questions": sum(embedder.used_bytes["questions"] for embedder in embedders),
            "frames": sum(
                memory.used_bytes for memory in (self._permitted, self._frames, self.named, self._instructions)
            ),
            "waiting": sum(embedder.used_bytes["waiting"] for embedder in embedders),
        }

    def close(self) -> None:
        """End the embedders' threads."""
        for embedder in self.embedders.values():
            embedder.close()

    def route(  # noqa: PLR0913 - two of them by name
        self,
        registered: Catalog,
        own: Catalog,
        request: RouteRequest,
        deadline: float,
        *,
        end: float = math.inf,
        explain: bool = False,
    ) -> Selection:
        """Select the tools of one request.

        `own` is the client's list; its vectors are found here. `deadline` and `end` are times of `time.perf_counter`:
        vectors that are not ready by the first are done without, and by the second all work ends. `explain` ranks the
        last turn even when it is remembered.

        Raises:
            OutOfTime: It has not come to a result by `end`.
        """
        started = time.perf_counter()
        run = _Run(self, registered, own, request, deadline, until(end))
        held = run.in_force()
        if not (explain and run.search.asked(run.last).texts):
            return run.selection(held, (time.perf_counter() - started) * 1e3)
        run.search.rankings(run.last)
        run.search.margin(run.last)
        selection = run.selection(held, (time.perf_counter() - started) * 1e3)
        return replace(selection, unrestricted=run.search.unrestricted(run.last), named=run.naming.mentioned(run.last))

    def known(self, registered: Catalog, own: Catalog, request: RouteRequest) -> Selection | None:
        """Select the tools of a request that needs no search, or whose set is remembered; None for any other.

        Takes a tenth of a millisecond, and gives what `route` would give. None as well for what would take longer: the
        event loop waits for this.
        """
        started = time.perf_counter()
        reached = _reached(registered, request)
        if self._permitted.get((reached.version, request.grants, request.kinds)) is None:
            return None
        if len(own) > _AT_ONCE_TOOLS or self._instructions.known(own, request) is None:
            return None
        run = _Run(self, registered, own, request, started)
        if not (run.needs_no_search() and run.is_brief()):
            return None
        return run.selection(run.in_force(), (time.perf_counter() - started) * 1e3)

    def permitted(self, catalog: Catalog, grants: Grants, kinds: frozenset[Kind]) -> Mask:
        """Give `permit.permitted`, remembered by catalogue version."""
        key = (catalog.version, grants, kinds)
        mask = self._permitted.get(key)
        if mask is None:
            mask = permit.permitted(catalog, grants, kinds)
            self._permitted.put(key, mask)
        return mask

    def frame(self, pool: Pool, request: RouteRequest) -> Frame:
        """Give `Frame.build`, remembered."""
        named = self._instructions.named(pool.own, request)
        key = frame_key(pool, request, named)
        frame = self._frames.get(key)
        if frame is None:
            frame = Frame.build(pool, request, self.permitted(pool.registered, request.grants, request.kinds), named)
            self._frames.put(key, frame)
        return frame

    def asked_of(self, catalog: Catalog) -> list[Embedder]:
        """Give the embedders whose vectors a catalogue holds; of one without any, all."""
        found = [self.embedders[space.key] for space in catalog.spaces if space.key in self.embedders]
        return found or list(self.embedders.values())


class _Run:
    """One request on its way: the replay of its turns over one pool."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a request is made of
        self,
        router: Router,
        registered: Catalog,
        own: Catalog,
        request: RouteRequest,
        deadline: float,
        check: Check = never,
    ) -> None:
        self.router = router
        self.pool = pool = Pool(own, _reached(registered, request))
        self.request = request
        self.deadline = deadline
        self.check = check
        self.turns = request.conversation.turns
        self.last = len(self.turns) - 1
        self.unsearched = self.looked = False
        self.recalled: Held | None = None
        self.handled: set[str] = set()  # names of tools whose calls were seen to on the way
        self.frame = router.frame(pool, request)
        self.naming = naming.Naming(router.named, pool, self.frame, request)
        self.keys = self._keys()
        embedders = router.asked_of(registered)
        self.search = Search(router.memory, embedders, pool, self.frame, request, deadline, check)

    def needs_no_search(self) -> bool:
        """Tell whether there is nothing to choose from or to search with, or the set of the last turn is remembered."""
        if not (self.frame.chooses and self.request.conversation.has_text):
            return True
        held = self._recalled(self.last)
        return held is not None and (held.settled or self._sent(self.last)) and self.naming.is_known(self.last)

    def is_brief(self) -> bool:
        """Return whether what needs no search takes less than some milliseconds, too: each turn looks at every tool."""
        return len(self.turns) * len(self.pool.own) <= _AT_ONCE_STEPS or self._recalled(self.last) is not None

    def in_force(self) -> Held:
        """Give the set to send, and remember it as sent where it would not come out the same again."""
        if not self.request.conversation.has_text:
            return cut.with_forced(self._without_text(), self.pool, self.request.forced, self.frame.demandable)
        replayed = self._replay()
        held = cut.with_forced(replayed, self.pool, self.request.forced, self.frame.demandable)
        if held is not replayed or not held.settled:
            hasty = held.hasty and held is replayed  # a forced tool is not for the next one who asks
            self.router.in_force.put(self.keys[self.last], replace(held, settled=False, hasty=hasty), self.pool)
        return held

    def _replay(self) -> Held:
        """Give the set at the last turn, from the latest turn that is remembered, or from the first."""
        turn, held = self.last, None
        while turn >= 0 and (held := self._recalled(turn)) is None:
            self.check()
            turn -= 1
        if held is None:
            held = Held()
        elif held.settled or self._sent(turn):
            # What was sent in haste is what follows goes on from, as if it had been chosen at leisure.
            held = replace(held, settled=held.settled or held.hasty) if turn < self.last else held
            held = self._with_calls(self._with_named_around(held, turn), turn)
        else:
            return self._extended(held, turn)
        for number in checked(range(turn + 1, len(self.turns)), self.check):
            held = self._advance(held, number)
            # Where there is nothing to choose from an earlier set is found as fast as it is remembered.
            if held.settled and (self.frame.chooses or number == self.last):
                self.router.in_force.put(self.keys[number], held, self.pool)
            held = self._with_calls(held, number)
        return held

    def _extended(self, held: Held, turn: int) -> Held:
        """Return a set that was found in haste, extended once all vectors are there; asked again it is the same."""
        after = self._advance(held, turn)
        if after.hasty:
            return held
        after = replace(after, settled=True)  # nothing more comes of asking again
        self.router.in_force.put(self.keys[turn], after, self.pool)
        return after

    def _with_named_around(self, held: Held, turn: int) -> Held:
        """Return a set with what is named around the request now; that is no part of the key, and was another then."""
        missing = self.naming.around(turn) if turn == self.last else []
        after = cut.filled(held, self.pool, missing, self.request.budget.most, Reason.NAMED)
        if after is not held:
            self.router.in_force.put(self.keys[turn], after, self.pool)
        return after

    def _with_calls(self, held: Held, turn: int) -> Held:
        fresh = [name for name in self._calls(turn) if name not in self.handled]
        self.handled.update(fresh)
        return cut.with_calls(held, self.pool, fresh, self.frame.permitted) if fresh else held

    def _recalled(self, turn: int) -> Held | None:
        if turn != self.last:
            return self._recall(turn)
        if not self.looked:  # it is asked for twice
            self.recalled, self.looked = self._recall(turn), True
        return self.recalled

    def _recall(self, turn: int) -> Held | None:
        sent = self._sent(turn)
        return self.router.in_force.get(self.keys[turn], self.pool, self.frame.permitted, self.frame.kept, sent=sent)

    def _sent(self, turn: int) -> bool:
        """Whether the conversation went on after a turn's list was sent."""
        return turn < self.last or bool(self._calls(turn))

    def selection(self, held: Held, route_ms: float) -> Selection:
        """Give the result with its figures."""
        rankings, margin = self.search.found(self.last)
        tokens = [self.pool.tokens_of(p) for p in held.order]
        beside = [number for p, number in zip(held.order, tokens, strict=True) if not self.frame.offered[p]]
        changed = held.order != tuple(range(len(self.pool.own)))
        mode = Mode.LEXICAL if held.by_words else Mode.HYBRID
        return Selection(
            tools=tuple(self.pool.tool(p) for p in held.order),
            positions=held.order,
            reasons=held.reasons,
            mode=mode if changed else Mode.UNTOUCHED,
            changed=changed,
            available=self.frame.available + len(beside),
            tokens_before=self.frame.tokens + sum(beside),
            tokens_after=sum(tokens),
            query=self.search.sought(self.last) if rankings else self.search.asked(self.last),
            relevance=margin,
            rankings=rankings,
            timings_ms={"route": route_ms},
        )

    def _advance(self, held: Held, turn: int) -> Held:
        if not self.turns[turn].text:
            return held
        if not self.frame.chooses:
            if not self.unsearched:  # of one turn it is what it is of all
                held, self.unsearched = cut.appended(self._unsearched(), held.order, Reason.HISTORY), True
            return held
        if held.started and turn < self.last and not self._in_time(turn):
            most = self.request.budget.most
            return replace(cut.filled(held, self.pool, self.naming.at(turn), most, Reason.NAMED), settled=False)
        ranked, margin = self.search.rankings(turn), self.search.margin(turn)
        idle = margin is not None and margin < (GROWS if held.started else 0)
        if held.started:
            after = self._grown(held, ranked, turn, idle=idle)
        else:
            first = self._without_catalogue(ranked, turn, held) if idle else self._first(ranked, turn, held)
            after = cut.behind(held, first)
        hasty = not (self.search.decided(turn) and self.search.pool.ready()[self.frame.choosable].all())
        return replace(
            after,
            by_words=after.by_words or ranked.by_words,
            hasty=hasty,
            settled=held.settled and not hasty and not query.reads_around(self.turns[turn]),
        )

    def _in_time(self, turn: int) -> bool:
        """Whether a turn that is over can still be ranked well: growth that is missed is less harm than noise."""
        return self.search.knows(turn) and time.perf_counter() < self.deadline

    def _first(self, ranked: Rankings, turn: int, held: Held) -> Held:
        """Give a first set; `held` is what was sent before anything was searched for."""
        called = [name for name, first in self.first_called.items() if first < turn]
        kept = cut.history(self.pool, called, self.frame.permitted) | self.frame.kept
        kept = dict(zip(held.order, held.reasons, strict=True)) | kept
        budget, wanted = self.request.budget, self.naming.at(turn)
        there = dict.fromkeys(wanted, Reason.NAMED) | kept
        fused = cut.within_share(self.pool, ranked.fused, there, budget, budget.initial)
        return cut.initial(self.pool, fused, kept, budget, wanted)

    def _without_catalogue(self, ranked: Rankings, turn: int, held: Held) -> Held:
        """Give a first set for a question that needs no tool: of a client's long list the best, as ever."""
        own = ranked.fused.ids < len(self.pool.own)
        only = replace(ranked, fused=RankedList(ranked.fused.ids[own], ranked.fused.scores[own]))
        first = self._first(only, turn, held)
        return replace(first, started=Reason.RETRIEVED in first.reasons)

    def _grown(self, held: Held, ranked: Rankings, turn: int, *, idle: bool) -> Held:
        most, wanted = self.request.budget.most, self.naming.at(turn)
        grown = cut.filled(held, self.pool, wanted, most, Reason.NAMED)
        fresh = [] if idle else self._newcomers(grown, ranked)
        after = cut.filled(grown, self.pool, fresh, most)
        outdone = fresh[:1] != [] and fresh[0] not in after.order
        outdone = outdone and cut.is_outdone(grown, ranked.fused, fresh[0], self.request.budget)
        if outdone or not set(wanted).issubset(after.order):
            return self._first(ranked, turn, Held())  # no room for the very best, or for what is named
        return after

    def _newcomers(self, held: Held, ranked: Rankings) -> list[int]:
        budget, there = self.request.budget, dict(zip(held.order, held.reasons, strict=True))
        return cut.newcomers(held, cut.within_share(self.pool, ranked.fused, there, budget, budget.most))

    def _unsearched(self) -> Held:
        order = tuple(sorted(self.frame.kept))
        return Held(order, tuple(self.frame.kept[p] for p in order))

    def _without_text(self) -> Held:
        """Nothing to search with: the client's list stays as it came, with what is pinned or was called."""
        own = range(len(self.pool.own)) if self.request.source is not Source.REGISTRY else ()
        kept = dict.fromkeys(own, Reason.OWN) | self.frame.kept
        order = tuple(sorted(kept))
        held = Held(order, tuple(kept[p] for p in order))
        return cut.with_calls(held, self.pool, self.first_called, self.frame.permitted)

    @cached_property
    def first_called(self) -> dict[str, int]:
        """Give the names that were called, in their order, and the turn at which each was called first."""
        found: dict[str, int] = {}
        for number, turn in enumerate(checked(self.turns, self.check)):
            for name in turn.calls:
                found.setdefault(name, number)
        return found

    def _keys(self) -> list[bytes]:
        """One key a turn, of everything but the catalogue that the set in force at it depends on."""
        running = xxhash.xxh3_128(self.frame.scope)
        running.update(repr((self.request.owner, self.request.floor)).encode())
        keys = []
        for turn in checked(self.turns, self.check):
            # What stands around a request is no part of it: it may come again without.
            for said in (turn.text, turn.before) if turn.before else (turn.text,):
                text = said.encode("utf-8", "surrogatepass")
                running.update(b"%d:" % len(text))  # its length: no text can pass for the end of itself
                running.update(text)
            keys.append(running.digest())
            running.update(repr(turn.calls).encode())
        return keys

    def _calls(self, turn: int) -> tuple[str, ...]:
        return self.turns[turn].calls if turn >= 0 else ()


def _reached(registered: Catalog, request: RouteRequest) -> Catalog:
    return NOTHING if request.source is Source.REQUEST else registered


_Scope = tuple[str, Grants, frozenset[Kind]]


def _mask_size(key: _Scope, mask: Mask) -> int:
    return KEY_BYTES + footprint.of_grants(key[1]) + footprint.of_array(mask)
