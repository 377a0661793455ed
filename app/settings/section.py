"""What every part of the settings is made of."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from app.settings.address import has_user

_BASE_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?(/[^\s?#]*)?")

_MOST = 10**12  # bytes, seconds or a count: more is a slip


class Section(BaseModel):
    """Frozen; unknown keys are refused; no value is repeated in a message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        """Refuse what overflows further on, in a timer or an option of the system."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, int | float) and abs(value) > _MOST:
                raise ValueError(f"{name} is more than {_MOST:,}")
        return self


def check_base_url(url: str, key: str = "base_url", instead: str = "api_key") -> str:
    """Return a base URL as it is. `instead`: what a credential in it should be given as.

    Raises:
        ValueError: It is none. The text repeats nothing of it.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{key} starts with http:// or https://")
    if has_user(url) or "?" in url:
        raise ValueError(f"{key} takes no user name, password or query, which are printed: {instead} is for a secret")
    if not _BASE_URL.fullmatch(url):
        raise ValueError(f"{key} is scheme, host, port and path: no query, no fragment, no user name")
    return url
