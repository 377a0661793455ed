"""What of a new configuration can be put in force while the gateway runs.

Law: a reload grants nothing that was not granted. What protects is dropped by a restart alone (`_DROPPED`), and never
loosened by leaving it out (`_LEFT_OUT`): a file of which a part is missing is often a valid one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from app.errors import ConfigurationError
from app.settings import Configuration, Credentials, Settings
from app.settings.file import check_whole
from app.settings.imports import SourceSpec

# Everything else needs a restart: what a process opens, loads or starts once.
CHANGEABLE = frozenset({"upstream", "admin", "callers", "tools", "select", "safety", "imports", "log"})
CHANGEABLE_KEYS = {
    "server": frozenset({"allowed_hosts", "max_bodies_bytes", "max_body_bytes", "max_requests"}),
    "limits": frozenset({"default"}),
}

Looser = Callable[[Settings, Settings], bool]

# What only a restart drops: key, what would follow, and whether the second settings drop it.
_DROPPED: tuple[tuple[str, str, Looser], ...] = (
    (
        "admin.key",
        "the admin API would ask for no key",
        lambda old, new: old.admin.key is not None and new.admin.key is None,
    ),
    (
        "upstream.credentials",
        "what callers show would be sent to the provider",
        lambda old, new: Credentials.MANAGED is old.upstream.credentials is not new.upstream.credentials,
    ),
    (
        "callers.keys and callers.pepper",
        "callers would be asked for no key",
        lambda old, new: old.callers.are_asked_for and not new.callers.are_asked_for,
    ),
    (
        "upstream.base_url",
        "there would be no provider",
        lambda old, new: bool(old.upstream.base_url) and not new.upstream.base_url,
    ),
    (
        "limits.default",
        "there would be fewer limits",
        lambda old, new: len(new.limits.default) < len(old.limits.default),
    ),
)

# What may be loosened by writing so, and not by leaving it out.
_LEFT_OUT: tuple[tuple[str, Looser], ...] = (
    ("tools.source", lambda old, new: old.tools.source.is_limit and new.tools.source is not old.tools.source),
    ("tools.typed", lambda old, new: not {*new.tools.typed} <= {*old.tools.typed}),
    ("safety.allow", lambda old, new: not new.safety.allow <= old.safety.allow),
    ("select.max_source_share", lambda old, new: new.select.max_source_share > old.select.max_source_share),
    ("server.max_body_bytes", lambda old, new: new.server.max_body_bytes > old.server.max_body_bytes),
    ("server.max_requests", lambda old, new: new.server.max_requests > old.server.max_requests),
    ("server.max_bodies_bytes", lambda old, new: new.server.max_bodies_bytes > old.server.max_bodies_bytes),
    ("admin.max_body_bytes", lambda old, new: new.admin.max_body_bytes > old.admin.max_body_bytes),
    ("imports.max_bytes", lambda old, new: new.imports.max_bytes > old.imports.max_bytes),
    ("imports.max_tools", lambda old, new: new.imports.max_tools > old.imports.max_tools),
    ("imports.timeout_s", lambda old, new: new.imports.timeout_s > old.imports.timeout_s),
)
_NARROWING = ("tenant", "risk", "risks", "methods", "paths", "tags")  # of a source: whose, and which of its tools


@dataclass(frozen=True, slots=True)
class Change:
    """Keys whose new values are in force, and keys whose new values need a restart. Never a value."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


def follow(old: Configuration, new: Configuration) -> tuple[Configuration, Change]:
    """Return the configuration to put in force, and what that changes.

    Raises:
        ConfigurationError: A part of the file is missing, or see `compare`.
    """
    check_whole(old.file, new.file)
    settings, change = compare(old.settings, new.settings)
    return Configuration(settings, new.file), change


def compare(old: Settings, new: Settings) -> tuple[Settings, Change]:
    """Give the settings to put in force, and what that changes.

    Raises:
        ConfigurationError: They would drop or loosen what protects, or do not go with the old ones that stay until a
            restart.
    """
    changed: list[str] = []
    waiting: list[str] = []
    parts: dict[str, object] = {}
    for section in type(new).model_fields:
        before, after = getattr(old, section), getattr(new, section)
        taken = {}
        for key in _different(before, after):
            name = f"{section}.{key}" if key else section
            if section in CHANGEABLE or key in CHANGEABLE_KEYS.get(section, ()):
                taken[key] = getattr(after, key)
                changed.append(name)
            else:
                waiting.append(name)
        if taken:
            parts[section] = before.model_copy(update=taken)
    settings = old.model_copy(update=parts)
    try:
        settings.check_together()
    except ValueError as error:
        raise ConfigurationError(f"{error}. Until a restart these keep their values: {', '.join(waiting)}") from error
    if loosened := "; ".join(_loosened(old, new)):
        raise ConfigurationError(loosened)
    return settings, Change(tuple(changed), tuple(waiting))


def _loosened(old: Settings, new: Settings) -> Iterator[str]:
    """Yield what new settings would drop, loosen or cut, without a value."""
    for key, what, is_dropped in _DROPPED:
        if is_dropped(old, new):
            yield f"{key}: without, {what}; dropping it needs a restart"
    for key, is_looser in _LEFT_OUT:
        if is_looser(old, new) and not _is_written(new, key):
            yield f"{key}: it is left out, and its default is looser; write it, or restart"
    for key in _cut(old, new):
        yield f"{key}: it begins like the one before and is shorter, so it may be cut off; if it is meant, restart"
    known = {source.name: source for source in old.imports.sources}
    for source in new.imports.sources:
        if source.name in known and (fields := _widened(known[source.name], source)):
            yield f"imports.sources: {source.name} has no {', no '.join(fields)} any more; dropping it needs a restart"


def _is_written(settings: Settings, name: str) -> bool:
    section, key = name.split(".")
    return key in getattr(settings, section).model_fields_set


def _cut(old: Settings, new: Settings) -> Iterator[str]:
    """Yield the keys of secrets, and of the provider's address, that are beginnings of the ones before."""
    pairs = {
        "admin.key": (old.admin.key, new.admin.key),
        "callers.pepper": (old.callers.pepper, new.callers.pepper),
        "upstream.api_key": (old.upstream.api_key, new.upstream.api_key),
    }
    yield from (key for key, (before, after) in pairs.items() if before and after and _is_beginning(after, before))
    fresh = [key for key in new.callers.keys if key not in old.callers.keys]
    if any(_is_beginning(after, before) for after in fresh for before in old.callers.keys):
        yield "callers.keys"
    before, after = old.upstream.base_url, new.upstream.base_url
    if after and before.startswith(after) and urlsplit(after).netloc != urlsplit(before).netloc:
        yield "upstream.base_url"


def _is_beginning(after: SecretStr, before: SecretStr) -> bool:
    whole, part = before.get_secret_value(), after.get_secret_value()
    return len(part) < len(whole) and whole.startswith(part)


def _widened(old: SourceSpec, new: SourceSpec) -> list[str]:
    return [name for name in _NARROWING if getattr(old, name) and not getattr(new, name)]


def _different(before: object, after: object) -> list[str]:
    """Give the keys of a section whose values differ; '' for a value that is no section."""
    if before == after:
        return []
    if not isinstance(before, BaseModel):
        return [""]
    return [key for key in type(before).model_fields if getattr(before, key) != getattr(after, key)]
