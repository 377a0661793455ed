"""What of a new configuration can be put in force while the gateway runs."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from app.errors import ConfigurationError
from app.settings import Settings

# Everything else needs a restart: what a process opens, loads or starts once.
CHANGEABLE = frozenset({"upstream", "admin", "callers", "tools", "select", "safety", "imports", "log"})
CHANGEABLE_KEYS = {
    "server": frozenset({"allowed_hosts", "max_body_bytes", "max_requests"}),
    "limits": frozenset({"default"}),
}


@dataclass(frozen=True, slots=True)
class Change:
    """Keys whose new values are in force, and keys whose new values need a restart. Never a value."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


def compare(old: Settings, new: Settings) -> tuple[Settings, Change]:
    """Give the settings to put in force, and what that changes.

    Raises:
        ConfigurationError: The new values do not go with the old ones that stay until a restart.
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
    return settings, Change(tuple(changed), tuple(waiting))


def _different(before: object, after: object) -> list[str]:
    """Give the keys of a section whose values differ; '' for a value that is no section."""
    if before == after:
        return []
    if not isinstance(before, BaseModel):
        return [""]
    return [key for key in type(before).model_fields if getattr(before, key) != getattr(after, key)]
