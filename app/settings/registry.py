"""`registry`: where the tools live."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, model_validator

from app.settings.address import database_url
from app.settings.secret import Password, resolved
from app.settings.section import Section


class RegistrySettings(Section):
    """`registry`: where the tools live. Law: `url` holds no password, whatever it was given as."""

    url: str = Field(
        "sqlite:///data/toolfunnel.db",
        description="The database. sqlite:///relative/path, sqlite:////absolute/path or "
        "postgresql://user:password@host:5432/database, as hosts hand it out, postgres:// and ?sslmode=require too; "
        "env:NAME and file:PATH are read. A password in it is kept apart and never printed.",
    )
    password: Password | None = Field(
        None, description="The password of the user in a PostgreSQL url. Wins over one in the url."
    )
    poll_s: float = Field(
        0.5,
        gt=0,
        description="Seconds between looks for changes made by other processes on the same database. "
        "PostgreSQL tells of them at once; looks are what stands behind that.",
    )

    @model_validator(mode="before")
    @classmethod
    def _take_password(cls, values: Any) -> Any:
        """Take the password out of the url before anything keeps it."""
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            return values
        url, password = database_url(str(resolved(values["url"])))
        kept = {**values, "url": url}
        if password is not None and values.get("password") is None:
            kept["password"] = SecretStr(password)  # as it is: env:NAME in it is no reference
        return kept

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
