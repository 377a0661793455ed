"""Whether a request's client can still be written to: what the server tells the application in a request's scope."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

_KEY = "toolfunnel.is_deserted"


def tell(scope: MutableMapping[str, Any], is_deserted: Callable[[], bool]) -> None:
    """Let the application ask whether nothing can be sent to this request's client any more."""
    scope.setdefault("extensions", {})[_KEY] = is_deserted


def told(scope: MutableMapping[str, Any]) -> Callable[[], bool]:
    """Return what tells whether the client has gone; of a server that does not tell, it never has."""
    found: Callable[[], bool] = scope.get("extensions", {}).get(_KEY, _never)
    return found


def _never() -> bool:
    return False
