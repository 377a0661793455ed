"""Read the configuration again and put it in force for new requests, or keep the old one and say why.

What cannot change in a running process stays as it was and is named. Requests under way keep what they began with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from app.admin.service import AdminService
from app.errors import ConfigurationError, RefusedConfiguration
from app.gateway.flow import Gateway
from app.gateway.forward import Upstream
from app.imports.clock import Synchroniser
from app.settings import Configuration, Settings, read
from app.settings.change import Change, follow
from app.settings.secret import secrets_of
from app.telemetry import configure_logging

_log = structlog.get_logger()


class Reload:
    """Changes what runs. `close()` it.

    `spread`: lets the other processes on the same port do the same. `refused`: why the last configuration was, '' where
    it was not.
    """

    spread: Callable[[], None] | None = None
    refused = ""

    def __init__(
        self, configuration: Configuration, gateway: Gateway, admin: AdminService, imports: Synchroniser
    ) -> None:
        self._in_force = configuration
        self._gateway = gateway
        self._admin = admin
        self._imports = imports
        self._retiring: set[asyncio.Task[None]] = set()
        self._one_by_one = asyncio.Lock()

    async def __call__(self, read: Callable[[], Configuration] = read) -> Change:
        """Put the configuration in force that is there now; tell what that changed.

        Raises:
            RefusedConfiguration: It cannot be used. The old one stays.
        """
        async with self._one_by_one:
            old = self._in_force
            try:
                self._in_force, change = follow(old, await asyncio.to_thread(read))
            except ConfigurationError as error:
                _log.error("the new configuration cannot be used; the old one stays", reason=str(error))
                self.refused = str(error)
                self._gateway.telemetry.reloaded("refused")
                raise RefusedConfiguration(f"The old configuration stays. {error}") from error
            self._apply(old.settings, self._in_force.settings)
            self.refused = ""
        self._gateway.telemetry.reloaded("applied")
        _log.info("the configuration was read again", changed=change.changed, needs_restart=change.needs_restart)
        return change

    async def everywhere(self) -> Change:
        """Do the same, and where it went well let the other processes do it, too.

        Raises:
            RefusedConfiguration: It cannot be used. The old one stays, in all of them.
        """
        change = await self()
        if self.spread is not None:
            self.spread()
        return change

    async def close(self) -> None:
        """Close the connections of this configuration and of earlier ones."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._gateway.upstream.aclose()

    def _apply(self, old: Settings, new: Settings) -> None:
        """Change everything without a pause in which a request could see half of it."""
        gateway = self._gateway
        configure_logging(new.log, {*secrets_of(old), *secrets_of(new)})  # requests under way hold the old ones
        gateway.settings, gateway.routing = new, gateway.routing.under(new)
        if not new.safety.explain_requests:
            gateway.recent.clear()
        self._admin.follow(new, gateway.routing)
        self._imports.follow(new.imports, new.safety.allow)
        if new.upstream != old.upstream:
            retired, gateway.upstream = gateway.upstream, Upstream(new.upstream)
            task = asyncio.create_task(_retire(retired))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


async def _retire(upstream: Upstream) -> None:
    try:
        await upstream.retire()
    finally:
        await upstream.aclose()
