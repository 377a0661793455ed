"""What every part of the settings is made of."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

_BASE_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?(/[^\s?#]*)?")


class Section(BaseModel):
    """Frozen; unknown keys are refused; no value is repeated in a message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def check_base_url(url: str) -> str:
    """Give a base URL back.

    Raises:
        ValueError: It is none.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError("base_url starts with http:// or https://")
    if not _BASE_URL.fullmatch(url):
        raise ValueError("base_url is scheme, host, port and path: no query, no fragment, no user name")
    return url
