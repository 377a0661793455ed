"""Near-duplicates over HTTP: told with a write, listed on demand, never refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.admin.asking import refused
from tests.conftest import StartGateway
from tests.support import tools

MAIL = tools.function("send_mail", "Send a mail to a person.")
COPY = tools.function("mail_sender", "send a mail, to a person")
WEATHER = tools.function("get_weather", "The weather of a city.")


def put(admin: httpx.Client, tool: dict[str, Any], **fields: Any) -> Any:
    """Register a tool; give what it is like."""
    answer = admin.put(f"/admin/tools/{tools.name_of(tool)}", json=tools.record(tool, **fields))
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["near_duplicates"]


def test_put_tells_what_a_tool_is_like(admin: httpx.Client) -> None:
    """A copy under another name is registered and told; a tool alone, or put again, is like none."""
    assert put(admin, MAIL) == put(admin, MAIL) == put(admin, WEATHER) == []
    (told,) = put(admin, COPY)
    assert 0.5 < told.pop("similarity") <= 1
    assert told == {"name": "mail_sender", "like": "send_mail", "same_description": True}
    assert admin.get("/admin/tools/mail_sender").status_code == 200


def test_put_tells_of_vectors_that_are_near(start_gateway: StartGateway) -> None:
    """Other words of nearly the same meaning count from `safety.duplicate_similarity` on."""
    gateway = start_gateway(SAFETY__DUPLICATE_SIMILARITY="0.6")
    gateway.register([MAIL, WEATHER])
    near = tools.function("mail_somebody", "Send a mail to somebody.")
    told = gateway.register([near])["near_duplicates"]
    assert [(one["like"], one["same_description"]) for one in told] == [("send_mail", False)]
    assert told[0]["similarity"] >= 0.6


def test_batch_tells_what_few_tools_are_like(admin: httpx.Client) -> None:
    """Up to 64 written tools are compared, more are not; the likest 20 pairs are told."""
    alike = [tools.record(tools.function(f"a{n}", "Show the weather.")) for n in range(65)]
    few = admin.post("/admin/tools:batch", content=json.dumps(alike[:64])).json()
    assert len(few["near_duplicates"]) == 20
    many = admin.post("/admin/tools:batch", content=json.dumps([r | {"risk": "write"} for r in alike])).json()
    assert many["near_duplicates"] is None


def test_duplicates_are_listed(admin: httpx.Client) -> None:
    """Pairs of the whole catalogue, or those of a source; the total counts what `limit` leaves out."""
    put(admin, MAIL, source="a")
    put(admin, WEATHER, source="a")
    put(admin, COPY, source="b")
    found = admin.get("/admin/duplicates").json()
    assert [(one["name"], one["like"]) for one in found["duplicates"]] == [("send_mail", "mail_sender")]
    of_source = admin.get("/admin/duplicates", params={"source": "b"}).json()
    assert [(one["name"], one["like"]) for one in of_source["duplicates"]] == [("mail_sender", "send_mail")]
    every = admin.get("/admin/duplicates", params={"threshold": "0.5", "limit": 1}).json()
    assert (len(every["duplicates"]), every["total"] >= 1) == (1, True)
    assert admin.get("/admin/duplicates", params={"source": "c"}).json() == {"duplicates": [], "total": 0}


@pytest.mark.parametrize("query", ["threshold=0.4", "threshold=2", "threshold=x", "limit=0", "limit=1001", "name=a"])
def test_duplicates_refuses_what_it_does_not_know(admin: httpx.Client, query: str) -> None:
    """A parameter out of range, or one that does not exist, is 400."""
    refused(admin.get(f"/admin/duplicates?{query}"), 400, "invalid_request")
