"""A request body in, the body to send out: parse, route and splice, in a worker thread where something is searched for.

Law: it never fails a request. Whatever goes wrong here, or takes too long, the client's own bytes go out; the one
exception is a body whose duplicate keys hide what would be decided about.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import structlog

from app.errors import BadRequest
from app.joining import Decision, decide
from app.lists import Lists
from app.settings import Settings, SourcePolicy, granted
from app.settings.tools import Granted
from app.wire import chat, coding, own_tools
from app.wire.acceptable import acceptable
from app.wire.views import Piece
from app.workers import Length, Task, Workers
from router.catalog import Catalog, Pool
from router.deadline import Check, never, until
from router.errors import OutOfTime
from router.memory import Shares
from router.permit import ANYONE
from router.pipeline import Router
from router.types import Budget, Grants, RouteRequest, Selection, Source, Tool

_log = structlog.get_logger()
_EXPLAIN_S = 5.0
_THREADS = 12  # most of them wait for vectors
_THREADS_ASIDE = 2  # for operators
# When many requests come at once, each waits for its turn: as many budgets at most. Late tools are better than none.
_BUDGETS_TO_WAIT = 10
# A body that is so large that reading it takes longer than routing has taken longer still to arrive.
_BYTES_A_SECOND = 100e6
# What needs no search takes less time than a thread. It is done on the event loop as long as it is small, in bytes and
# in elements beside a tool list that is known: half a millisecond as a rule, 20 ms for the worst of this size.
_AT_ONCE_BYTES = 512 * 2**10
_AT_ONCE_ELEMENTS = 4_000
_SHORT_TOOLS = 2_000  # of a known list; more are long work
_HUGE_BYTES = 8 * 2**20  # a C function goes through so many in 20 ms or so
# A tool list is read to its end although nobody waits for it any more, as the next request finds it read: for so long.
_READ_S = 1.5


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller's `x-toolfunnel-…` headers ask for, and what its key `grants`: `safety.allow` limits that.

    `source` is what a header says about whose tools are sent, `of_key` what the key says; `keep` names tools of the
    client's that stay in a long list.
    """

    off: bool = False
    k: int | None = None
    tags: frozenset[str] = frozenset()
    grants: Grants = ANYONE
    source: SourcePolicy | None = None
    of_key: SourcePolicy | None = None
    keep: tuple[str, ...] = ()

    def granted(self, settings: Settings) -> Granted:
        """Return whose tools its requests get."""
        return granted(settings.tools.source, self.of_key, self.source)


@dataclass(frozen=True, slots=True)
class Routed:
    """The bytes to send, and how they came about. `outcome` is one of `telemetry.Usage.outcome`.

    `own`: how many tools the client sent that may go out; `set_aside`: how many may not. `parsed`: when reading the
    body began and ended, in seconds. `left`: why a tool list had to stay as it was. `decided`: whose tools it gets.
    `pool`: what the selection was made from.
    """

    body: bytes
    outcome: str
    selection: Selection | None = None
    route_ms: float = 0.0
    own: int = 0
    set_aside: int = 0
    parsed: tuple[float, float] | None = None
    left: str = ""
    decided: Decision | None = None
    pool: Pool | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A request that was read; `own` is its tool list where that is known."""

    request: chat.ChatRequest
    parsed: tuple[float, float]
    own: Catalog | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for what: `removed` tools were taken out of the body before."""

    options: Options
    owner: str
    removed: int = 0


_Step = Callable[[bytes | _Read, Catalog, _Asked], Routed | _Read | bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with all that it was made from."""

    pool: Pool
    request: RouteRequest
    selection: Selection
    routable: bool
    decided: Decision
    message: tuple[Piece, ...] = ()


class Routing:
    """Routes bodies within their time budget. `close()` it."""

    def __init__(self, router: Router, settings: Settings) -> None:
        self.router = router
        self._settings = settings
        self._lists = Lists(Shares.of(settings.server.cache_bytes).lists)
        self._workers = Workers(_THREADS, "route")
        self._aside = ThreadPoolExecutor(_THREADS_ASIDE, thread_name_prefix="aside")

    def under(self, settings: Settings) -> Routing:
        """Give the same under other settings; what is remembered and the threads are shared."""
        other = copy.copy(self)
        other._settings = settings  # noqa: SLF001 - our own copy
        return other

    def used_bytes(self) -> dict[str, int]:
        """Return what is remembered of requests, in bytes by the names of `Shares`."""
        return {"lists": self._lists.used_bytes, **self.router.used_bytes()}

    def close(self) -> None:
        """End the worker threads."""
        self._workers.close()
        self._aside.shutdown(wait=False, cancel_futures=True)
        self.router.close()

    async def route(  # noqa: PLR0913 - two of them by name
        self,
        body: bytes,
        catalog: Catalog,
        options: Options,
        owner: str,
        share: str | None = None,
        *,
        removed: int = 0,
    ) -> Routed:
        """Give the body to send. `share` says whose work it is where threads are scarce, the owner's as a rule.

        `removed`: how many tools of the client's were taken out of the body before.

        Raises:
            BadRequest: Duplicate keys hide the tool list or what decides about it.
        """
        started = time.perf_counter()
        what: bytes | _Read = body
        asked = _Asked(options, owner, removed)
        if len(body) <= _AT_ONCE_BYTES:
            decided = self._decided(body, self._known, catalog, asked)
            if isinstance(decided, Routed):
                return replace(decided, route_ms=_ms_since(started))
            what = decided
        task = Task(owner if share is None else share, _length(what))
        steps = self._decided, what, self._searched, catalog, asked
        try:
            job = await self._workers.begin(task, self._wait_s, *steps)
        except TimeoutError:
            return _unrouted(body, started)
        done, _ = await asyncio.wait({job}, timeout=self._answer_s(body))
        routed = job.result() if done else None
        if not isinstance(routed, Routed) or routed.outcome == "timeout":
            return _unrouted(body, started)
        return replace(routed, route_ms=_ms_since(started))

    @property
    def _budget_s(self) -> float:
        return self._settings.select.budget_ms / 1e3

    @property
    def _wait_s(self) -> float:
        return _BUDGETS_TO_WAIT * self._budget_s

    def _answer_s(self, body: bytes) -> float:
        """Return how long an answer is waited for, from when a thread has begun with it."""
        return 2 * self._budget_s + len(body) / _BYTES_A_SECOND

    async def without_own(self, body: bytes, owner: str) -> own_tools.Bare:
        """Take the client's tools out of a body, in a thread that counts as its owner's where it is large.

        Raises:
            NotReadable: See `own_tools.strip`.
            TimeoutError: There was no thread for it in time.
        """
        allowed = self._settings.tools.typed
        if len(body) <= _AT_ONCE_BYTES and not chat.has_more(body, _AT_ONCE_ELEMENTS):
            return own_tools.strip(body, allowed)
        task = Task(owner, _length(body))
        return await asyncio.shield(await self._workers.begin(task, self._wait_s, own_tools.strip, body, allowed))

    async def unpack(
        self, body: bytes, applied: Sequence[str], most: int, owner: str, held: Callable[[int], None] | None = None
    ) -> bytes:
        """Undo the content codings of a body, in a thread that counts as its owner's; see `coding.unpack` for `held`.

        Raises:
            Unpackable: See `coding.unpack`.
            TooLarge: See `coding.unpack`.
            TimeoutError: There was no thread for it in time.
        """
        task = Task(owner, Length.LONG)
        return await asyncio.shield(
            await self._workers.begin(task, self._wait_s, coding.unpack, body, applied, most, held)
        )  # it would give back its place when it is cancelled, and go on

    async def aside(self, work: Callable[[], T]) -> T:
        """Do an operator's work in a thread that no request waits for, and nothing else."""
        run = partial(copy_context().run, work)
        return await asyncio.get_running_loop().run_in_executor(self._aside, run)

    async def explain(self, body: bytes, catalog: Catalog, options: Options) -> Explained:
        """Decide about a body without sending it, with every channel, however long that takes.

        Raises:
            BadRequest: The body is not a chat request.
        """
        return await self.aside(partial(self._explain, body, catalog, options))

    def _decided(self, what: bytes | _Read, step: _Step, catalog: Catalog, asked: _Asked) -> Routed | _Read | bytes:
        """Route a body by a step; what that cannot do comes back, as far as it was read."""
        body = what if isinstance(what, bytes) else what.request.body
        try:
            return step(what, catalog, asked)
        except chat.AmbiguousBody as error:
            raise BadRequest(str(error)) from error
        except chat.Unreadable as error:
            _log.debug("not routed", reason=str(error)[:200])
            return Routed(body, "unreadable")
        except OutOfTime:
            return Routed(body, "timeout")
        except Exception:  # noqa: BLE001 - a fault of routing must never fail the caller's request
            _log.exception("routing failed; the request went out as it came")
            return Routed(body, "failed")

    def _known(self, body: bytes | _Read, catalog: Catalog, asked: _Asked) -> Routed | _Read | bytes:
        """Route what is small, needs no search and has no new list: the event loop waits for this."""
        assert isinstance(body, bytes)  # noqa: S101 - nothing was read yet
        try:
            read = self._read(body, _AT_ONCE_ELEMENTS)
        except chat.TooLong:
            return body
        request = read.request
        own = self._lists.known(request)
        if own is None:
            return read
        read = _Read(request, read.parsed, own)
        if not request.routable:
            return _left(read)
        if len(own) > _SHORT_TOOLS:
            return read
        decision = self._decision(request, own, catalog, asked)
        selection = self.router.known(catalog, own, self._request(request, asked, decision))
        return read if selection is None else self._spliced(read, Pool(own, catalog), selection, decision)

    def _searched(self, what: bytes | _Read, catalog: Catalog, asked: _Asked) -> Routed:
        began = time.perf_counter()
        end = began + self._answer_s(what if isinstance(what, bytes) else what.request.body)
        by = until(max(end, began + _READ_S))
        read = self._read(what, chat.MAX_ELEMENTS, by) if isinstance(what, bytes) else what
        request, deadline = read.request, time.perf_counter() + self._budget_s
        own = self._lists.read(request, by) if read.own is None else read.own
        if not request.routable:
            return _left(read)
        decision = self._decision(request, own, catalog, asked)
        selection = self.router.route(catalog, own, self._request(request, asked, decision), deadline, end=end)
        return self._spliced(read, Pool(own, catalog), selection, decision)

    def _read(self, body: bytes, most: int, check: Check = never) -> _Read:
        began = time.perf_counter()
        return _Read(self._lists.parse(body, most, check), (began, time.perf_counter()))

    def _spliced(self, read: _Read, pool: Pool, selection: Selection, decision: Decision) -> Routed:
        body, outcome, own = read.request.body, "untouched", pool.own
        if selection.changed and selection.tools:
            body, outcome = chat.splice(read.request, self._sent(selection, len(own)), own.tools), "routed"
        return Routed(body, outcome, selection, own=len(own), parsed=read.parsed, decided=decision, pool=pool)

    def _sent(self, selection: Selection, own: int) -> Sequence[Tool]:
        """Return the tools to send: those of the catalogue without what the provider refuses."""
        refused = self._settings.upstream.refuses
        if not refused:
            return selection.tools
        return [
            tool if position < own else replace(tool, definition=acceptable(tool.definition, refused))
            for tool, position in zip(selection.tools, selection.positions, strict=True)
        ]

    def _explain(self, body: bytes, catalog: Catalog, options: Options) -> Explained:
        try:
            removed = 0
            if options.granted(self._settings).policy is SourcePolicy.REGISTRY:
                bare = own_tools.strip(body, self._settings.tools.typed)
                body, removed = bare.body, bare.removed
            parsed = chat.parse(body)
            own = self._lists.read(parsed)
        except (chat.AmbiguousBody, chat.Unreadable, own_tools.NotReadable) as error:
            raise BadRequest(f"This is not a chat request that can be routed: {error}") from error
        asked = _Asked(options, "\0explain", removed)
        decided = self._decision(parsed, own, catalog, asked)
        request = self._request(parsed, asked, decided)
        deadline = time.perf_counter() + _EXPLAIN_S
        selection = self.router.route(catalog, own, request, deadline, explain=True)
        return Explained(Pool(own, catalog), request, selection, parsed.routable, decided, chat.last_pieces(body))

    def _decision(self, parsed: chat.ChatRequest, own: Catalog, catalog: Catalog, asked: _Asked) -> Decision:
        """Return whose tools a request gets."""
        options, most = asked.options, self._budget(asked.options).most
        said = options.granted(self._settings)
        return decide(said, parsed, own, catalog, options.grants, most, asked.removed)

    def _budget(self, options: Options) -> Budget:
        select = self._settings.select
        k = options.k and min(options.k, select.max)
        trusted = frozenset(select.trusted_sources)
        return Budget(k or select.initial, k or select.max, select.max_source_share, trusted)

    def _request(self, parsed: chat.ChatRequest, asked: _Asked, decision: Decision) -> RouteRequest:
        grants, select = asked.options.grants, self._settings.select
        return RouteRequest(
            conversation=parsed.conversation,
            forced=parsed.forced,
            keep=asked.options.keep,
            grants=replace(grants, risks=grants.risks & self._settings.safety.allow, wanted=asked.options.tags),
            budget=self._budget(asked.options),
            floor=select.floor and not _needs_tools(parsed, decision.source),
            source=decision.source,
            owner=asked.owner,
            kinds=parsed.kinds,
        )


def _needs_tools(parsed: chat.ChatRequest, source: Source) -> bool:
    """Tell whether a request cannot do without tools of the catalogue, whatever is asked.

    Where the client's own are set aside, none at all would be left, and a list is never made empty.
    """
    return parsed.demanding or (source is Source.REGISTRY and parsed.tools is not None)


def _left(read: _Read) -> Routed:
    return Routed(read.request.body, "untouched", parsed=read.parsed, left=read.request.left)


def _length(what: object) -> Length:
    """Return how long routing this can be: what is larger than anything that is read on the event loop is long."""
    if isinstance(what, bytes):
        return Length.HUGE if len(what) > _HUGE_BYTES else Length.LONG
    assert isinstance(what, _Read)  # noqa: S101 - it was not routed yet
    return Length.LONG if what.own is not None and len(what.own) > _SHORT_TOOLS else Length.SHORT


def _unrouted(body: bytes, started: float) -> Routed:
    route_ms = _ms_since(started)
    _log.warning("routing took too long; the request went out as it came", route_ms=round(route_ms, 1))
    return Routed(body, "timeout", route_ms=route_ms)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3
