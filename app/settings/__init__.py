"""The only reader of the environment and of config.yaml.

Defaults < config.yaml < environment (`TOOLFUNNEL_<SECTION>__<KEY>`) < command line. Unknown keys are refused. Secrets
may be written as `env:NAME` or `file:PATH`; they are resolved once, here, and never printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from app.errors import ConfigurationError
from app.settings.address import shown
from app.settings.callers import CallerSettings as CallerSettings
from app.settings.callers import LimitSettings as LimitSettings
from app.settings.encoders import EmbeddedSpec, EncoderSpecs
from app.settings.file import NO_FILE
from app.settings.file import ConfigFile as ConfigFile
from app.settings.file import read as read_file
from app.settings.imports import ImportSettings
from app.settings.registry import RegistrySettings as RegistrySettings
from app.settings.secret import Secret
from app.settings.section import Section as _Section
from app.settings.section import check_base_url
from app.settings.server import ServerSettings as ServerSettings
from app.settings.tools import SourcePolicy as SourcePolicy
from app.settings.tools import ToolSettings as ToolSettings
from app.settings.tools import granted as granted
from app.settings.upstream import Credentials as Credentials
from app.settings.upstream import UpstreamSettings as UpstreamSettings
from app.settings.upstream import doubt_about_provider as doubt_about_provider
from router.types import Risk

PREFIX = "TOOLFUNNEL_"
CONFIG_VARIABLE = "TOOLFUNNEL_CONFIG"
FIGURES_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks for it when it is imported


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class IndexKind(StrEnum):
    """Where vectors are searched: in every process, or in PostgreSQL."""

    MEMORY = "memory"
    PGVECTOR = "pgvector"


class AdminSettings(_Section):
    """`admin`: the API that registers tools."""

    key: Secret | None = Field(
        None, description="Bearer key of the admin API. Required unless the server listens on loopback only."
    )
    max_body_bytes: int = Field(256 * 2**20, ge=1024, description="Largest request to the admin API.")


class SelectSettings(_Section):
    """`select`: how many tools, how fast."""

    initial: int = Field(12, ge=1, le=128, description="Tools chosen at the first turn of a conversation.")
    max: int = Field(
        20,
        ge=1,
        le=128,
        description="Tools a conversation's list may grow to before it is chosen anew. Tools that are named come in up "
        "to it, too.",
    )
    max_source_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="At most this share of a list's tools come from one source of the catalogue, rounded, and one at "
        "least. 1.0: no limit.",
    )
    trusted_sources: tuple[str, ...] = Field((), description="Sources that select.max_source_share does not limit.")
    floor: bool = Field(
        True,
        description="Add nothing of the catalogue to a question that needs no tool, such as small talk. "
        "false: the nearest tools are added to whatever is said.",
    )
    budget_ms: float = Field(
        50.0,
        gt=0,
        description="Milliseconds for routing a request, from when its turn comes. "
        "Past it, tools are found by words only; past twice that, it goes out as it came.",
    )

    @model_validator(mode="after")
    def _check(self) -> SelectSettings:
        if self.max < self.initial:
            raise ValueError("select.max is at least select.initial")
        return self


class SafetySettings(_Section):
    """`safety`: which risks may be offered to a model."""

    allow: frozenset[Risk] = Field(
        frozenset({Risk.READ}),
        description="Risk classes that may be offered: read, write. dangerous never is.",
    )

    duplicate_similarity: float = Field(
        0.92,
        ge=0.5,
        le=1,
        description="Tools whose vectors have at least this cosine are told as near-duplicates.",
    )
    explain_requests: bool = Field(
        True,
        description="Remember why the last requests got their tools, by names of tools, for GET /admin/requests/{id}.",
    )

    @model_validator(mode="after")
    def _check(self) -> SafetySettings:
        if Risk.DANGEROUS in self.allow:
            raise ValueError("dangerous tools are never offered; allow can hold read and write")
        return self


class LogSettings(_Section):
    """`log`: what is written to standard error."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    format: LogFormat = Field(LogFormat.CONSOLE, description="console for people, json for machines.")


class TraceSettings(_Section):
    """`trace`: spans for OpenTelemetry; needs the extra `otel`."""

    endpoint: str = Field(
        "",
        description="Where spans are sent, as OTLP over HTTP, usually ending in /v1/traces. Empty: no tracing.",
    )
    service: str = Field("toolfunnel", min_length=1, description="The name of this service in traces.")
    sample: float = Field(
        1.0, ge=0, le=1, description="Share of the traces begun here; for others their caller decides."
    )

    @model_validator(mode="after")
    def _check(self) -> TraceSettings:
        if self.endpoint:
            check_base_url(self.endpoint, "endpoint", "the environment's OTEL_EXPORTER_OTLP_HEADERS")
        return self


class Settings(BaseSettings):
    """All of it, frozen."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    server: ServerSettings = ServerSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    admin: AdminSettings = AdminSettings()
    callers: CallerSettings = CallerSettings()
    limits: LimitSettings = LimitSettings()
    registry: RegistrySettings = RegistrySettings()
    tools: ToolSettings = ToolSettings()
    select: SelectSettings = SelectSettings()
    safety: SafetySettings = SafetySettings()
    encoder: EncoderSpecs = Field(
        (EmbeddedSpec(),),
        description="What makes the vectors. embedded: multilingual, inside the package, no download. "
        "Or one mapping, or a list of two: see encoders.md.",
    )
    index: IndexKind = Field(
        IndexKind.MEMORY,
        description="Where vectors are searched. memory: in every process. pgvector: in the registry's PostgreSQL, so "
        "that processes hold none.",
    )
    imports: ImportSettings = ImportSettings()
    log: LogSettings = LogSettings()
    trace: TraceSettings = TraceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which comes in as arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _check(self) -> Settings:
        self.check_together()
        return self

    def check_together(self) -> None:
        """Check what no section can check alone.

        Raises:
            ValueError: Values do not go together.
        """
        if not self.server.is_loopback and self.admin.key is None:
            raise ValueError(
                f"server.host {self.server.host} can be reached from other machines, so admin.key must be set "
                "(for example TOOLFUNNEL_ADMIN__KEY)"
            )
        managed = self.upstream.credentials is Credentials.MANAGED
        if self.callers.are_asked_for and not managed:
            raise ValueError("callers' keys are checked in managed mode only: set upstream.credentials to managed")
        if self.index is IndexKind.PGVECTOR and not self.registry.is_postgres:
            raise ValueError("index: pgvector needs a registry.url that begins with postgresql://")
        if managed and not self.callers.are_asked_for and not self.server.is_loopback:
            raise ValueError(
                "credentials: managed without callers.keys or callers.pepper starts on a loopback address only"
            )


def override(section: str, key: str, value: object) -> None:
    """Let a command-line option win over file and environment, here and in the worker processes to come."""
    os.environ[f"{PREFIX}{section}__{key}".upper()] = str(value)


def use_file(path: Path) -> None:
    """Make `path` the configuration file of this process and of the worker processes to come."""
    os.environ[CONFIG_VARIABLE] = str(path)


def share_figures(path: Path) -> None:
    """Let the worker processes to come keep their figures in a directory, so that any of them can add them up."""
    os.environ[FIGURES_VARIABLE] = str(path)


def figures_are_shared() -> bool:
    """Tell whether this process is one of several that add up their figures."""
    return FIGURES_VARIABLE in os.environ


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and the file that they come from as far as they do."""

    settings: Settings
    file: ConfigFile = NO_FILE


def read(path: Path | None = None) -> Configuration:
    """Read all settings.

    `path` defaults to $TOOLFUNNEL_CONFIG, then to ./config.yaml where there is one.

    Raises:
        ConfigurationError: A file is missing or broken, a key is unknown, or a value cannot be used.
    """
    if path is None and (named := os.environ.get(CONFIG_VARIABLE)):
        path = Path(named)
    file = read_file(path)
    _refuse_unknown_variables()
    try:
        return Configuration(Settings(**file.values), file)
    except ValidationError as error:
        raise ConfigurationError(_readable(error)) from error
    except SettingsError as error:
        raise ConfigurationError(
            f"{error}: in the environment, lists and sections are JSON, "
            f"""for example {PREFIX}CALLERS__KEYS='["one", "another"]'"""
        ) from None  # what is beneath holds the value, which may be a secret


def load(path: Path | None = None) -> Settings:
    """Return the settings of `read`.

    Raises:
        ConfigurationError: See `read`.
    """
    return read(path).settings


def redacted(settings: Settings) -> dict[str, Any]:
    """Give the settings as plain values, secrets as stars."""
    dumped: dict[str, Any] = settings.model_dump(mode="json")
    for source in dumped["imports"]["sources"]:
        source["url"] = shown(source["url"])
    return dumped


def _refuse_unknown_variables() -> None:
    fields = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name != CONFIG_VARIABLE:
            section, nested, _ = name.upper().removeprefix(PREFIX).partition("__")
            if section not in fields or (nested and not isinstance(fields[section], _Section)):
                raise ConfigurationError(
                    f"environment variable {name}: there is no section {section.lower()!r}; "
                    f"sections are {', '.join(sorted(Settings.model_fields))}"
                )


def in_words(detail: Mapping[str, Any]) -> str:
    """Return what an error of pydantic says, without the name of its class."""
    return str(detail["msg"]).removeprefix("Value error, ")


def _readable(error: ValidationError) -> str:
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in detail["loc"]) or "configuration"
        message = in_words(detail)
        if detail["type"] == "extra_forbidden":
            message = "there is no such key"
        lines.append(f"{place}: {message}")
    return "\n".join(lines)
