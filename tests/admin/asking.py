"""Clients of the admin API, and what every one of its refusals must look like."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.support import tools
from tests.support.gateway import PLAIN, GatewayProcess

KEY = "the-key-of-the-operator"
CALLER = "sk-of-the-caller"  # what `GatewayProcess.post` shows

# What an answer must never hold: traces of code, of SQL, of the driver.
_INSIDES = re.compile(r"Traceback|File \"|\.py\b|SELECT |INSERT |UPDATE |DELETE FROM|sqlite3\.|sqlalche|pydantic", re.I)


def client_for(gateway: GatewayProcess, **headers: str) -> httpx.Client:
    """Make a client that shows the server's admin key, if it has one."""
    shown = {"authorization": f"Bearer {gateway.admin_key}"} if gateway.admin_key else {}
    return httpx.Client(base_url=gateway.url, headers=shown | headers, timeout=60.0, **PLAIN)


def clear(gateway: GatewayProcess) -> None:
    """Remove every tool from a server's catalogue."""
    with client_for(gateway) as client:
        while listed := client.get("/admin/tools", params={"limit": 1000}).json()["tools"]:
            for record in listed:
                client.delete(f"/admin/tools/{tools.name_of(record['tool'])}")


def refused(answer: httpx.Response, status: int, code: str, said: str = "") -> dict[str, Any]:
    """Give the error of a refusal, after looking at its form: OpenAI's, with a message that says `said`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert not _INSIDES.search(answer.text), answer.text
    assert list(answer.json()) == ["error"]
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert error["type"] in ("invalid_request_error", "authentication_error", "api_error")
    assert error["param"] is None
    assert re.search(said, error["message"]), error["message"]
    return error
