"""`registry`: where the tools live."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator

from app.settings.secret import Secret
from app.settings.section import Section

_POSTGRES = ("postgresql", "postgresql+psycopg")


class RegistrySettings(Section):
    """`registry`: where the tools live."""

    url: str = Field(
        "sqlite:///data/toolfunnel.db",
        description="The database. sqlite:///relative/path, sqlite:////absolute/path or "
        "postgresql://user@host:5432/database.",
    )
    password: Secret | None = Field(None, description="The password of the user in a PostgreSQL url.")
    poll_s: float = Field(
        0.5,
        gt=0,
        description="Seconds between looks for changes made by other processes on the same database. "
        "PostgreSQL tells of them at once; looks are what stands behind that.",
    )

    @model_validator(mode="after")
    def _check(self) -> RegistrySettings:
        if self.url.startswith("sqlite:///"):
            return self
        try:
            parts = urlsplit(self.url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in _POSTGRES or not parts.path.strip("/"):
            raise ValueError("url is sqlite:///path or postgresql://user@host:5432/database")
        if parts.password is not None:
            raise ValueError("a password in url would be printed: set registry.password, for example to env:NAME")
        return self

    @property
    def is_postgres(self) -> bool:
        """Whether it is a database of a PostgreSQL server."""
        return not self.url.startswith("sqlite:")

    @property
    def address(self) -> str:
        """The url with the password in it. Not to be printed."""
        if self.password is None or not self.is_postgres:
            return self.url
        parts = urlsplit(self.url)
        user, _, host = parts.netloc.rpartition("@")
        secret = quote(self.password.get_secret_value(), safe="")
        return parts._replace(netloc=f"{user}:{secret}@{host}").geturl()
