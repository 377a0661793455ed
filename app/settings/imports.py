"""`imports`: where tools are imported from, and what is allowed on the way."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from app.settings.address import has_user, shown
from app.settings.secret import Secret
from app.settings.section import Section
from router.types import Risk

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class SourceKind(StrEnum):
    """What a source speaks."""

    OPENAPI = "openapi"
    MCP = "mcp"
    TOOLS = "tools"


def _named(name: str) -> str:
    if not _NAME.fullmatch(name) or "__" in name or name.endswith("_"):
        raise ValueError("a source is named with 1 to 32 of a-z, 0-9, - and _, without __ and no _ at the end")
    return name


def _method(name: str) -> str:
    if name.lower() not in METHODS:
        raise ValueError(f"a method is one of {', '.join(METHODS)}")
    return name.lower()


Method = Annotated[str, AfterValidator(_method)]


class SourceSpec(Section):
    """A source, and what is taken from it. One of `url`, `file` and `command`; none where a document is handed over."""

    name: Annotated[str, AfterValidator(_named)] = Field(description="What the source is called here.")
    kind: SourceKind = Field(description="openapi, mcp, or tools: definitions for LangChain, Anthropic and others.")
    url: str = Field("", description="Where it is: http:// or https://.")
    file: Path | None = Field(None, description="A file instead.")
    command: tuple[str, ...] = Field((), description="An MCP server that is started and spoken to over its pipes.")
    env: dict[str, Secret] = Field({}, description="Its environment besides PATH and HOME.")
    token: Secret | None = Field(None, description="Shown to the url as a bearer token, and to no other host.")
    headers: dict[str, Secret] = Field({}, description="Further headers for the url, and for no other host.")
    prefix: bool | None = Field(
        None, description="Whether names begin with the source's; null: all but those of tools."
    )
    tenant: str = Field("", max_length=1_000, description="Whose its tools are; empty: everyone's.")
    methods: tuple[Method, ...] = Field((), description="Only operations of these methods.")
    paths: tuple[str, ...] = Field((), description="Only operations of these paths; * stands for anything.")
    tags: tuple[str, ...] = Field((), description="Only operations with one of these tags.")
    risk: Risk | None = Field(None, description="The risk of its tools, instead of what follows from the method.")
    risks: dict[Method, Risk] = Field({}, description="The risk of single methods, such as delete: write.")
    interval_s: float | None = Field(None, ge=1, description="Seconds after which it is synchronised again.")
    approve: bool = Field(False, description="Take what it changes without an operator's approval.")
    skip: bool = Field(False, description="Leave out tools that cannot be taken, instead of taking none.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if has_user(self.url):
            raise ValueError("a url with a user name or password in it is not asked: token and headers are for that")
        if sum((bool(self.url), self.file is not None, bool(self.command))) > 1:
            raise ValueError("a source has one of url, file and command")
        if self.command and self.kind is not SourceKind.MCP:
            raise ValueError("only an MCP server is started by a command")
        if self.kind is SourceKind.MCP and self.file is not None:
            raise ValueError("an MCP server has a url or a command")
        if ((self.headers or self.token) and not self.url) or (self.env and not self.command):
            raise ValueError("token and headers go with a url, env goes with a command")
        if (self.methods or self.paths or self.risks) and self.kind is not SourceKind.OPENAPI:
            raise ValueError("methods, paths and risks are for kind openapi")
        return self

    @property
    def place(self) -> tuple[str, Path | None, tuple[str, ...]]:
        """Where it is. Not to be printed: a query may hold a key."""
        return self.url, self.file, self.command

    @property
    def origin(self) -> str:
        """Where it is, for people: values of a query that sound secret are stars."""
        return shown(self.url) if self.url else str(self.file or " ".join(self.command))


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


class ImportSettings(Section):
    """`imports`: where tools are imported from."""

    sources: tuple[SourceSpec, ...] = Field(
        (), description="Sources by name: see imports.md. Those with an interval_s are synchronised by the server."
    )
    allow_networks: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        (),
        description="Networks beside the public internet that URLs of sources may lead to, such as 10.1.0.0/16.",
    )
    max_bytes: int = Field(32 * 2**20, ge=1024, description="Largest document, and largest answer of an MCP server.")
    timeout_s: float = Field(30.0, gt=0, description="Seconds that reading a source may take.")
    max_tools: int = Field(10_000, ge=1, le=100_000, description="Most tools that a source may have.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError("two sources have the same name")
        for source in self.sources:
            if not source.origin:
                raise ValueError(f"the source {source.name} needs a url, a file or a command")
        return self
