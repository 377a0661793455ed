"""Keeps sources in step while the server runs: those with an `interval_s`, and MCP servers that tell of changes.

Several processes, on several machines, may do this on one registry: whoever claims a source that is due imports it.
What fails is noted on the source and logged; the catalogue stays as it is until the next try.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from app.errors import GatewayError, RegistryError, SourceRefused
from app.imports import reading
from app.imports.service import Imports, Order, Report
from app.registry.sources import Source, Sources
from app.settings.imports import ImportSettings, SourceKind, SourceSpec
from router.types import Risk

_log = structlog.get_logger()

_LOOK_S = 1.0


class Synchroniser:
    """Imports on demand and by the clock. `start()` it, and `stop()` it.

    `changed` is awaited when tools were written, so that the next request sees them. `running` tells by source what is
    being done, and to how many tools.
    """

    def __init__(
        self,
        sources: Sources,
        settings: ImportSettings,
        changed: Callable[[], Awaitable[None]],
        allow: frozenset[Risk] = frozenset({Risk.READ}),
    ) -> None:
        self.imports = Imports(sources, settings, allow)
        self.running: dict[str, tuple[str, int]] = {}
        self._changed = changed
        self._one_by_one = asyncio.Lock()  # imports are large: one at a time
        self._listening: dict[str, tuple[SourceSpec, asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, settings: ImportSettings, allow: frozenset[Risk]) -> None:
        """Go by a new configuration."""
        self.imports.settings, self.imports.allow = settings, allow

    async def start(self) -> None:
        """Begin to look for what is due."""
        self._tasks = [asyncio.create_task(self._look())]

    async def stop(self) -> None:
        """End what runs in the background; what was not written is not."""
        tasks = [*self._tasks, *(task for _, task in self._listening.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, order: Order) -> Report:
        """Import a source and show it to the next request.

        Raises:
            GatewayError: As `Imports.run`. Unless it was to be dry, the reason is noted on the source.
        """
        name = order.spec.name
        async with self._one_by_one:
            try:
                report = await self.imports.run(order, step=lambda what, tools: self._note(name, what, tools))
            except GatewayError as error:
                if not order.dry_run and not isinstance(error, RegistryError):
                    await self.imports.sources.failed(name, str(error))
                raise
            finally:
                self.running.pop(name, None)
        if not order.dry_run:
            await self._changed()
            _tell(report)
        return report

    async def approve(self, names: list[str] | None, source: str | None, digest: str | None = None) -> list[str]:
        """Approve what waits, and show it to the next request.

        Raises:
            NotFound: Nothing waits under one of these names.
            Conflict: Another definition waits than that of the digest.
        """
        approved = await self.imports.approve(names, source, digest)
        await self._changed()
        _log.info("definitions were approved", tools=approved[:20], number=len(approved))
        return approved

    async def remove(self, source: str) -> list[str]:
        """Remove a source and its tools.

        Raises:
            NotFound: There is no such source.
        """
        removed = await self.imports.sources.remove(source)
        await self._changed()
        return removed

    def _note(self, name: str, what: str, tools: int) -> None:
        self.running[name] = (what, tools)

    async def _look(self) -> None:
        known: dict[str, Source] = {}
        watch = self.imports.sources.registry.watch()
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                with watch.look() as stirred:
                    if stirred:
                        known = {source.name: source for source in await self.imports.sources.all()}
                specs = self._scheduled(known)
                self._listen(specs)
                for spec in specs.values():
                    if _is_due(known.get(spec.name)):
                        await self._import(spec)
            except RegistryError as error:  # the catalogue's own follower warns of it
                _log.debug("sources could not be looked at", reason=str(error))
            except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                _log.exception("sources could not be synchronised")

    def _scheduled(self, known: dict[str, Source]) -> dict[str, SourceSpec]:
        """Give the sources that have a clock: the configured ones, and others that were imported with one."""
        specs = {spec.name: spec for spec in self.imports.settings.sources}
        for source in known.values():
            if source.name not in specs and source.due_at is not None:
                specs[source.name] = SourceSpec.model_validate_json(source.spec)
        return {name: spec for name, spec in specs.items() if spec.interval_s is not None}

    async def _import(self, spec: SourceSpec) -> None:
        """Import a source that is due, unless another process does it."""
        now = datetime.now(UTC)
        fresh = self.imports.source(spec, now)
        if not await self.imports.sources.claim(fresh, now):
            return
        try:
            await self.run(Order(spec, attended=False))
        except GatewayError as error:
            _log.warning("a source could not be synchronised", source=spec.name, reason=str(error))

    def _listen(self, specs: dict[str, SourceSpec]) -> None:
        """Listen to the MCP servers among them, and to no others."""
        wanted = {name: spec for name, spec in specs.items() if spec.kind is SourceKind.MCP}
        for name, (spec, task) in list(self._listening.items()):
            if wanted.get(name) != spec:
                task.cancel()
                del self._listening[name]
        for name, spec in wanted.items():
            if name not in self._listening:
                self._listening[name] = (spec, asyncio.create_task(self._hear(spec)))

    async def _hear(self, spec: SourceSpec) -> None:
        """Make a source due whenever it tells of a change; one that never tells is left to the clock."""

        async def changed() -> None:
            await self.imports.sources.expire(spec.name, datetime.now(UTC))

        tells = True
        while tells:
            try:
                tells = await reading.mcp_client().follow(spec, self.imports.settings, changed)
            except (SourceRefused, RegistryError) as error:
                _log.debug("a source cannot be listened to", source=spec.name, reason=str(error))
            except Exception:  # noqa: BLE001 - the edge of a task: it must outlive a fault
                _log.exception("a source cannot be listened to", source=spec.name)
            await asyncio.sleep(spec.interval_s or _LOOK_S)


def _is_due(source: Source | None) -> bool:
    """Tell whether it is time for a source; one that was never imported is due."""
    return source is None or source.due_at is None or source.due_at <= datetime.now(UTC)


def _tell(report: Report) -> None:
    """Log what an import did; what waits for approval is a warning."""
    counts = {kind: len(getattr(report, kind)) for kind in ("new", "changed", "gone", "unchanged", "refused")}
    if report.held:
        _log.warning(
            "definitions wait for approval", source=report.source, tools=report.held[:20], number=len(report.held)
        )
    if report.refused:
        reasons = [f"{one.original}: {one.reason}" for one in report.refused[:20]]
        _log.warning("tools were left out", source=report.source, tools=reasons, number=len(report.refused))
    if report.warnings:
        kinds = sorted({reason.partition(":")[0] for one in report.warnings for reason in one.reasons})
        _log.warning("providers may refuse tools", source=report.source, kinds=kinds, number=len(report.warnings))
    quiet = not (report.new or report.changed or report.gone)
    _log.log(logging.DEBUG if quiet else logging.INFO, "a source was imported", source=report.source, **counts)
