"""Sixteen clients, unharmed: what applications are written with works as without a gateway, beside 458 tools.

Each test looks at one scenario of one script of `python/` or `node/`: at what the application got, and at the tools
that its model was offered. `make test-clients` runs all of them, `make test` what its own environment has.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.applications import ANSWER, CATALOGUE_TOOL, OTHER_TOOL, SHOWN_MODEL, Applications, Outcome
from tests.clients.python.scenarios import PINNED, own

# What each script tries besides the code that docs/clients.md shows.
SCRIPTS = {
    "openai_chat.py": """loop stream structured forced agent13 agent60 agent60_unpinned stranger plain plain_called
        plain_alone dispatching responses_loop responses_stream responses_structured azure""",
    "openai_node.mjs": "loop stream structured agent13 agent60 plain plain_called plain_alone responses_loop",
    "vercel_ai.mjs": """loop stream structured agent13 agent60 plain plain_called plain_alone
        openai_loop openai_stream openai_structured openai_agent13 openai_agent60 openai_plain openai_plain_alone
        responses_loop responses_stream responses_structured""",
    "langchain_app.py": """loop stream structured forced agent13 agent60 stranger graph plain plain_called plain_alone
        responses_loop""",
    "openai_agents.py": """loop stream structured agent13 agent60 stranger handoff declared declared_alone plain
        plain_called plain_alone responses_loop responses_stream responses_structured""",
    "pydantic_ai_app.py": """loop stream structured forced agent13 agent60 plain plain_called plain_alone
        responses_loop responses_stream""",
    "llama_index_app.py": """loop one_call stream structured forced agent13 agent60 in_text plain plain_called
        plain_alone""",
    "litellm_app.py": "loop stream structured agent13 agent60 plain plain_called plain_alone responses_stream",
    "instructor_app.py": "structured forced json",
    "haystack_app.py": "loop stream structured agent13 agent60 plain plain_called plain_alone",
    "autogen_app.py": "loop stream structured agent13 agent60 plain plain_called plain_alone",
    "smolagents_app.py": "loop stream agent13 agent60 in_text plain plain_called plain_alone",
    "anthropic_app.py": "messages_loop messages_stream",
}
# What becomes of an application without tools whose model calls a tool of the catalogue. docs/clients.md says it.
CALLED_WITHOUT_TOOLS: dict[str, Any] = {
    "openai_chat.py": [None, CATALOGUE_TOOL],
    "openai_node.mjs": [None, CATALOGUE_TOOL],
    "vercel_ai.mjs": ANSWER,  # it told the model that there is no such tool
    "langchain_app.py": "",
    "openai_agents.py": f"agents.exceptions.ModelBehaviorError: Tool {CATALOGUE_TOOL} not found in agent Warehouse",
    "pydantic_ai_app.py": ANSWER,  # as vercel_ai
    "llama_index_app.py": None,
    "litellm_app.py": [None, CATALOGUE_TOOL],
    "haystack_app.py": [None, CATALOGUE_TOOL],
    "autogen_app.py": f"Error: tool '{CATALOGUE_TOOL}' not found in any workbench",
    "smolagents_app.py": [None, CATALOGUE_TOOL],
}
FORECAST = {"city": "Berlin", "days": 3}
UNSUPPORTED = "untrimmed; reason=unsupported"
MOST = 20  # select.max
pytestmark = pytest.mark.timeout(300)  # whoever comes first waits for the whole script


def cases(*scenarios: str) -> pytest.MarkDecorator:
    """Give a test each script that plays one of these scenarios, with the scenario's name there."""
    return pytest.mark.parametrize(
        ("script", "scenario"),
        [
            (script, name)
            for script, names in SCRIPTS.items()
            for name in names.split()
            if name in scenarios or name.removeprefix("openai_") in scenarios
        ],
    )


def names(count: int) -> set[str]:
    """Return the names of so many tools of an application."""
    return {tool.name for tool in own(count)}


def answered(outcome: Outcome) -> Any:
    """Return the text that came of it; some scripts tell more beside it."""
    assert outcome.error == ""
    return outcome.result[0] if isinstance(outcome.result, list) else outcome.result


def test_every_script_is_tried(applications: Applications) -> None:
    """No script lies beside the others that no test runs."""
    folder = applications.folder
    found = {path.name for kind in ("python/*.py", "node/*.mjs") for path in folder.glob(kind)}
    assert found - {"scenarios.py", "scenarios.mjs"} == set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_shown_code_works(applications: Applications, script: str) -> None:
    """What docs/clients.md tells to type runs, with no tools but its own, and prints what the model said."""
    outcome = applications.outcome(script, SHOWN_MODEL)
    printed, offered = ("Berlin", "Forecast") if "instructor" in script else ("It arrives on Friday.", "order_status")
    assert printed in outcome.result
    control = {"final_answer"} if "smolagents" in script else set()
    assert [set(tools) - control for tools in outcome.offered if tools] == [{offered}] * _calls(script)
    assert set().union(*outcome.offered) <= {offered} | control


def _calls(script: str) -> int:
    """Return how many requests of the code that is shown have tools."""
    return 1 if "instructor" in script or "autogen" in script else 2


@cases("loop", "stream", "one_call")
def test_own_loop_keeps_its_tools(applications: Applications, script: str, scenario: str) -> None:
    """An application with three tools has these and no others, they run, and it gets the model's answer."""
    outcome = applications.outcome(script, scenario)
    control = {"final_answer"} if "smolagents" in script else set()
    assert {frozenset(tools) for tools in outcome.offered} == {frozenset(names(3) | control)}
    assert outcome.called == ["local_weather"]
    assert answered(outcome) == ("local_weather is done" if scenario == "one_call" else ANSWER)


@cases("structured", "json")
def test_structured_output_gets_no_tools(applications: Applications, script: str, scenario: str) -> None:
    """A request for JSON of a certain form goes out without tools, and the object comes back."""
    outcome = applications.outcome(script, scenario)
    assert answered(outcome) == FORECAST
    assert [tools for tools in outcome.offered if tools] == []


@cases("forced")
def test_forced_call_gets_no_other_tools(applications: Applications, script: str, scenario: str) -> None:
    """Where the client forces a call, nothing joins its own tools."""
    outcome = applications.outcome(script, scenario)
    assert answered(outcome) in (FORECAST, "local_weather")
    assert set().union(*outcome.offered) <= names(3) | {"Forecast", "final_result"}


@cases("agent13", "graph")
def test_agent_with_13_tools_keeps_all(applications: Applications, script: str, scenario: str) -> None:
    """Every request of an agent has its thirteen tools and no others, among them those that steer it."""
    outcome = applications.outcome(script, scenario)
    assert {frozenset(tools) for tools in outcome.offered} == {frozenset(names(13))}
    assert list(outcome.called)[:2] == ["local_weather", "ask_user"]
    assert answered(outcome) == ANSWER


@cases("agent60")
def test_agent_with_60_tools_keeps_what_it_needs(applications: Applications, script: str, scenario: str) -> None:
    """Of sixty, twenty at most: those that the question needs, its instructions name, it called, or the header pins."""
    outcome = applications.outcome(script, scenario)
    assert list(outcome.called)[:2] == ["local_weather", "ask_user"]
    assert answered(outcome) == ANSWER
    for tools in outcome.offered:
        assert {"local_weather", "ask_user", "final_answer", PINNED} <= set(tools) <= names(60)
        assert len(tools) <= MOST


@cases("agent60_unpinned")
def test_pinned_tool_is_there_because_of_the_header(applications: Applications, script: str, scenario: str) -> None:
    """Without `x-toolfunnel-keep` the tool that it names is not among the twenty."""
    outcome = applications.outcome(script, scenario)
    assert [len(tools) for tools in outcome.offered if PINNED in tools] == []


@cases("stranger")
def test_stranger_with_25_tools_keeps_working(applications: Applications, script: str, scenario: str) -> None:
    """An agent with 25 tools of its own runs to its end beside a catalogue of 458, of which it never sees one."""
    outcome = applications.outcome(script, scenario)
    assert list(outcome.called) == ["local_weather", "ask_user", "final_answer"]
    assert answered(outcome) == ANSWER
    for tools in outcome.offered:
        assert {"local_weather", "ask_user", "final_answer"} <= set(tools) <= names(25)


@cases("stranger")
def test_catalogue_changes_nothing_for_a_stranger(
    applications: Applications, alone: Applications, script: str, scenario: str
) -> None:
    """The same agent is offered the same tools, request by request, as if there were no catalogue."""
    beside, before = applications.outcome(script, scenario), alone.outcome(script, scenario)
    assert beside.offered == before.offered
    assert (beside.result, beside.called) == (before.result, before.called)


@cases("handoff")
def test_handoff_is_kept(applications: Applications, script: str, scenario: str) -> None:
    """The tool that a framework makes to hand over is offered beside 24 others, and the other agent answers."""
    outcome = applications.outcome(script, scenario)
    assert all("transfer_to_billing" in tools for tools in outcome.offered)
    assert answered(outcome) == ANSWER


@cases("plain")
def test_application_without_tools_is_answered(
    applications: Applications, catalogue: frozenset[str], script: str, scenario: str
) -> None:
    """An application without tools is offered some of the catalogue, and gets the model's answer."""
    outcome = applications.outcome(script, scenario)
    assert answered(outcome) == ANSWER
    assert [set(tools) <= catalogue and len(tools) <= MOST for tools in outcome.offered] == [True]


@cases("plain_called")
def test_catalogue_tool_is_called_without_tools(applications: Applications, script: str, scenario: str) -> None:
    """What happens to an application without tools whose model calls one of the catalogue is what the document says."""
    outcome = applications.outcome(script, scenario)
    assert (outcome.error or outcome.result) == CALLED_WITHOUT_TOOLS[script]


@cases("plain_alone")
def test_application_without_tools_can_stay_so(applications: Applications, script: str, scenario: str) -> None:
    """With `x-toolfunnel-source: request` nothing is added, and what the model says arrives."""
    outcome = applications.outcome(script, scenario)
    assert outcome.offered == [[]]
    assert answered(outcome) == f"{CATALOGUE_TOOL} was not offered, only: nothing."


@cases("in_text")
def test_agent_that_describes_its_tools_in_text(applications: Applications, script: str, scenario: str) -> None:
    """An agent whose tools stand in its prompt only sends none, and with the header it gets none."""
    outcome = applications.outcome(script, scenario)
    assert {len(tools) for tools in outcome.offered} == {0}
    assert answered(outcome).startswith(ANSWER)


@cases("dispatching")
def test_application_that_runs_the_catalogue_says_so(
    applications: Applications, catalogue: frozenset[str], script: str, scenario: str
) -> None:
    """With `x-toolfunnel-source: both` the catalogue's tools join the application's three."""
    outcome = applications.outcome(script, scenario)
    assert outcome.called == [CATALOGUE_TOOL]
    assert answered(outcome) == ANSWER
    for tools in outcome.offered:
        assert names(3) < set(tools) <= names(3) | catalogue


@cases("declared", "declared_alone")
def test_agent_that_declares_a_tool_of_the_catalogue(
    applications: Applications, catalogue: frozenset[str], script: str, scenario: str
) -> None:
    """It is taken to run the catalogue's, which join. One that runs the declared one only says so, and none joins."""
    outcome = applications.outcome(script, scenario)
    (tools,) = map(set, outcome.offered)
    mine = names(3) | {CATALOGUE_TOOL}
    if scenario == "declared":
        assert mine < tools <= mine | catalogue
        assert outcome.error == f"agents.exceptions.ModelBehaviorError: Tool {OTHER_TOOL} not found in agent Warehouse"
    else:
        assert tools == mine
        assert answered(outcome).startswith(f"{OTHER_TOOL} was not offered")


@cases("responses_loop", "responses_stream", "messages_loop", "messages_stream")
def test_other_protocols_pass_untouched(applications: Applications, script: str, scenario: str) -> None:
    """Responses and Messages go out with all forty tools, and the answer says that they were not trimmed, and why."""
    outcome = applications.outcome(script, scenario)
    assert {frozenset(tools) for tools in outcome.offered} == {frozenset(names(40))}
    assert answered(outcome) in (ANSWER, "local_weather")
    if isinstance(outcome.result, list) and len(outcome.result) > 1:
        assert outcome.result[1] == UNSUPPORTED


@cases("responses_structured")
def test_responses_with_a_schema_pass_untouched(applications: Applications, script: str, scenario: str) -> None:
    """Structured output by Responses comes back as an object."""
    assert answered(applications.outcome(script, scenario)) == FORECAST


@cases("azure")
def test_azure_paths_are_not_served(applications: Applications, script: str, scenario: str) -> None:
    """AzureOpenAI asks below /openai/deployments, which is a 404 and nothing that is sent on."""
    outcome = applications.outcome(script, scenario)
    assert outcome.result[0] == 404
    assert outcome.requests == ()
