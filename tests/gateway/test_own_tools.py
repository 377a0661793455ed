"""What stays of a client's own tools, with the settings that the gateway starts with, beside the sample catalogue."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MakeClient, StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

EXAMPLES = Path(__file__).parents[2] / "examples" / "catalog"
QUESTIONS = [
    "What is the weather in Berlin tomorrow?",
    "Which Stripe invoices of customer 42 are overdue?",
    "How many open PRs does our github repo have?",
]
CORE = [
    tools.function("final_answer", "Give the final answer and end the task."),
    tools.function("think", "Write down a thought before acting."),
    tools.function("transfer_to_billing", "Hand over to the billing agent."),
    tools.function("ask_user", "Ask the user for a missing detail."),
    tools.function("write_todos", "Keep the list of tasks."),
    tools.function("bash", "Run a shell command."),
    tools.function("read_file", "Read a file of the workspace."),
    tools.function("write_file", "Write a file."),
    tools.function("grep", "Search in files."),
    tools.function("glob", "Find files."),
    tools.function("edit", "Edit a file."),
    tools.function("web_fetch", "Fetch a URL."),
    tools.function("web_search", "Search the web."),
]
STEERING = {"final_answer", "think", "transfer_to_billing", "ask_user", "write_todos", "bash", "edit"}


@pytest.fixture(scope="module")
def sample_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with the sample catalogue, and every other setting as it comes."""
    gateway = shared_gateway(SAFETY__ALLOW='["read","write"]')
    records = [record for file in sorted(EXAMPLES.glob("*.yaml")) for record in yaml.safe_load(file.read_bytes())]
    assert len(records) == 458
    gateway.register(records)
    return gateway


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("count", [1, 12, 13, 20])
def test_up_to_twenty_are_all_kept(
    sample_gateway: GatewayProcess, upstream: Upstream, question: str, count: int
) -> None:
    """Whatever is asked, and byte for byte."""
    own = [*CORE, *tools.distinct(7, "own_")][:count]
    body = tools.encoded(tools.chat(question, own))
    assert sample_gateway.post(body).headers["x-toolfunnel-tools"] == f"{count}/{count}"
    assert upstream.last.body == body


def test_both_keeps_them_too_and_the_catalogue_joins(sample_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Behind all thirteen stand the best of the catalogue."""
    answer = sample_gateway.post(tools.chat(QUESTIONS[0], CORE), x_toolfunnel_source="both")
    assert upstream.last.tool_names[:13] == [tools.name_of(tool) for tool in CORE]
    assert "openweather_forecast_daily" in " ".join(upstream.last.tool_names) or len(upstream.last.tool_names) == 19
    assert answer.headers["x-toolfunnel-tools"].startswith("19/")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_strangers_agent_of_25_tools_goes_on(
    sample_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream, question: str
) -> None:
    """It keeps what steers it, is sent nothing of the 458 that it never heard of, and its list stays over the loop."""
    own: list[Any] = [*CORE, *tools.distinct(12, "own_")]
    messages: list[Any] = [{"role": "system", "content": "Look around with `glob` first."}, tools.user(question)]
    for step in ("glob", "bash", "final_answer"):
        client_of(sample_gateway).chat.completions.create(model="m", messages=messages, tools=own)
        messages += tools.called(step, f"call_{step}")
    names = set(map(tools.name_of, own))
    for request in upstream.requests:
        assert STEERING | {"glob"} <= set(request.tool_names) <= names
        assert len(request.tool_names) <= 20
    assert len({request.tool_names[-1] for request in upstream.requests}) == 1


def test_of_sixty_the_named_called_kept_and_steering_stay(sample_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Twenty at most, what is asked for among them; every list begins with the one before."""
    own = [*tools.distinct(57, "own_"), *CORE[:3]]
    system = {
        "role": "system",
        "content": "For anything about trips start with `own_get_shipment`, then own_list_expense.",
    }
    messages = [system, tools.user("archive the invoice")]
    asked = {"x_toolfunnel_keep": "own_share_unknown, own_compare_meeting,unknown"}
    stay = {
        "own_get_shipment",
        "own_list_expense",
        "own_compare_meeting",
        "final_answer",
        "think",
        "transfer_to_billing",
    }
    for question in ("and share the contract", "thank you", "schedule the meeting"):
        sample_gateway.post(tools.chat(messages, own), **asked)
        messages = [*messages, *tools.called("own_archive_invoice"), tools.user(question)]
    for request in upstream.requests:
        assert stay | {"own_archive_invoice"} <= set(request.tool_names)
        assert len(request.tool_names) <= 20
    lists = [tools.listed(request.body) for request in upstream.requests]
    assert all(after[: len(before)] == before for before, after in pairwise(lists))


def test_instructions_that_name_all_sixty_name_none(sample_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Such a prompt lists the tools: the question decides, beside what steers."""
    own = [*tools.distinct(57, "own_"), *CORE[:3]]
    listed = "\n".join(f"- {tools.name_of(tool)}: {tool['function']['description']}" for tool in own)
    system = {"role": "system", "content": f"You have these tools:\n{listed}"}
    sample_gateway.post(tools.chat([system, tools.user("archive the invoice")], own))
    assert {"final_answer", "think", "transfer_to_billing", "own_archive_invoice"} <= set(upstream.last.tool_names)
    assert len(upstream.last.tool_names) <= 20


def test_too_many_names_to_keep_are_refused(sample_gateway: GatewayProcess, upstream: Upstream) -> None:
    """With a 400 that says how many may be named."""
    answer = sample_gateway.post(tools.chat("hi"), x_toolfunnel_keep=",".join(f"t{n}" for n in range(129)))
    assert answer.status_code == 400
    assert "128" in answer.json()["error"]["message"]
    assert upstream.requests == []
