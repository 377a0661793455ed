"""`callers` and `limits`: whose keys open the gateway, and how often."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from app.settings.secret import Secret
from app.settings.section import Section

_SHORTEST = 32
_REDIS = re.compile(r"rediss?://.+|unix://.+")
# What `limits` reads, with a bound for each part; it is not loaded here.
_LONGEST_LIMIT = 64
_LIMIT = re.compile(
    r"[1-9][0-9]{0,8} ?(?:/|per) ?(?:[1-9][0-9]{0,3} ?)?(?:second|minute|hour|day|month|year)s?", re.IGNORECASE
)


def is_limit(text: str) -> bool:
    """Return whether a text says how often something may happen, such as `60/minute` or `1000 per 2 hours`."""
    return len(text) <= _LONGEST_LIMIT and _LIMIT.fullmatch(" ".join(text.split())) is not None


class CallerSettings(Section):
    """`callers`: who may use the gateway in managed mode."""

    keys: tuple[Secret, ...] = Field((), description="Keys that callers show as their API key.")
    pepper: Secret | None = Field(
        None,
        description="The secret under which keys of `toolfunnel keys create` are kept. With it callers need a key. "
        "Another one makes them all unknown.",
    )

    @field_validator("pepper")
    @classmethod
    def _check(cls, pepper: Secret | None) -> Secret | None:
        if pepper is not None and len(pepper.get_secret_value()) < _SHORTEST:
            raise ValueError(f"a pepper has {_SHORTEST} characters at least: openssl rand -hex 32")
        return pepper

    @property
    def are_asked_for(self) -> bool:
        """Whether a key is needed in managed mode."""
        return bool(self.keys) or self.pepper is not None


class LimitSettings(Section):
    """`limits`: how often callers may ask."""

    storage: Secret | None = Field(
        None,
        description="Where requests are counted for all processes: redis://host:port/0, rediss:// or unix://path. "
        "null: each process counts its own.",
    )
    default: tuple[str, ...] = Field(
        (), description="Requests of a key that has no limits of its own, such as 60/minute. Empty: no limit."
    )

    @field_validator("storage")
    @classmethod
    def _check_storage(cls, storage: Secret | None) -> Secret | None:
        if storage is not None and not _REDIS.fullmatch(storage.get_secret_value()):
            raise ValueError("it starts with redis://, rediss:// or unix://")
        return storage

    @field_validator("default")
    @classmethod
    def _check_default(cls, default: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_limit, default)):
            raise ValueError("a limit is a number of requests and a time, such as 60/minute or 5000/day")
        return default
