"""A request body in, the body to send out: parse, route and splice, in a worker thread where something is searched for.

Law: it never fails a request. Whatever goes wrong here, or takes too long, the client's own bytes go out; the one
exception is a body whose duplicate keys hide what would be decided about.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial

import structlog

from app.errors import BadRequest
from app.lists import Lists
from app.settings import Settings
from app.wire import chat
from app.wire.acceptable import acceptable
from router.catalog import Catalog, Pool
from router.permit import ANYONE
from router.pipeline import Router
from router.types import Budget, Grants, RouteRequest, Selection, Source, Tool

_log = structlog.get_logger()
_EXPLAIN_S = 5.0
_THREADS = 8  # most of them wait for vectors
# When many requests come at once, each waits for its turn: as many budgets at most. Late tools are better than none.
_BUDGETS_TO_WAIT = 10
# A body that is so large that reading it takes longer than routing has taken longer still to arrive.
_BYTES_A_SECOND = 100e6
# What needs no search takes less time than a thread: up to this size it is done where it stands, in half a millisecond.
_AT_ONCE_BYTES = 512 * 2**10


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller's `x-toolfunnel-…` headers ask for, and what its key `grants`: `safety.allow` limits that."""

    off: bool = False
    k: int | None = None
    tags: frozenset[str] = frozenset()
    grants: Grants = ANYONE


@dataclass(frozen=True, slots=True)
class Routed:
    """The bytes to send, and how they came about. `outcome` is one of `telemetry.Usage.outcome`.

    `own`: how many tools the client sent. `parsed`: when reading the body began and ended, in seconds.
    """

    body: bytes
    outcome: str
    selection: Selection | None = None
    route_ms: float = 0.0
    own: int = 0
    parsed: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    request: chat.ChatRequest
    parsed: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with all that it was made from."""

    pool: Pool
    request: RouteRequest
    selection: Selection
    routable: bool


class Routing:
    """Routes bodies within their time budget. `close()` it."""

    def __init__(self, router: Router, settings: Settings) -> None:
        self.router = router
        self._settings = settings
        self._lists = Lists()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="route")
        self._free = asyncio.Semaphore(_THREADS)

    def under(self, settings: Settings) -> Routing:
        """Give the same under other settings; what is remembered and the threads are shared."""
        other = copy.copy(self)
        other._settings = settings  # noqa: SLF001 - our own copy
        return other

    def close(self) -> None:
        """End the worker threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.router.close()

    async def route(self, body: bytes, catalog: Catalog, options: Options, owner: str) -> Routed:
        """Give the body to send.

        Raises:
            BadRequest: Duplicate keys hide the tool list or what decides about it.
        """
        started = time.perf_counter()
        what: bytes | _Read = body
        if len(body) <= _AT_ONCE_BYTES:
            decided = self._decide(body, catalog, options, owner, search=False)
            if isinstance(decided, Routed):
                return replace(decided, route_ms=_ms_since(started))
            what = decided
        budget_s = self._settings.select.budget_ms / 1e3
        try:
            async with asyncio.timeout(_BUDGETS_TO_WAIT * budget_s):
                await self._free.acquire()
        except TimeoutError:
            return _unrouted(body, started)
        decide = partial(copy_context().run, self._decide, what, catalog, options, owner)  # lines name the request
        job = asyncio.get_running_loop().run_in_executor(self._threads, decide)
        job.add_done_callback(self._done)
        done, _ = await asyncio.wait({job}, timeout=2 * budget_s + len(body) / _BYTES_A_SECOND)
        if not done:
            return _unrouted(body, started)
        routed = job.result()
        assert isinstance(routed, Routed)  # noqa: S101 - it searched
        return replace(routed, route_ms=_ms_since(started))

    def _done(self, job: asyncio.Future[Routed | _Read]) -> None:
        """Let the next request in; and take note of a late result, so that nobody complains it was never seen."""
        self._free.release()
        if not job.cancelled():
            job.exception()

    async def explain(self, body: bytes, catalog: Catalog, options: Options) -> Explained:
        """Decide about a body without sending it, with every channel, however long that takes.

        Raises:
            BadRequest: The body is not a chat request.
        """
        return await asyncio.to_thread(self._explain, body, catalog, options)  # requests keep their threads

    def _decide(
        self, what: bytes | _Read, catalog: Catalog, options: Options, owner: str, *, search: bool = True
    ) -> Routed | _Read:
        """Route a body; without `search` only read it where that, or reading a new list, would be needed."""
        body = what if isinstance(what, bytes) else what.request.body
        try:
            read = self._read(what) if isinstance(what, bytes) else what
            return self._routed(read, catalog, options, owner, search=search) or read
        except chat.AmbiguousBody as error:
            raise BadRequest(str(error)) from error
        except chat.Unreadable as error:
            _log.debug("not routed", reason=str(error)[:200])
            return Routed(body, "unreadable")
        except Exception:  # noqa: BLE001 - a fault of routing must never fail the caller's request
            _log.exception("routing failed; the request went out as it came")
            return Routed(body, "failed")

    def _read(self, body: bytes) -> _Read:
        began = time.perf_counter()
        return _Read(self._lists.parse(body), (began, time.perf_counter()))

    def _routed(self, read: _Read, catalog: Catalog, options: Options, owner: str, *, search: bool) -> Routed | None:
        request, parsed = read.request, read.parsed
        body, deadline = request.body, time.perf_counter() + self._settings.select.budget_ms / 1e3
        own = self._lists.read(request) if search else self._lists.known(request)
        if own is None:
            return None
        if not request.routable:
            return Routed(body, "untouched", parsed=parsed)
        asked = self._request(request, options, owner)
        if search:
            selection = self.router.route(catalog, own, asked, deadline)
        elif (known := self.router.known(catalog, own, asked)) is not None:
            selection = known
        else:
            return None
        if not selection.changed or not selection.tools:
            return Routed(body, "untouched", selection, own=len(own), parsed=parsed)
        spliced = chat.splice(request, self._sent(selection, len(own)), own.tools)
        return Routed(spliced, "routed", selection, own=len(own), parsed=parsed)

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
            parsed = chat.parse(body)
            own = self._lists.read(parsed)
        except (chat.AmbiguousBody, chat.Unreadable) as error:
            raise BadRequest(f"This is not a chat request that can be routed: {error}") from error
        request = self._request(parsed, options, owner="\0explain")
        deadline = time.perf_counter() + _EXPLAIN_S
        selection = self.router.route(catalog, own, request, deadline, explain=True)
        return Explained(Pool(own, catalog), request, selection, parsed.routable)

    def _request(self, parsed: chat.ChatRequest, options: Options, owner: str) -> RouteRequest:
        select = self._settings.select
        k = options.k and min(options.k, select.max)
        return RouteRequest(
            conversation=parsed.conversation,
            forced=parsed.forced,
            grants=replace(
                options.grants, risks=options.grants.risks & self._settings.safety.allow, wanted=options.tags
            ),
            budget=Budget(
                k or select.initial, k or select.max, select.max_source_share, frozenset(select.trusted_sources)
            ),
            floor=select.floor and not self._needs_tools(parsed),
            source=self._settings.tools.source,
            owner=owner,
            kinds=parsed.kinds,
        )

    def _needs_tools(self, parsed: chat.ChatRequest) -> bool:
        """Tell whether a request cannot do without tools of the catalogue, whatever is asked.

        Where the client's own are set aside, none at all would be left, and a list is never made empty.
        """
        return parsed.demanding or (self._settings.tools.source is Source.REGISTRY and parsed.tools is not None)


def _unrouted(body: bytes, started: float) -> Routed:
    route_ms = _ms_since(started)
    _log.warning("routing took too long; the request went out as it came", route_ms=round(route_ms, 1))
    return Routed(body, "timeout", route_ms=route_ms)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3
