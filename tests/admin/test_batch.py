"""POST /admin/tools:batch: all or nothing, the same again changes nothing."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.admin.asking import client_for, refused
from tests.support import tools
from tests.support.gateway import GatewayProcess

THREE = [tools.record(tool, tags=["t"]) for tool in tools.distinct(3)]
NAMES = [tools.name_of(record["tool"]) for record in THREE]
ALONE: dict[str, list[str]] = {"near_duplicates": []}


def post(admin: httpx.Client, body: object) -> httpx.Response:
    """Send a batch."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return admin.post("/admin/tools:batch", content=content)


def count(admin: httpx.Client) -> int:
    """Count the registered tools."""
    return len(admin.get("/admin/tools", params={"limit": 1000}).json()["tools"])


def test_batch_tells_what_was_created_updated_and_unchanged(admin: httpx.Client) -> None:
    """Each name is in one list, in the order in which it was given."""
    assert post(admin, THREE[:2]).json() == {"created": NAMES[:2], "updated": [], "unchanged": [], **ALONE}
    second = [THREE[2], {**THREE[1], "source": "s"}, THREE[0]]
    assert post(admin, second).json() == {
        "created": [NAMES[2]],
        "updated": [NAMES[1]],
        "unchanged": [NAMES[0]],
        **ALONE,
    }


def test_durability_c16_a_batch_again_changes_nothing(admin: httpx.Client) -> None:
    """The same batch twice is unchanged the second time."""
    post(admin, THREE)
    assert post(admin, THREE).json() == {"created": [], "updated": [], "unchanged": NAMES, **ALONE}


def test_batch_notices_a_change_of_bytes_alone(admin: httpx.Client) -> None:
    """The same tool written with other spaces is an update: its bytes are what is kept."""
    post(admin, json.dumps(THREE).encode())
    respaced = json.dumps(THREE, separators=(",", ":")).encode()
    assert post(admin, respaced).json()["updated"] == NAMES


def test_batch_takes_an_object_of_tools(admin: httpx.Client) -> None:
    """`{"tools": [...]}` is as good as the array, and bare tool objects as good as records."""
    bare = [record["tool"] for record in THREE]
    assert post(admin, {"tools": bare}).json()["created"] == NAMES


@pytest.mark.parametrize("body", [[], {"tools": []}])
def test_batch_may_be_empty(admin: httpx.Client, body: object) -> None:
    """Nothing in, nothing changed."""
    assert post(admin, body).json() == {"created": [], "updated": [], "unchanged": [], **ALONE}


def test_batch_with_bad_entries_takes_nothing_and_names_each(admin: httpx.Client) -> None:
    """Every bad entry is told with index, name and reason, and the good ones are not taken either."""
    bad = [THREE[0], 5, tools.function("a b"), THREE[1], {**THREE[2], "risk": "none"}, THREE[1]]
    error = refused(post(admin, bad), 422, "invalid_records", "^Nothing was imported: entry 1 .*and 3 more")
    told = [(problem["index"], problem["name"], problem["reason"]) for problem in error["problems"]]
    assert [(index, name) for index, name, _ in told] == [(1, ""), (2, "a b"), (4, NAMES[2]), (5, NAMES[1])]
    reasons = ["not a JSON object", "does not follow", "Invalid enum value 'none'", "stands in entry 3 already"]
    assert all(expected in reason for (_, _, reason), expected in zip(told, reasons, strict=True))
    assert count(admin) == 0


def test_durability_c16_a_batch_with_a_bad_entry_changes_nothing(admin: httpx.Client) -> None:
    """A refused batch updates nothing."""
    post(admin, THREE)
    refused(post(admin, [{**THREE[0], "source": "new"}, {}]), 422, "invalid_records")
    assert admin.get(f"/admin/tools/{NAMES[0]}").json()["source"] == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"5", b"null", b"[", b"[{}] []", b'{"tools":{}}', b'{"tools":[],"x":1}', b"\xff", b"[" * 9_000],
    ids=range(10),
)
def test_batch_refuses_what_is_no_batch(admin: httpx.Client, body: bytes) -> None:
    """Anything but an array or an object of tools is 400."""
    refused(post(admin, body), 400, "invalid_request", "batch")


def test_batch_of_more_than_a_hundred_thousand_is_refused(admin: httpx.Client) -> None:
    """One entry too many is 400, whatever the entries are."""
    answer = post(admin, b"[" + b"{}," * 100_000 + b"{}]")
    refused(answer, 400, "invalid_request", "at most 100,000 records; this one has 100,001")


def test_batch_of_many_bad_entries_names_them_all(admin: httpx.Client) -> None:
    """Ten thousand bad entries are ten thousand reasons."""
    error = refused(post(admin, b"[" + b"{}," * 9_999 + b"{}]"), 422, "invalid_records", "and 9999 more")
    assert [problem["index"] for problem in error["problems"]] == list(range(10_000))


@pytest.mark.parametrize("size", [2_001, 3_000_000])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_over_the_limit_is_413(open_gateway: GatewayProcess, size: int, announced: bool) -> None:
    """A body larger than admin.max_body_bytes is refused, whether its length was announced or not."""
    body = b"[" + b" " * (size - 2) + b"]"
    with client_for(open_gateway) as client:
        for path in ("/admin/tools:batch", "/admin/route"):
            answer = client.post(path, content=body if announced else iter([body[:1500], body[1500:]]))
            refused(answer, 413, "request_too_large", "admin.max_body_bytes, 2000 bytes")


def test_a_body_at_the_limit_is_taken(open_gateway: GatewayProcess) -> None:
    """The limit itself is not too much."""
    with client_for(open_gateway) as client:
        assert client.post("/admin/tools:batch", content=b"[" + b" " * 1_998 + b"]").status_code == 200
