"""How wide output may be where the environment says so: COLUMNS, as terminals and people set it."""

from __future__ import annotations

import os

from app.digits import whole

_LEAST, _MOST = 40, 10_000


def columns() -> int | None:
    """Return the columns that the environment asks for; None where it says nothing that can be used."""
    wanted = whole(os.environ.get("COLUMNS", ""), _MOST)
    return None if wanted is None else max(wanted, _LEAST) if wanted else None
