"""Lines of a server's log."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.gateway import GatewayProcess

_PATIENCE_S = 10.0
_STEP_S = 0.02


def lines(gateway: GatewayProcess, event: str) -> list[dict[str, Any]]:
    """Give the lines of an event, from a log in json."""
    read = (json.loads(line) for line in gateway.log.splitlines() if line.startswith("{") and line.endswith("}"))
    return [line for line in read if line["event"] == event]


def line_of(gateway: GatewayProcess, request_id: str) -> dict[str, Any]:
    """Wait for the line of a request.

    Raises:
        AssertionError: There is none, or more than one.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        found = [one for event in ("chat", "other") for one in lines(gateway, event)]
        mine = [one for one in found if one["request_id"] == request_id]
        if mine:
            assert len(mine) == 1
            return mine[0]
        assert time.monotonic() < deadline, gateway.log
        time.sleep(_STEP_S)


def wait_for_text(gateway: GatewayProcess, text: str) -> None:
    """Wait until the log holds a text.

    Raises:
        AssertionError: It does not come.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while text not in gateway.log:
        assert time.monotonic() < deadline, gateway.log
        time.sleep(_STEP_S)
