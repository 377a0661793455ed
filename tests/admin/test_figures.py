"""Figures, probes and documents."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import httpx
import pytest

from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import PLAIN, GatewayProcess
from tests.support.upstream import Answer, Request, Upstream, json_answer

READY = {"ready": True, "tools": 300, "pending": 0, "registry": "up", "provider": "set"}
METRIC = re.compile(r'^(\w+)(?:\{(?:\w+="(\w+)")\})? ([0-9.e+-]+)$', re.MULTILINE)


def figures(gateway: GatewayProcess) -> dict[str, Any]:
    """Give what /admin/stats says."""
    stats: dict[str, Any] = gateway.admin("GET", "/admin/stats").json()
    return stats


def metrics(gateway: GatewayProcess) -> dict[tuple[str, str], float]:
    """Give what /metrics says, by name and label."""
    text = httpx.get(gateway.url + "/metrics", **PLAIN).text
    return {(name, label): float(value) for name, label, value in METRIC.findall(text)}


def wait_for_requests(gateway: GatewayProcess, count: int) -> dict[str, Any]:
    """Wait until so many chat requests are counted: that happens when an answer has ended, not before."""
    deadline = time.monotonic() + 10
    while figures(gateway)["requests"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return figures(gateway)


def test_stats_tell_what_requests_came_to(gateway: GatewayProcess, upstream: Upstream) -> None:
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


def test_metrics_and_stats_agree(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Prometheus reads the same numbers that people do."""
    gateway.register([tools.record(tool) for tool in tools.distinct(30)])
    before = figures(gateway)["requests"]
    for question in ("list the invoices", "approve a shipment"):
        gateway.post(tools.chat(question))
    stats, read = wait_for_requests(gateway, before + 2), metrics(gateway)
    assert {label: n for (name, label), n in read.items() if name == "toolfunnel_requests_total"} == stats["outcomes"]
    assert {label: n for (name, label), n in read.items() if name == "toolfunnel_failures_total"} == stats["failures"]
    assert read["toolfunnel_tools_sent_total", ""] == stats["tools"]["sent"]
    assert read["toolfunnel_tools_available_total", ""] == stats["tools"]["available"]
    assert read["toolfunnel_tokens_saved_total", ""] == stats["tokens"]["saved"]
    assert read["toolfunnel_catalog_tools", ""] == stats["catalog"]["tools"] == 30
    routed = stats["requests"] - stats["outcomes"].get("off", 0) - stats["outcomes"].get("refused", 0)
    assert read["toolfunnel_route_seconds_count", ""] == routed


def test_metrics_are_prometheus_text(open_gateway: GatewayProcess) -> None:
    """The type is the one that Prometheus asks for, and every line has its form."""
    answer = httpx.get(open_gateway.url + "/metrics", **PLAIN)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# HELP toolfunnel_requests_total" in answer.text
    assert all(re.match(r"# (HELP|TYPE) \w+ .|\w+(\{.*\})? [0-9.e+-]+$", line) for line in answer.text.splitlines())


def test_healthz_says_that_the_process_runs(open_gateway: GatewayProcess) -> None:
    """The probe of liveness asks nothing else."""
    answer = httpx.get(open_gateway.url + "/healthz", **PLAIN)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_waits_for_the_vectors(start_gateway: StartGateway, upstream: Upstream) -> None:
    """While tools are embedded it is 503 with how many are missing; then 200 with none."""
    may_answer = threading.Event()
    may_answer.set()

    def embed(request: Request) -> Answer:
        may_answer.wait(100)
        rows = enumerate(request.json()["input"])
        return json_answer({"data": [{"index": row, "embedding": [len(text), 1, row, 2]} for row, text in rows]})

    upstream.respond_by(embed)
    encoder = {"kind": "endpoint", "base_url": upstream.base_url, "model": "m", "dimension": 4, "timeout_s": 100}
    gateway = start_gateway(ENCODER=json.dumps(encoder))
    may_answer.clear()
    try:
        gateway.register([tools.record(tool) for tool in tools.distinct(300, "new_")], ready=False)
        answer = httpx.get(gateway.url + "/readyz", **PLAIN)
    finally:
        may_answer.set()
    assert (answer.status_code, answer.json()) == (503, READY | {"ready": False, "pending": 300})
    gateway.wait_ready(60)
    answer = httpx.get(gateway.url + "/readyz", **PLAIN)
    assert (answer.status_code, answer.json()) == (200, READY)


@pytest.fixture(scope="module")
def document(open_gateway: GatewayProcess) -> dict[str, Any]:
    """The OpenAPI document as it is served."""
    served: dict[str, Any] = httpx.get(open_gateway.url + "/admin/openapi.json", **PLAIN).json()
    return served


def test_the_documents_page_is_served(open_gateway: GatewayProcess) -> None:
    """/admin/docs is a page that reads the OpenAPI document."""
    answer = httpx.get(open_gateway.url + "/admin/docs", **PLAIN)
    assert answer.headers["content-type"].startswith("text/html")
    assert "/admin/openapi.json" in answer.text


def test_the_openapi_document_refers_to_nothing_that_is_missing(document: dict[str, Any]) -> None:
    """Every reference in the document leads somewhere in it."""
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        found = document
        for part in reference.split("/"):
            found = found[part]


def test_the_openapi_document_describes_every_operation(document: dict[str, Any]) -> None:
    """Each operation has a summary, a description, the key where it needs one, and the schema of its answer."""
    assert {"/admin/tools", "/admin/keys", "/healthz"} <= document["paths"].keys()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            assert operation["summary"], place
            assert operation["description"], place
            assert operation.get("security", []) == ([{"admin.key": []}] if path.startswith("/admin") else []), place
            answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
            assert answers, place
            assert all(answer.get("content") for status, answer in answers.items() if status != "204"), place


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "/admin/tools/{name}"),
        ("patch", "/admin/tools/{name}"),
        ("post", "/admin/tools:batch"),
        ("post", "/admin/route"),
    ],
)
def test_the_openapi_document_describes_bodies(document: dict[str, Any], method: str, path: str) -> None:
    """What is read byte for byte is described as well."""
    body = document["paths"][path][method]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"]


def test_the_openapi_document_names_the_fields_of_a_record(document: dict[str, Any]) -> None:
    """A record in the document is a record of the API."""
    record = document["components"]["schemas"]["RecordSchema"]
    fields = {"tool", "tags", "keywords", "examples", "pinned", "enabled", "risk", "source", "tenant"}
    assert set(record["properties"]) == fields
    assert record["required"] == ["tool"]
    change = document["paths"]["/admin/tools/{name}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(change["properties"]) == fields
    assert "required" not in change
