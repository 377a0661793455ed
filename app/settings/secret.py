"""Secrets: `env:NAME` and `file:PATH` are resolved here, once; nothing prints them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, SecretStr

from app import files


def resolved(value: object) -> object:
    """Return what `env:NAME` and `file:PATH` refer to, anything else as it is."""
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"the environment variable {name} is not set")
        return os.environ[name]
    if value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return files.read(path, files.MOST_SECRET_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read {path}: {files.reason(error)}") from error
    return value


def _ascii(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key is a non-empty word of printable ASCII characters")
    return value


Secret = Annotated[SecretStr, BeforeValidator(resolved), AfterValidator(_ascii)]

# Of a database: any characters, and shown to it alone.
Password = Annotated[SecretStr, BeforeValidator(resolved)]


def secrets_of(value: object) -> Iterator[str]:
    """Give every secret in settings, wherever it stands."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from secrets_of(inner)
