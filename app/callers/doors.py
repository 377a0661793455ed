"""What is said at the start about who gets in: a configuration that lost a part may be valid, and open."""

from __future__ import annotations

import structlog

from app.settings import Configuration, Credentials, Settings, doubt_about_provider
from app.telemetry.redact import place

_log = structlog.get_logger()


def tell(configuration: Configuration, tools: int, keys: int) -> None:
    """Log that the server is ready, for whom, and what looks as if a part of the configuration was lost.

    `keys`: how many callers' keys would open the gateway.
    """
    settings, file = configuration.settings, configuration.file
    if file.path is not None and not file.values:
        _log.warning("the configuration file sets nothing; every setting has its default", file=str(file.path))
    if keys and not settings.callers.are_asked_for:
        _log.warning(
            "callers have keys, and nobody is asked for one; set upstream.credentials to managed, and callers.pepper",
            keys=keys,
        )

    if doubt := doubt_about_provider(settings.upstream):
        _log.warning("the provider may not be what is meant", reason=doubt)
    _log.info(
        "ready to serve",
        tools=tools,
        provider=place(settings.upstream.base_url) or "none",
        callers=_callers(settings),
        admin="with a key" if settings.admin.key is not None else "from this machine",
    )


def _callers(settings: Settings) -> str:
    if settings.callers.are_asked_for:
        return "with a key"
    return "anyone" if settings.upstream.credentials is Credentials.MANAGED else "with the provider's key"
