"""`tools`: whose tools a request gets; what a setting, a key and a header say about it, and which of them decides."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from app.settings.section import Section


class SourcePolicy(StrEnum):
    """Whose tools requests get. What `router.types.Source` a request has follows from it and from the request."""

    AUTO = "auto"
    BOTH = "both"
    REGISTRY = "registry"
    REQUEST = "request"

    @property
    def is_limit(self) -> bool:
        """Whether nobody who is asked after it can leave it: it leaves out one side's tools."""
        return self in (SourcePolicy.REGISTRY, SourcePolicy.REQUEST)


class Granted(NamedTuple):
    """The policy in force, and who said so: `setting`, `key` or `header`."""

    policy: SourcePolicy
    said_by: str


def granted(setting: SourcePolicy, key: SourcePolicy | None = None, header: SourcePolicy | None = None) -> Granted:
    """Return what is in force: the first of the three that is a limit, else the last that says anything."""
    said = Granted(setting, "setting")
    for policy, said_by in ((key, "key"), (header, "header")):
        if policy is not None and not said.policy.is_limit:
            said = Granted(policy, said_by)
    return said


class ToolSettings(Section):
    """`tools`: where the tools of a request come from."""

    source: SourcePolicy = Field(
        SourcePolicy.AUTO,
        description="auto: a request's own tools, and the catalogue's where it has none or can run them. "
        "both: its own and the catalogue's. registry: only the catalogue's. request: only its own.",
    )
    typed: tuple[str, ...] = Field(
        (),
        description="Types of provider tools, such as web_search, that a client may send with source: registry. Others "
        "are set aside.",
    )
