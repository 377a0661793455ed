"""Whether the catalogue's tools join those of a request."""

from __future__ import annotations

from typing import Any

import pytest

from app.joining import Why, decide
from app.settings import SourcePolicy
from app.settings.tools import Granted
from app.wire import chat
from router.catalog import Catalog
from router.permit import ANYONE
from router.types import Grants, Parameter, Source
from tests.support import tools
from tests.unit.router.fakes import catalog, tool

_TWO = (Parameter("city"), Parameter("day"))
CATALOGUE = catalog(
    tool("weather", "The weather of a city.", parameters=_TWO),
    tool("search", "Search the orders.", parameters=(Parameter("query"),)),
    tool("foreign", "Another's.", tenant="globex"),
    tool("off", "Disabled.", enabled=False),
)
ASKED = [tools.user("hello")]


def why(own: Catalog, messages: list[dict[str, Any]], grants: Grants = ANYONE, most: int = 20) -> str:
    """Return why the catalogue joins a request with source `auto`."""
    request = chat.parse(tools.encoded(tools.chat(messages)))
    decision = decide(Granted(SourcePolicy.AUTO, "setting"), request, own, CATALOGUE, grants, most)
    assert (decision.source is Source.REQUEST) == (decision.why == Why.OWN)
    return decision.why


MINE = tool("final_answer", "End.")


def test_a_request_without_tools_gets_the_catalogue() -> None:
    """Nobody else's tools could be meant."""
    assert why(catalog(), ASKED) == Why.ALONE


def test_a_request_that_leaves_out_its_own_tools_gets_none() -> None:
    """An agent that asks for a last answer without tools has called its own before; one that called ours gets ours."""
    mine, ours = tools.called("final_answer"), tools.called("weather")
    for called in (mine, tools.called("foreign")):
        assert why(catalog(), [*ASKED, *called]) == Why.OWN
    for called in (ours, [*mine, *ours], []):
        assert why(catalog(), [*ASKED, *called]) == Why.ALONE
    request = chat.parse(tools.encoded(tools.chat([*ASKED, *mine], tool_choice="auto")))  # it speaks about tools
    said = Granted(SourcePolicy.AUTO, "setting")
    assert decide(said, request, catalog(), CATALOGUE, ANYONE, 20).why == Why.ALONE


def test_own_tools_stay_alone() -> None:
    """An application runs what it sends, and nothing shows that it runs more."""
    assert why(catalog(MINE), ASKED) == Why.OWN


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (tool("weather", "In other words.", parameters=_TWO), Why.DECLARED),
        (tool("weather", "The weather of a city.", parameters=_TWO[:1]), Why.OWN),
        (tool("search", "Search the\n orders. ", parameters=(Parameter("query"),)), Why.DECLARED),
        (tool("search", "Search the web.", parameters=(Parameter("query"),)), Why.OWN),
        (tool("foreign", "Another's."), Why.OWN),
        (tool("off", "Disabled."), Why.DECLARED),
    ],
    ids=["its own words", "other parameters", "the same", "another search", "foreign", "disabled"],
)
def test_a_tool_of_the_catalogue_in_the_list_shows_who_runs_it(own: Any, expected: Why) -> None:
    """The same to call under the same name; a short one by its description, too; a foreign one does not exist."""
    assert why(catalog(MINE, own), ASKED) == expected


def test_the_tenants_caller_shows_it_by_the_tenants_tool() -> None:
    """What is foreign to one is there for another."""
    acme = Grants(ANYONE.risks, tenants=frozenset({"globex"}))
    assert why(catalog(MINE, tool("foreign", "Another's.")), ASKED, acme) == Why.DECLARED


def test_a_call_that_was_answered_shows_who_runs_it() -> None:
    """From then on, as long as it stands in the history; a call of its own tool, an unknown or foreign one does not."""
    later = [*tools.called("weather"), tools.user("and tomorrow?"), *tools.called("final_answer")]
    assert why(catalog(MINE), [*ASKED, *later]) == Why.CALLED
    for name in ("final_answer", "unknown", "foreign"):
        assert why(catalog(MINE), [*ASKED, *tools.called(name)]) == Why.OWN


def test_a_call_counts_for_nothing_where_the_list_is_trimmed() -> None:
    """Others than were sent before would be chosen."""
    own = catalog(MINE, tool("b"), tool("c"))
    assert why(own, [*ASKED, *tools.called("weather")], most=2) == Why.OWN


def decided(policy: SourcePolicy, own: Catalog, removed: int = 0, **fields: Any) -> tuple[Source, str]:
    """Return whose tools a request with these fields gets."""
    request = chat.parse(tools.encoded(tools.chat(ASKED, **fields)))
    decision = decide(Granted(policy, "key"), request, own, CATALOGUE, ANYONE, 20, removed)
    return decision.source, decision.why


@pytest.mark.parametrize(
    "choice",
    [
        {"tool_choice": {"type": "function", "function": {"name": "final_answer"}}},
        {"function_call": {"name": "final_answer"}},
        {"tool_choice": {"type": "web_search"}},
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "final_answer"}}],
                },
            }
        },
    ],
    ids=["tool_choice", "function_call", "by type", "allowed_tools"],
)
@pytest.mark.parametrize("policy", [SourcePolicy.AUTO, SourcePolicy.BOTH])
def test_nothing_joins_a_forced_call(policy: SourcePolicy, choice: dict[str, Any]) -> None:
    """However the call is forced; what is named and not sent comes from the catalogue."""
    assert decided(policy, catalog(MINE), **choice) == (Source.REQUEST, Why.FORCED)


def test_a_forced_tool_of_the_catalogue_comes_alone() -> None:
    """It is demanded, and nothing else is."""
    choice = {"type": "function", "function": {"name": "weather"}}
    assert decided(SourcePolicy.BOTH, catalog(MINE), tool_choice=choice) == (Source.FORCED, Why.FORCED)
    assert decided(SourcePolicy.REGISTRY, catalog(), tool_choice=choice) == (Source.FORCED, Why.FORCED)
    assert decided(SourcePolicy.REQUEST, catalog(MINE), tool_choice=choice) == (Source.REQUEST, "key")


FORMS: list[dict[str, Any]] = [
    {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
    {"response_format": {"type": "json_object"}},
    {"guided_json": {}},
    {"grammar": "root ::= [a-z]+"},
    {"prediction": {"type": "content", "content": "x"}},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: next(iter(form)))
def test_nothing_joins_where_the_form_of_the_answer_is_given(form: dict[str, Any]) -> None:
    """Without tools of its own, and without a word about tools, such a request wants none."""
    for policy in (SourcePolicy.AUTO, SourcePolicy.BOTH, SourcePolicy.REGISTRY):
        assert decided(policy, catalog(), **form) == (Source.REQUEST, Why.STRUCTURED)
    assert decided(SourcePolicy.AUTO, catalog(), **form, tool_choice="required") == (Source.BOTH, Why.ALONE)
    assert decided(SourcePolicy.BOTH, catalog(MINE), **form) == (Source.BOTH, "key")
    assert decided(SourcePolicy.REGISTRY, catalog(), removed=1, **form) == (Source.REGISTRY, "key")


@pytest.mark.parametrize("form", [{"type": "text"}, None, "text", {"type": 5}, []])
def test_a_text_is_no_form(form: object) -> None:
    """What OpenAI answers without the field, and what nobody can read."""
    assert decided(SourcePolicy.AUTO, catalog(), response_format=form) == (Source.BOTH, Why.ALONE)


def test_a_choice_that_is_a_word_forces_nothing() -> None:
    """`required`, also as an object, leaves it to the model which tool is called."""
    assert decided(SourcePolicy.AUTO, catalog(), tool_choice="required") == (Source.BOTH, Why.ALONE)
    assert decided(SourcePolicy.AUTO, catalog(), tool_choice={"type": "any"}) == (Source.BOTH, Why.ALONE)
