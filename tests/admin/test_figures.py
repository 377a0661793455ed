"""Figures, probes and documents."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import httpx
import pytest

from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream, json_answer

METRIC = re.compile(r'^(\w+)(?:\{(?:\w+="(\w+)")\})? ([0-9.e+-]+)$', re.MULTILINE)


def figures(gateway: GatewayProcess) -> dict[str, Any]:
    """Give what /admin/stats says."""
    stats: dict[str, Any] = gateway.admin("GET", "/admin/stats").json()
    return stats


def metrics(gateway: GatewayProcess) -> dict[tuple[str, str], float]:
    """Give what /metrics says, by name and label."""
    text = httpx.get(gateway.url + "/metrics", trust_env=False).text
    return {(name, label): float(value) for name, label, value in METRIC.findall(text)}


def wait_for_requests(gateway: GatewayProcess, count: int) -> dict[str, Any]:
    """Wait until so many chat requests are counted: that happens when an answer has ended, not before."""
    deadline = time.monotonic() + 10
    while figures(gateway)["requests"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return figures(gateway)


@pytest.fixture(scope="module")
def used(open_gateway: GatewayProcess) -> GatewayProcess:
    """A server that has answered a few requests."""
    return open_gateway


def test_stats_tell_what_requests_came_to(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Requests, outcomes, tools, tokens, times and failures of a few requests of every kind add up."""
    gateway.register([tools.record(tool) for tool in tools.distinct(30)])
    before = figures(gateway)
    sent = int(gateway.post(tools.chat("list the invoices")).headers["x-toolfunnel-tools"].partition("/")[0])
    gateway.post(tools.chat("list", tool_choice="none"))
    gateway.post(tools.chat("list"), x_toolfunnel_tools="off")
    gateway.post(b"not json")
    gateway.post(tools.chat("list"), authorization="Bearer wrong")
    upstream.respond_with(json_answer({"error": {}}, 500))
    gateway.post(tools.chat("list the contracts"))
    after = wait_for_requests(gateway, before["requests"] + 6)
    grown = {name: after["outcomes"].get(name, 0) - before["outcomes"].get(name, 0) for name in after["outcomes"]}
    assert grown == {"routed": 2, "untouched": 1, "off": 1, "unreadable": 1, "refused": 1}
    assert after["failures"]["invalid_api_key"] - before["failures"].get("invalid_api_key", 0) == 1
    assert after["tools"]["sent"] - before["tools"]["sent"] >= 2 * sent
    assert after["tokens"]["saved"] > before["tokens"]["saved"]
    assert 0 < after["route_ms"]["p50"] <= after["route_ms"]["p90"] <= after["route_ms"]["p99"]
    assert after["route_ms"]["p99"] <= after["route_ms"]["max"] < 5_000
    assert after["catalog"] == {"tools": 30, "pending": 0, "ready": True}
