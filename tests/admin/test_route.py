"""POST /admin/route: the whole decision, and nothing is forwarded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.admin.asking import clear, client_for, refused
from tests.conftest import StartGateway
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

QUESTION = "Compare two versions of a contract"
SPECIAL = [
    tools.record(tools.function("ask_operator", "Ask the operator of this service."), pinned=True),
    tools.record(tools.function("erase_contract", "Erase a contract for good."), risk="dangerous"),
    tools.record(tools.function("old_contract", "Compare contracts the old way."), enabled=False),
    tools.record(tools.function("search_contract", "Search in contracts."), tags=["search", "法務"]),
    tools.record(tools.custom("contract_code", "Run code on a contract.")),
]
STOCK = [tools.record(tool, tags=["stock"]) for tool in tools.distinct(120)] + SPECIAL


@pytest.fixture(scope="module")
def stocked(keyed_gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    """A server with 125 tools that are all embedded."""
    clear(keyed_gateway)
    keyed_gateway.register(STOCK)
    yield keyed_gateway
    clear(keyed_gateway)


def explain(gateway: GatewayProcess, body: object, **headers: str) -> dict[str, Any]:
    """Ask for a decision."""
    with client_for(gateway, **{name.replace("_", "-"): value for name, value in headers.items()}) as client:
        answer = client.post("/admin/route", content=tools.encoded(body))
    assert answer.status_code == 200, answer.text
    decision: dict[str, Any] = answer.json()
    return decision


def row(decision: dict[str, Any], name: str) -> dict[str, Any]:
    """Give the row of the tool of this name; of the catalogue's, where the client has it, too."""
    rows: list[dict[str, Any]] = [row for row in decision["tools"] if row["name"] == name]
    return rows[-1]


def test_route_tells_everything_about_a_decision(stocked: GatewayProcess) -> None:
    """Query, mode, what is sent of how many, tokens, timings, and a row for every tool."""
    decision = explain(stocked, tools.chat(QUESTION))
    assert decision["query"] == [{"text": QUESTION, "weight": 1.0}]
    assert decision["mode"] == "hybrid"
    assert (len(decision["sent"]), decision["available"]) == (13, 123)  # twelve and the pinned one; two may not
    assert 0 < decision["tokens"]["after"] < decision["tokens"]["before"]
    assert 0 < decision["timings_ms"]["route"] < 5_000
    assert len(decision["tools"]) == 125


def test_route_gives_scores_and_ranks_of_both_channels(stocked: GatewayProcess) -> None:
    """The tool that is asked for leads by words, by meaning and together; scores fall with the ranks."""
    decision = explain(stocked, tools.chat(QUESTION))
    best = row(decision, "compare_contract")
    assert [best[channel]["rank"] for channel in ("fused", "dense", "lexical")] == [1, 1, 1]
    assert best["description"] == "Show the differences between two versions of a contract."
    for channel in ("fused", "dense", "lexical"):
        places = sorted((r[channel]["rank"], -r[channel]["score"]) for r in decision["tools"] if r[channel])
        assert [rank for rank, _ in places] == list(range(1, len(places) + 1))
        assert places == sorted(places, key=lambda place: place[1])


def test_route_lists_the_sent_in_their_order_and_the_others_by_rank(stocked: GatewayProcess) -> None:
    """The rows begin with what is sent, as it is sent; then come the others, best first, then the refused."""
    decision = explain(stocked, tools.chat(QUESTION))
    chosen = [row["name"] for row in decision["tools"] if row["chosen"]]
    assert [row["name"] for row in decision["tools"][: len(chosen)]] == chosen == decision["sent"]
    others = [row["fused"]["rank"] for row in decision["tools"][len(chosen) :] if row["fused"]]
    assert others == sorted(others)
    assert {row["why"] for row in decision["tools"][-2:]} == {"not permitted", "disabled"}


@pytest.mark.parametrize(
    ("name", "chosen", "why"),
    [
        ("ask_operator", True, "pinned"),
        ("compare_contract", True, "retrieved"),
        ("list_candidate", False, "over budget"),
        ("erase_contract", False, "not permitted"),
        ("old_contract", False, "disabled"),
    ],
)
def test_route_says_why_of_the_catalogues_tools(stocked: GatewayProcess, name: str, chosen: bool, why: str) -> None:
    """Pinned, retrieved, over budget, not permitted, disabled: each tool has its reason."""
    found = row(explain(stocked, tools.chat(QUESTION)), name)
    assert (found["from"], found["chosen"], found["why"]) == ("catalogue", chosen, why)


@pytest.mark.parametrize("name", ["erase_contract", "old_contract"])
def test_route_ranks_nothing_that_may_not_be_offered(stocked: GatewayProcess, name: str) -> None:
    """A forbidden tool takes part in no ranking."""
    found = row(explain(stocked, tools.chat(QUESTION)), name)
    assert (found["fused"], found["dense"], found["lexical"]) == (None, None, None)


def test_route_says_forced(stocked: GatewayProcess) -> None:
    """What tool_choice names is sent because it is forced."""
    choice = {"type": "function", "function": {"name": "list_candidate"}}
    found = row(explain(stocked, tools.chat(QUESTION, tool_choice=choice)), "list_candidate")
    assert (found["chosen"], found["why"]) == (True, "forced")


def test_route_says_history_and_grown(stocked: GatewayProcess) -> None:
    """A tool that was called is history; one that a new subject needs has grown onto the list."""
    messages = [
        tools.user(QUESTION),
        *tools.called("list_candidate"),
        tools.user("Plan an advertising campaign by newsletter"),
    ]
    first = explain(stocked, tools.chat(QUESTION))["sent"]
    decision = explain(stocked, tools.chat(messages))
    assert row(decision, "list_candidate")["why"] == "history"
    grown = [row["name"] for row in decision["tools"] if row["why"] == "grown"]
    assert any(name.endswith("_campaign") for name in grown)
    assert decision["sent"][: len(first)] == first
    assert [part["text"] for part in decision["query"]] == ["Plan an advertising campaign by newsletter", QUESTION]


def test_route_says_clients_own_and_whose_definition_wins(stocked: GatewayProcess) -> None:
    """The client's own tools are kept, and of a name in both the catalogue's is the one that gives way."""
    own = [tools.function("compare_contract", "Mine."), tools.function("make_coffee", "Also mine.")]
    decision = explain(stocked, tools.chat(QUESTION, own), x_toolfunnel_source="both")
    mine = [row for row in decision["tools"] if row["from"] == "client"]
    assert [(r["name"], r["chosen"], r["why"]) for r in mine] == [
        ("compare_contract", True, "client's own"),
        ("make_coffee", True, "client's own"),
    ]
    found = row(decision, "compare_contract")
    assert (found["from"], found["chosen"], found["why"]) == ("catalogue", False, "client's definition wins")


def test_route_says_kept_as_it_is(stocked: GatewayProcess) -> None:
    """A hosted tool is kept whatever is asked."""
    decision = explain(stocked, tools.chat(QUESTION, [{"type": "web_search"}]))
    found = next(row for row in decision["tools"] if row["from"] == "client")
    assert (found["chosen"], found["why"]) == (True, "kept as it is")


def test_route_trims_a_clients_long_list(stocked: GatewayProcess) -> None:
    """Of a list longer than the budget, what is not sent is over budget."""
    own = tools.distinct(300, "my_")
    decision = explain(stocked, tools.chat(QUESTION, own))
    mine = [row for row in decision["tools"] if row["from"] == "client"]
    assert {row["why"] for row in mine} == {"retrieved", "over budget"}
    assert len(decision["sent"]) <= 13


def test_route_leaves_out_custom_tools_where_the_list_cannot_hold_them(stocked: GatewayProcess) -> None:
    """A client that speaks of `functions` is offered none but functions."""
    functions = [tools.function("mine")["function"]]
    decision = explain(stocked, tools.chat("Run code on a contract", functions=functions), x_toolfunnel_source="both")
    assert row(decision, "contract_code")["why"] == "not permitted"


@pytest.mark.parametrize("k", [1, 3, 20])
def test_route_honours_k(stocked: GatewayProcess, k: int) -> None:
    """x-toolfunnel-k is the budget here as it is for the request itself; what is pinned comes on top."""
    assert len(explain(stocked, tools.chat(QUESTION), x_toolfunnel_k=str(k))["sent"]) == k + 1


@pytest.mark.parametrize(
    ("tags", "expected"), [("search", {"search_contract"}), ("none, search,", {"search_contract"})]
)
def test_route_honours_tags(stocked: GatewayProcess, tags: str, expected: set[str]) -> None:
    """x-toolfunnel-tags leaves nothing but tools with one of them; the others are not permitted."""
    decision = explain(stocked, tools.chat(QUESTION), x_toolfunnel_tags=tags)
    assert set(decision["sent"]) == expected
    assert row(decision, "compare_contract")["why"] == "not permitted"


def test_route_honours_tags_in_any_script(stocked: GatewayProcess, upstream: Upstream) -> None:
    """A tag that is not ASCII is read as UTF-8, by the explanation and by the gateway alike."""
    with client_for(stocked) as client:
        header = {b"x-toolfunnel-tags": "法務".encode()}
        answer = client.post("/admin/route", json=tools.chat(QUESTION), headers=header)
        assert answer.json()["sent"] == ["search_contract"]
        shown = {b"authorization": b"Bearer sk-of-the-caller", **header}
        client.post("/v1/chat/completions", json=tools.chat(QUESTION), headers=shown)
    assert upstream.last.tool_names == ["search_contract"]


def test_route_honours_off(stocked: GatewayProcess) -> None:
    """With x-toolfunnel-tools: off the client's list goes out as it came; the ranking is told all the same."""
    asked = {"x_toolfunnel_tools": "off", "x_toolfunnel_source": "both"}
    decision = explain(stocked, tools.chat(QUESTION, [tools.function("mine")]), **asked)
    assert (decision["mode"], decision["sent"]) == ("off", ["mine"])
    assert decision["tokens"]["before"] == decision["tokens"]["after"] > 0
    assert row(decision, "compare_contract")["fused"]["rank"] == 1
    assert not row(decision, "compare_contract")["chosen"]


@pytest.mark.parametrize("headers", [{"x_toolfunnel_k": "0"}, {"x_toolfunnel_k": "few"}, {"x_toolfunnel_tools": "on"}])
def test_route_refuses_headers_that_the_gateway_refuses(stocked: GatewayProcess, headers: dict[str, str]) -> None:
    """The same header is refused in the same words by both."""
    with client_for(stocked, **{name.replace("_", "-"): value for name, value in headers.items()}) as client:
        explained = client.post("/admin/route", json=tools.chat(QUESTION))
    refused(explained, 400, "invalid_request", "^x-toolfunnel-")
    assert stocked.post(tools.chat(QUESTION), **headers).json() == explained.json()


@pytest.mark.parametrize(
    "fields",
    [{"tool_choice": "none"}, {"tools": []}, {"tools": [tools.function("mine")], "tool_choice": "none"}],
    ids=["no choice", "empty list", "own list and no choice"],
)
def test_route_tells_when_the_list_is_left_alone(
    stocked: GatewayProcess, upstream: Upstream, fields: dict[str, Any]
) -> None:
    """Where the gateway adds nothing, no tool of the catalogue is told as chosen."""
    body = tools.chat(QUESTION, **fields)
    decision = explain(stocked, body, x_toolfunnel_source="both")
    stocked.post(body, x_toolfunnel_source="both")
    assert decision["mode"] == "untouched"
    assert decision["sent"] == upstream.last.tool_names
    assert not any(row["chosen"] for row in decision["tools"] if row["from"] == "catalogue")
    assert row(decision, "compare_contract")["why"] == "request left as it came"


@pytest.mark.parametrize(
    "body",
    [
        tools.chat(QUESTION),
        tools.chat("契約書を比較して", tools.distinct(40, "my_")),
        tools.chat(
            [
                tools.user(QUESTION),
                *tools.called("list_candidate"),
                tools.user("Plan an advertising campaign by newsletter"),
            ]
        ),
        tools.chat(QUESTION, tool_choice={"type": "function", "function": {"name": "list_candidate"}}),
        tools.chat([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]),
        tools.chat("Run code on a contract", functions=[tools.function("mine")["function"]]),
    ],
    ids=["question", "own list", "conversation", "forced", "image", "functions"],
)
def test_route_tells_what_the_gateway_does(stocked: GatewayProcess, upstream: Upstream, body: dict[str, Any]) -> None:
    """The list that is told is the list that the provider sees, in its order."""
    decision = explain(stocked, body)
    answer = stocked.post(body)
    assert upstream.last.tool_names == decision["sent"]
    assert answer.headers["x-toolfunnel-tools"] == f"{len(decision['sent'])}/{decision['available']}"


def test_route_forwards_nothing(stocked: GatewayProcess, upstream: Upstream) -> None:
    """The provider hears nothing of an explanation, and it counts as no request."""
    before = stocked.admin("GET", "/admin/stats").json()["requests"]
    for _ in range(3):
        explain(stocked, tools.chat(QUESTION))
    assert upstream.requests == []
    assert stocked.admin("GET", "/admin/stats").json()["requests"] == before


def test_route_works_without_a_provider(open_gateway: GatewayProcess) -> None:
    """With an empty catalogue and no model named there is still a decision."""
    decision = explain(open_gateway, {"messages": [tools.user("hello")]})
    assert (decision["mode"], decision["sent"], decision["tools"]) == ("untouched", [], [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xef\xbb\xbf{}",
        b"{}",
        b'{"messages":5}',
        b'{"messages":[5]}',
        b'{"messages":[],"tools":{}}',
        b'{"messages":[],"tools":[5]}',
        b'{"messages":[],"tools":[],"tools":[]}',
        b'{"messages":' + b"[" * 5_000,
    ],
    ids=range(12),
)
def test_route_refuses_what_is_no_chat_request(stocked: GatewayProcess, body: bytes) -> None:
    """What the gateway would pass unread is here 400 with the reason."""
    answer = stocked.admin("POST", "/admin/route", content=body)
    refused(answer, 400, "invalid_request", "not a chat request that can be routed: .")


def test_route_limits_a_source_and_says_so(shared_gateway: StartGateway) -> None:
    """Twenty tools of one source get a fifth of ten slots; those of a trusted source are not limited."""
    gateway = shared_gateway(SELECT__MAX_SOURCE_SHARE="0.2", SELECT__TRUSTED_SOURCES='["ours"]')
    flood = [tools.function(f"contract_{i}", f"{QUESTION}, number {i}.") for i in range(20)]
    ours = [tools.record(tool, source="ours") for tool in tools.distinct(30)]
    gateway.register([tools.record(tool, source="flood") for tool in flood] + ours)
    decision = explain(gateway, tools.chat(QUESTION), x_toolfunnel_k="10")
    assert len(decision["sent"]) == 10
    assert sum(name.startswith("contract_") for name in decision["sent"]) == 2
    passed = [row["why"] for row in decision["tools"] if row["name"].startswith("contract_") and not row["chosen"]]
    assert passed == ["its source has its share"] * 18


def test_route_ranks_what_is_kept_back(stocked: GatewayProcess) -> None:
    """The refused follow by the rank that they would have, each with all its reasons; nothing of it is sent."""
    decision = explain(stocked, tools.chat("Erase a contract for good"), x_toolfunnel_tags="stock,search")
    kept = [row for row in decision["tools"] if row["withheld"]]
    assert kept[0]["name"] == "erase_contract"
    assert kept[0]["would_be"]["rank"] == 1
    assert kept[0]["withheld"] == {
        "reasons": [
            "risk dangerous, which is never offered",
            "none of the tags that the request asks for: search, stock",
        ],
        "do": [],
        "would_be_sent": True,
    }
    ranks = [row["would_be"]["rank"] for row in kept]
    assert ranks == sorted(ranks)
    assert decision["withheld"]["tools"] == len(kept) == 4
    assert not {row["name"] for row in kept} & set(decision["sent"])


def test_route_tells_the_place_of_nothing_that_may_be_offered(stocked: GatewayProcess) -> None:
    """Where nothing is kept back by the request, a tool that may be offered has no second place."""
    decision = explain(stocked, tools.chat(QUESTION))
    assert {row["name"] for row in decision["tools"] if row["would_be"]} == {"erase_contract", "old_contract"}
