"""What a caller asks for in `x-toolfunnel-…` headers, and what the answer's headers tell."""

from __future__ import annotations

import pytest

from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream, json_answer

QUESTION = tools.chat("list the exams")


def test_options_off_sends_the_bytes_untouched(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """`x-toolfunnel-tools: off` switches routing off for a request."""
    body = tools.encoded(tools.chat("list the exams", tools.distinct(40, "own_")))
    answer = stocked_gateway.post(body, x_toolfunnel_tools="off")
    assert upstream.last.body == body
    assert answer.headers["x-toolfunnel-tools"] == "untrimmed; reason=off"


@pytest.mark.parametrize(("asked", "sent"), [("1", 1), ("5", 5), ("07", 7), ("20", 20), ("999", 20)])
def test_options_k_sets_the_budget(stocked_gateway: GatewayProcess, upstream: Upstream, asked: str, sent: int) -> None:
    """`x-toolfunnel-k` is the number of tools, up to the operator's maximum."""
    answer = stocked_gateway.post(QUESTION, x_toolfunnel_k=asked)
    assert len(upstream.last.tool_names) == sent
    assert answer.headers["x-toolfunnel-tools"] == f"{sent}/300"


def test_options_tags_narrow_the_catalogue(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """`x-toolfunnel-tags` offers only tools that carry one of the tags."""
    stocked_gateway.post(QUESTION, x_toolfunnel_tags="lamp, vaccine ,,nobody")
    assert len(upstream.last.tool_names) == 12
    assert {name.partition("_")[2] for name in upstream.last.tool_names} == {"lamp", "vaccine"}


def test_options_tags_that_nothing_carries_add_nothing(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Where the tags leave nothing, the request goes out as it came; never an empty list."""
    body = tools.encoded(QUESTION)
    stocked_gateway.post(body, x_toolfunnel_tags="nobody")
    assert upstream.last.body == body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("x-toolfunnel-k", value) for value in ("0", "-1", "1.5", "ten", "", "1" * 7)),
        *(("x-toolfunnel-tools", value) for value in ("on", "false", "")),
    ],
)
def test_options_that_cannot_be_read_are_refused(
    stocked_gateway: GatewayProcess, upstream: Upstream, name: str, value: str
) -> None:
    """A value that means nothing is a 400 that names the header, and nothing is forwarded."""
    answer = stocked_gateway.post(QUESTION, **{name: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert name in answer.json()["error"]["message"]
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
def test_options_are_never_forwarded(stocked_gateway: GatewayProcess, upstream: Upstream, path: str) -> None:
    """The provider sees none of the gateway's own headers, on any path."""
    own = {"x_toolfunnel_tools": "auto", "x_toolfunnel_k": "3", "x_toolfunnel_tags": "exam", "x_toolfunnel_new": "1"}
    stocked_gateway.post(QUESTION, path, **own)
    assert [name for name, _ in upstream.last.headers if "toolfunnel" in name.lower()] == []


def test_response_headers_tell_numbers_and_no_names(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The answer's headers tell how many tools were sent and how long that took; no name is in any header."""
    answer = stocked_gateway.post(QUESTION)
    assert answer.headers["x-toolfunnel-tools"] == "12/300"
    assert float(answer.headers["x-toolfunnel-route-ms"]) >= 0
    shown = " ".join([*answer.headers.values(), *(value for _, value in upstream.last.headers)])
    assert [name for name in upstream.last.tool_names if name in shown] == []


def test_response_headers_are_on_errors_of_the_provider_too(
    stocked_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """When the provider refuses, the caller still sees how many tools it was sent."""
    upstream.respond_with(json_answer({"error": {"message": "no"}}, 400))
    assert stocked_gateway.post(QUESTION).headers["x-toolfunnel-tools"] == "12/300"


SOURCES = {
    "both": {"own_exam_report", "list_invoice"},
    "registry": {"list_invoice"},
    "request": {"own_exam_report"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_sources_decide_whose_tools_are_sent(shared_gateway: StartGateway, upstream: Upstream, source: str) -> None:
    """`tools.source` says whether the client's tools, the catalogue's or both go out."""
    gateway = shared_gateway(TOOLS__SOURCE=source)
    gateway.register([tools.record(tool) for tool in tools.distinct(1)])
    own = tools.function("own_exam_report", "Write a report about an exam.")
    gateway.post(tools.chat("list invoices and write an exam report", [own]))
    assert set(upstream.last.tool_names) == SOURCES[source]


def test_sources_a_clients_definition_wins(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A name that both have goes out once, as the client wrote it."""
    own = tools.function("list_exam", "My own.")
    stocked_gateway.post(tools.chat("list the exams", [own]), x_toolfunnel_source="both")
    assert upstream.last.tool_names.count("list_exam") == 1
    assert own in upstream.last.json()["tools"]


def test_sources_a_registered_definition_goes_out_byte_for_byte(
    start_gateway: StartGateway, upstream: Upstream
) -> None:
    """What was registered is what the provider sees: spaces, escapes, numbers and unknown keys."""
    definition = (
        b'{ "function":{"name":"odd","parameters":{"maximum":1.0e2,"x":"\\u00e9\\/"}} , "type":"function","y":[ ]}'
    )
    gateway = start_gateway()
    answer = gateway.admin("PUT", "/admin/tools/odd", content=b'{"tool":' + definition + b"}")
    assert answer.status_code == 201
    gateway.post(QUESTION)
    assert upstream.last.body.endswith(b',"tools":[' + definition + b"]}")
