"""What keeps sources in step outlives whatever goes wrong."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import SourceRefused
from app.imports import reading
from app.imports.clock import Synchroniser
from app.imports.service import Imports
from app.settings.imports import SourceSpec


async def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize("fault", [SourceRefused("gone"), ValueError("odd"), RecursionError()])
async def test_listening_goes_on_after_any_fault(
    fault: Exception, work: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that made the client fail once is listened to again."""
    again = asyncio.Event()
    faults = [fault]

    async def follow(*_: Any) -> bool:
        if faults:
            raise faults.pop()
        again.set()
        return False

    monkeypatch.setattr(reading, "mcp_client", lambda: SimpleNamespace(follow=follow))
    spec = SourceSpec(name="there", kind="mcp", url="http://127.0.0.1/").model_copy(update={"interval_s": 0.01})
    synchroniser = Synchroniser(work.sources, work.settings, nothing)
    synchroniser._listen({"there": spec})  # what the clock does every second
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            await again.wait()
    await synchroniser.stop()
    assert again.is_set()
