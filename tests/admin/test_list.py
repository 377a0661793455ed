"""GET /admin/tools: filters and pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.admin.asking import clear, client_for, refused
from tests.support import tools
from tests.support.gateway import GatewayProcess

RECORDS = [
    tools.record(tools.function("b_mail", "Send an e-mail."), tags=["mail", "office"], risk="write"),
    tools.record(tools.function("a_mail", "Read E-Mail of 100% of the folders."), tags=["mail"]),
    tools.record(tools.function("c_pay", "Pay a bill."), tags=["payments"], risk="dangerous", enabled=False),
    tools.record(tools.function("D_MAP", "Straßen und Plätze."), tags=["マップ"]),
    tools.record(tools.custom("e_code", "Run a program."), enabled=False),
]


def names(answer: httpx.Response) -> list[str]:
    """Give the names of the tools in an answer."""
    assert answer.status_code == 200, answer.text
    return [tools.name_of(record["tool"]) for record in answer.json()["tools"]]


@pytest.fixture(scope="module")
def stocked(keyed_gateway: GatewayProcess) -> Iterator[httpx.Client]:
    """A client of a server with these five tools, for tests that only read."""
    clear(keyed_gateway)
    keyed_gateway.register(RECORDS)
    with client_for(keyed_gateway) as client:
        yield client


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["D_MAP", "a_mail", "b_mail", "c_pay", "e_code"]),
        ({"tag": "mail"}, ["a_mail", "b_mail"]),
        ({"tag": "マップ"}, ["D_MAP"]),
        ({"tag": "mai"}, []),
        ({"q": "MAIL"}, ["a_mail", "b_mail"]),
        ({"q": "e-mail"}, ["a_mail", "b_mail"]),
        ({"q": "straßen"}, ["D_MAP"]),
        ({"q": "STRASSEN"}, ["D_MAP"]),
        ({"q": "100%"}, ["a_mail"]),
        ({"q": "%"}, ["a_mail"]),
        ({"q": "b_m"}, ["b_mail"]),
        ({"q": "' OR 1=1 --"}, []),
        ({"enabled": "true"}, ["D_MAP", "a_mail", "b_mail"]),
        ({"enabled": "false"}, ["c_pay", "e_code"]),
        ({"risk": "read"}, ["D_MAP", "a_mail", "e_code"]),
        ({"risk": "write"}, ["b_mail"]),
        ({"risk": "dangerous"}, ["c_pay"]),
        ({"after": "a_mail"}, ["b_mail", "c_pay", "e_code"]),
        ({"after": "zzz"}, []),
        ({"tag": "mail", "risk": "read", "enabled": "true", "q": "folders"}, ["a_mail"]),
        ({"tag": "", "q": "", "enabled": "", "risk": "", "limit": "", "after": ""}, [
            "D_MAP", "a_mail", "b_mail", "c_pay", "e_code"]),
    ],
)  # fmt: skip
def test_list_gives_the_tools_that_meet_every_condition(
    stocked: httpx.Client, params: dict[str, str], expected: list[str]
) -> None:
    """Each filter narrows, all together; names come in code point order, and an empty value is none."""
    answer = stocked.get("/admin/tools", params=params)
    assert names(answer) == expected
    assert answer.json()["next"] is None


def test_list_gives_whole_records(stocked: httpx.Client) -> None:
    """An entry of the list is what GET of the tool gives."""
    listed: list[dict[str, Any]] = stocked.get("/admin/tools").json()["tools"]
    assert listed == [stocked.get(f"/admin/tools/{tools.name_of(record['tool'])}").json() for record in listed]


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 1000])
def test_list_pages_until_next_is_null(stocked: httpx.Client, limit: int) -> None:
    """Following `next` gives every tool once, and no page is longer than asked for or empty at the end."""
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        answer = stocked.get("/admin/tools", params={"limit": limit, "after": after})
        pages.append(names(answer))
        after = answer.json()["next"]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]
    assert [name for page in pages for name in page] == ["D_MAP", "a_mail", "b_mail", "c_pay", "e_code"]


def test_list_goes_on_after_a_name_that_is_not_there(stocked: httpx.Client) -> None:
    """A page follows a name, so that a tool removed between two pages loses nobody's place."""
    assert names(stocked.get("/admin/tools", params={"after": "b_hidden", "limit": 1})) == ["b_mail"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"limit": "0"}, "query.limit: .*greater than or equal to 1"),
        ({"limit": "1001"}, "query.limit: .*less than or equal to 1000"),
        ({"limit": "-1"}, "query.limit"),
        ({"limit": "ten"}, "query.limit"),
        ({"limit": "1" * 30}, "query.limit"),
        ({"enabled": "perhaps"}, "query.enabled"),
        ({"risk": "harmless"}, "query.risk: .*'read', 'write' or 'dangerous'"),
        ({"q": "x" * 1001}, "query.q"),
        ({"tags": "mail"}, "query.tags"),
    ],
)
def test_list_refuses_what_it_does_not_understand(stocked: httpx.Client, params: dict[str, str], said: str) -> None:
    """A value out of range and a filter that does not exist are 400, named, in OpenAI's form."""
    refused(stocked.get("/admin/tools", params=params), 400, "invalid_request", said)
