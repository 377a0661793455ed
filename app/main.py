"""create_app(): the only place that wires things together."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypedDict

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from threadpoolctl import threadpool_limits

from app import __version__
from app.admin import endpoints as admin
from app.admin import keys as admin_keys
from app.admin.service import AdminService
from app.callers import doors
from app.callers.follow import LOOK_S, Following
from app.callers.rate import RateLimits
from app.callers.ring import Keyring
from app.encoders import close_all
from app.encoders.readers import Reader, examine_later
from app.encoders.readers import load as load_readers
from app.errors import (
    Answer,
    BadRequest,
    ConfigurationError,
    GatewayError,
    InvalidRecords,
    RegistryError,
    answer_for,
    headers_for,
    openai_body,
)
from app.gateway import endpoints as gateway
from app.gateway.flow import Gateway
from app.gateway.forward import Upstream
from app.imports import endpoints as imports
from app.imports.clock import Synchroniser
from app.recent import Recent
from app.registry.keys import KeyStore
from app.registry.shelf import MemoryShelf, Shelf
from app.registry.snapshot import Snapshots
from app.registry.sources import Sources
from app.registry.store import Registry
from app.reload import Reload
from app.routing import Options, Routing
from app.settings import Configuration, IndexKind, Settings, in_words, read
from app.settings.encoders import dumped, restored
from app.settings.secret import secrets_of
from app.telemetry import Telemetry, configure_logging
from app.telemetry.traces import tracing_to
from router.embed.embedder import Embedder
from router.embed.profile import UNKNOWN
from router.errors import EncoderError
from router.memory import Shares
from router.pipeline import Router
from router.types import Encoder, Vectors

_log = structlog.get_logger()

# The first question of a process pays for what is made lazily; nobody should wait for that.
_WARM_UP = b'{"messages":[{"role":"user","content":"warm up"}]}'

# So many new objects are looked through for garbage at a time: those of thirty requests or so.
_GARBAGE = 10_000

# Vectors of tools that clients sent themselves: as many are kept over a restart.
_KEPT_VECTORS = 20_000


class State(TypedDict):
    """What every request finds in its scope."""

    gateway: Gateway
    admin: AdminService
    telemetry: Telemetry
    reload: Reload
    keys: Following
    imports: Synchroniser


def create_app(given: Settings | Configuration | None = None) -> FastAPI:
    """Make the application; without settings, from config.yaml and the environment."""
    configuration = _configuration(given or read())
    settings = configuration.settings
    configure_logging(settings.log, secrets_of(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with _running(configuration) as state:
            yield state

    app = _Application(
        title="Toolfunnel",
        version=__version__,
        summary="Gives each request the few tools it needs out of a catalogue of thousands.",
        lifespan=lifespan,
        docs_url="/admin/docs",
        openapi_url="/admin/openapi.json",
        swagger_ui_oauth2_redirect_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(admin.admin)
    app.include_router(admin_keys.keys)
    app.include_router(imports.imports)
    app.include_router(admin.probes)
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)
    return app


def _configuration(given: Settings | Configuration) -> Configuration:
    return Configuration(given) if isinstance(given, Settings) else given


class _Application(FastAPI):
    """FastAPI, past which the data plane's requests go: its middlewares take 60 µs and do nothing for them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(gateway.BELOW):
            await gateway.answer(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


@asynccontextmanager
async def _running(given: Settings | Configuration) -> AsyncIterator[State]:
    settings = (configuration := _configuration(given)).settings
    threadpool_limits(limits=1, user_api="blas")  # requests run beside each other; one must not spin on all cores
    async with AsyncExitStack() as closing:
        registry = await Registry.open(settings.registry.address)
        closing.push_async_callback(registry.close)
        readers = await asyncio.to_thread(load_readers, settings)
        previous = await _previous(settings, registry, readers)
        every = {reader.encoder.key: reader for reader in (*previous, *readers)}
        closing.callback(close_all, [reader.encoder for reader in every.values()])
        router = await _router(every.values(), registry, Shares.of(settings.server.cache_bytes), closing)
        routing, upstream, telemetry = Routing(router, settings), Upstream(settings.upstream), Telemetry()
        closing.push_async_callback(asyncio.to_thread, routing.close)
        tracing = tracing_to(settings.trace, secrets_of(settings))
        if tracing is not None:
            closing.push_async_callback(asyncio.to_thread, tracing.close)
        snapshots = Snapshots(
            registry,
            [reader.encoder for reader in readers],
            telemetry,
            settings.registry.poll_s,
            previous=[reader.encoder for reader in previous],
            on_complete=lambda: registry.set_encoders(dumped(settings.encoder)),
            shelf_of=await _shelves(settings, registry, [reader.encoder for reader in every.values()], closing),
        )
        closing.push_async_callback(snapshots.stop)
        await snapshots.start()
        closing.push_async_callback(_ended, _examining(router, snapshots))
        await routing.explain(_WARM_UP, snapshots.catalog, Options())
        keys, limits = await _keys(settings, registry, closing), _limits(settings)
        closing.push_async_callback(limits.close)
        parts = settings, snapshots, routing, upstream, telemetry, tracing
        gateway = Gateway(*parts, keyring=keys.ring, limits=limits, recent=_recent(settings))
        service = AdminService(settings, registry, snapshots, routing, telemetry)
        closing.push_async_callback(_ended, [_watching(gateway)])
        importing = Synchroniser(Sources(registry), settings.imports, service.show, settings.safety.allow)
        closing.push_async_callback(importing.stop)
        await importing.start()
        reload = Reload(configuration, gateway, service, importing)
        closing.push_async_callback(reload.close)
        _settle()
        doors.tell(configuration, len(snapshots.catalog), len(keys.ring))
        yield {
            "gateway": gateway,
            "admin": service,
            "telemetry": telemetry,
            "reload": reload,
            "keys": keys,
            "imports": importing,
        }


async def _shelves(
    settings: Settings, registry: Registry, encoders: Sequence[Encoder], closing: AsyncExitStack
) -> Callable[[Registry, Encoder], Shelf]:
    """Make the places where vectors are searched."""
    if settings.index is IndexKind.MEMORY:
        return MemoryShelf
    from app.registry import nearest  # noqa: PLC0415 - its driver is an extra

    pool = nearest.pool_of(registry, settings.select.budget_ms)
    closing.push_async_callback(asyncio.to_thread, pool.close)
    shelves = {encoder.key: nearest.PgVectorShelf(registry, encoder, pool) for encoder in encoders}
    for shelf in shelves.values():
        await shelf.prepare()
    return lambda _, encoder: shelves[encoder.key]


async def _previous(settings: Settings, registry: Registry, readers: Sequence[Reader]) -> list[Reader]:
    """Load the encoders that were in force before the configured ones; they serve until those have embedded all."""
    written = await registry.encoders()
    if written is None or written == dumped(settings.encoder):
        return []
    try:
        specs = restored(written, settings.encoder)
        there = dict(zip(settings.encoder, readers, strict=True))
        absent = tuple(spec for spec in specs if spec not in there)
        if absent:
            there |= zip(absent, await asyncio.to_thread(load_readers, settings, absent), strict=True)
        return [there[spec] for spec in specs]
    except (ValueError, EncoderError, ConfigurationError) as error:
        reason = str(error)[:200]
        _log.warning("the encoder before cannot be loaded; words find the tools until they are embedded", reason=reason)
        return []


async def _keys(settings: Settings, registry: Registry, closing: AsyncExitStack) -> Following:
    following = Following(Keyring(), KeyStore(registry), min(LOOK_S, settings.registry.poll_s))
    closing.push_async_callback(following.stop)
    await following.start()
    return following


def _recent(settings: Settings) -> Recent:
    return Recent(Shares.of(settings.server.cache_bytes).requests)


def _limits(settings: Settings) -> RateLimits:
    storage = settings.limits.storage
    return RateLimits(storage.get_secret_value() if storage is not None else None)


def _examining(router: Router, snapshots: Snapshots) -> list[asyncio.Task[None]]:
    """Begin to examine the encoders that did not answer."""
    unknown = [embedder for embedder in router.embedders.values() if embedder.profile is UNKNOWN]
    return [asyncio.create_task(examine_later(embedder, snapshots.renew)) for embedder in unknown]


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _router(readers: Collection[Reader], registry: Registry, shares: Shares, closing: AsyncExitStack) -> Router:
    each = shares.among(len(readers))
    return Router(*[await _embedder(reader, registry, each, closing) for reader in readers], shares=shares)


def _settle() -> None:
    """Let garbage be collected without modules, encoder and catalogue, which stay, and seldom.

    Nearly all that a request makes goes without it. By default it is looked for at every second request or so, among
    what all the others have in hand.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE, *gc.get_threshold()[1:])


def _watching(gateway: Gateway) -> asyncio.Task[None]:
    """Begin to look at what can only be seen from time to time."""
    pool, bodies = lambda: gateway.upstream.pool, lambda: gateway.entrance.bodies.held_bytes

    def caches() -> dict[str, int]:
        return {**gateway.routing.used_bytes(), "requests": gateway.recent.used_bytes}

    return asyncio.create_task(gateway.telemetry.watch(pool, caches, bodies))


async def _embedder(reader: Reader, registry: Registry, shares: Shares, closing: AsyncExitStack) -> Embedder:
    keeper = _VectorKeeper(registry, reader.encoder)
    closing.push_async_callback(keeper.finish)
    embedder = reader.embedder(keeper.learned, shares)
    most = min(_KEPT_VECTORS, shares.tool_vectors // (4 * reader.encoder.dimension))
    embedder.remember(await registry.recent_vectors(reader.encoder.key, most))
    return embedder


class _VectorKeeper:
    """Stores the vectors of tools that clients sent themselves, as they are learned in the encoder's thread."""

    def __init__(self, registry: Registry, encoder: Encoder) -> None:
        self._registry = registry
        self._encoder = encoder
        self._loop = asyncio.get_running_loop()
        self._storing: set[asyncio.Task[None]] = set()

    def learned(self, vectors: dict[str, Vectors]) -> None:
        """Take vectors, in any thread."""
        self._loop.call_soon_threadsafe(self._start, vectors)

    async def finish(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._storing)

    def _start(self, vectors: dict[str, Vectors]) -> None:
        task = asyncio.create_task(self._store(vectors))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def _store(self, vectors: dict[str, Vectors]) -> None:
        try:
            await self._registry.add_vectors(self._encoder.key, vectors)
            await self._registry.prune_vectors(_KEPT_VECTORS)
        except RegistryError as error:
            _log.warning("vectors could not be stored; they will be made again", reason=str(error))


def _on_gateway_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for nothing else
    if not isinstance(error, InvalidRecords):
        return _answer(str(error), answer_for(error))
    problems = [{"index": p.index, "name": p.name, "reason": p.reason} for p in error.problems]
    return _answer(str(error), answer_for(error), problems=problems)


def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    text = "; ".join(f"{'.'.join(map(str, e['loc']))}: {in_words(e)}" for e in error.errors())
    return _answer(text, answer_for(BadRequest()))


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    answer = _answer(str(error.detail), Answer(error.status_code, "invalid_request_error", code))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:  # each route knows its own method only
        answer.headers["allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """Give the methods of all routes of a path."""
    app: FastAPI = request.app
    routes = (route for route in app.routes if isinstance(route, Route))
    return {
        method for route in routes if route.path_regex.match(request.scope["path"]) for method in route.methods or ()
    }


def _on_bug(_: Request, error: Exception) -> Response:  # noqa: ARG001 - logged by the server
    return _answer("The gateway failed. Its log says more.", answer_for(GatewayError()))


def _answer(message: str, answer: Answer, **extra: object) -> Response:
    headers = {name.decode(): value.decode() for name, value in headers_for(answer)}
    return Response(openai_body(message, answer, **extra), status_code=answer.status, headers=headers)
