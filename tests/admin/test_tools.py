"""One tool over HTTP: created, read, replaced, changed, removed; and refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.admin.asking import refused
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

WEATHER = tools.function("get_weather", "The weather of a city.")
DEFAULTS = {
    "tags": [],
    "keywords": [],
    "examples": [],
    "pinned": False,
    "enabled": True,
    "risk": "read",
    "source": "",
    "tenant": "",
}
PECULIAR = [
    b'{ "type" :\t"function",\r\n "function": {"name":"odd"  , "strict":false } }',
    b'{"function":{"parameters":{"type":"object"},"description":"","name":"odd"},"type":"function"}',
    b'{"type":"function","function":{"name":"odd","parameters":{"minimum":1,"maximum":1.0,"default":-0.0,"x":1e2}}}',
    b'{"type":"function","function":{"name":"odd","parameters":{"maximum":123456789012345678901234567890}}}',
    b'{"type":"function","function":{"name":"odd","description":"\\u5929\\u6c17 \\/ \\ud83c\\udf26 \xe5\xa4\xa9"}}',
    b'{"type":"function","function":{"name":"odd","parameters":{"properties":{"\xc3\xa9":{},"e\xcc\x81":{}}}}}',
    b'{"type":"function","x-unknown":[null,{}],"function":{"name":"odd","strict":null}}',
    b'{"type":"custom","custom":{"format":{"type":"text"},"name":"odd"}}',
]
NAMES = ["space", "order", "numbers", "big number", "escapes", "two ways to write é", "unknown members", "custom"]


def test_put_creates_a_tool(admin: httpx.Client) -> None:
    """A new tool is 201 and comes back with every field at its default."""
    answer = admin.put("/admin/tools/get_weather", json={"tool": WEATHER})
    assert answer.status_code == 201
    assert answer.json() == {"tool": WEATHER, **DEFAULTS, "near_duplicates": []}


def test_put_replaces_a_tool_whole(admin: httpx.Client) -> None:
    """A tool that is there is 200, and what the new record leaves out is back at its default."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER, "tags": ["a"], "risk": "write"})
    answer = admin.put("/admin/tools/get_weather", json={"tool": WEATHER, "source": "s"})
    assert answer.status_code == 200
    assert admin.get("/admin/tools/get_weather").json() == {"tool": WEATHER, **DEFAULTS, "source": "s"}


def test_put_takes_a_bare_tool_object(admin: httpx.Client) -> None:
    """An OpenAI tool object alone is a record with defaults."""
    assert admin.put("/admin/tools/get_weather", json=WEATHER).status_code == 201
    assert admin.get("/admin/tools/get_weather").json() == {"tool": WEATHER, **DEFAULTS}


def test_put_refuses_another_name_than_the_paths(admin: httpx.Client) -> None:
    """A tool object with another name is a conflict, and nothing is stored under either."""
    error = refused(admin.put("/admin/tools/weather", json={"tool": WEATHER}), 409, "conflict", "'get_weather'")
    assert "'weather'" in error["message"]
    assert admin.get("/admin/tools").json() == {"tools": [], "next": None}


@pytest.mark.parametrize("name", ["nothing", "a b", "a%0A", "%00", "%FF", "天気", "x" * 500, "..", "a:b"])
def test_get_of_an_unknown_name_is_404(admin: httpx.Client, name: str) -> None:
    """No name, however odd, is anything but not found."""
    refused(admin.get(f"/admin/tools/{name}"), 404, "not_found")


def test_list_of_an_empty_catalogue_is_empty(admin: httpx.Client) -> None:
    """Without tools there is an empty page."""
    assert admin.get("/admin/tools").json() == {"tools": [], "next": None}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_unknown_tool_cannot_be_changed_or_removed(admin: httpx.Client, method: str) -> None:
    """PATCH and DELETE of what is not there say so by name."""
    refused(admin.request(method, "/admin/tools/nothing", content=b"{}"), 404, "not_found", "no tool 'nothing'")


def test_patch_changes_what_it_names(admin: httpx.Client) -> None:
    """A change leaves the other fields alone, and is stored."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER, "tags": ["a"], "source": "s"})
    answer = admin.patch("/admin/tools/get_weather", json={"enabled": False, "tags": ["b"]})
    assert answer.json() == {"tool": WEATHER, **DEFAULTS, "enabled": False, "tags": ["b"], "source": "s"}
    assert admin.get("/admin/tools/get_weather").content == answer.content


def test_patch_replaces_the_tool_object(admin: httpx.Client) -> None:
    """A new tool object of the same name takes the old one's place."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER, "tags": ["a"]})
    fresh = tools.function("get_weather", "Other words.")
    admin.patch("/admin/tools/get_weather", json={"tool": fresh})
    assert admin.get("/admin/tools/get_weather").json() == {"tool": fresh, **DEFAULTS, "tags": ["a"]}
    assert len(admin.get("/admin/tools", params={"q": "other words"}).json()["tools"]) == 1


def test_patch_cannot_rename(admin: httpx.Client) -> None:
    """A tool object of another name is a conflict and changes nothing."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER})
    answer = admin.patch("/admin/tools/get_weather", json={"tool": tools.function("other"), "tags": ["a"]})
    refused(answer, 409, "conflict", "keeps its name")
    assert admin.get("/admin/tools/get_weather").json() == {"tool": WEATHER, **DEFAULTS}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"tag":[]}', b'{"tags":null}', b'{"risk":"none"}', b'{"tool":{}}']
)
def test_patch_refuses_what_is_no_change(admin: httpx.Client, body: bytes) -> None:
    """A change that cannot be read is 400 and changes nothing."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER})
    answer = admin.patch("/admin/tools/get_weather", content=body)
    refused(answer, 400, "invalid_request", "^The change cannot be applied: .")
    assert admin.get("/admin/tools/get_weather").json() == {"tool": WEATHER, **DEFAULTS}


def test_delete_removes_a_tool(admin: httpx.Client) -> None:
    """A removed tool is gone, and cannot be removed again."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER})
    answer = admin.delete("/admin/tools/get_weather")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(admin.get("/admin/tools/get_weather"), 404, "not_found")
    refused(admin.delete("/admin/tools/get_weather"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a JSON object"),
        (b"{", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (b'{"a":' * 5_000, "not a JSON object"),
        (json.dumps({"tool": WEATHER, "tag": []}).encode(), "unknown field `tag`"),
        (json.dumps({"tool": WEATHER, "tags": [""]}).encode(), "tags: holds an empty text"),
        (json.dumps({"tool": WEATHER, "risk": "harmless"}).encode(), "Invalid enum value 'harmless'"),
        (json.dumps({"tool": {**WEATHER, "type": "web_search"}}).encode(), "its type is 'function' or 'custom'"),
        (json.dumps({"tool": {"function": {"name": "get_weather"}}}).encode(), "its type is 'function' or 'custom'"),
        (b'{"type":"function","function":{"name":"get_weather","parameters":{"type":5}}}', "not a valid JSON Schema"),
        (b'{"type":"function","function":{"name":"get_weather","parameters":{"$schema":"http://[::1"}}}', "schema is"),
        (b'{"type":"function","function":{"name":"get_weather","description":"\\ud800."}}', "truncated|surrogate"),
    ],
)  # fmt: skip
def test_put_refuses_what_is_no_record(admin: httpx.Client, body: bytes, reason: str) -> None:
    """What cannot be a tool is 400 with the reason, and nothing is stored."""
    refused(admin.put("/admin/tools/get_weather", content=body), 400, "invalid_request", reason)
    refused(admin.get("/admin/tools/get_weather"), 404, "not_found")


@pytest.mark.parametrize("name", ["a b", "weather\n", "wetter_für", "天気", "x" * 65, "a.b", "a/b"])
def test_put_refuses_a_name_that_providers_refuse(admin: httpx.Client, name: str) -> None:
    """A name outside ^[a-zA-Z0-9_-]{1,64}$ is 400 and the message gives the rule."""
    answer = admin.put("/admin/tools/x", json={"tool": tools.function(name)})
    refused(answer, 400, "invalid_request", r"\^\[a-zA-Z0-9_-\]\{1,64\}\$")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_text_that_people_do_not_see_is_refused(admin: httpx.Client, method: str) -> None:
    """A tag character in a description is 400 with field, code point and place, and nothing is stored."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER})
    hiding = tools.function("get_weather", "The weather.\U000e0041")
    answer = admin.request(method, "/admin/tools/get_weather", json={"tool": hiding})
    refused(answer, 400, "invalid_request", r"function\.description has U\+E0041 \(tag .*\) at character 13$")
    assert admin.get("/admin/tools/get_weather").json() == {"tool": WEATHER, **DEFAULTS}


def test_put_refuses_an_empty_name(admin: httpx.Client) -> None:
    """A tool needs a name."""
    refused(admin.put("/admin/tools/x", json={"tool": tools.function("")}), 400, "invalid_request", "no name")


@pytest.mark.parametrize("definition", PECULIAR, ids=NAMES)
@pytest.mark.parametrize("form", [b"%b", b' {"pinned":false,\n"tool" : %b\t} '], ids=["bare", "record"])
def test_the_tool_object_comes_back_byte_for_byte(admin: httpx.Client, definition: bytes, form: bytes) -> None:
    """PUT, GET, PATCH and the list all give the bytes that were given."""
    put = admin.put("/admin/tools/odd", content=form % definition)
    assert put.status_code == 201, put.text
    patched = admin.patch("/admin/tools/odd", json={"source": "s"})
    for answer in (put, admin.get("/admin/tools/odd"), patched, admin.get("/admin/tools")):
        assert b'{"tool":' + definition + b',"tags":[]' in answer.content


@pytest.mark.parametrize("definition", PECULIAR, ids=NAMES)
def test_the_provider_sees_the_tool_object_byte_for_byte(
    gateway: GatewayProcess, admin: httpx.Client, upstream: Upstream, definition: bytes
) -> None:
    """A registered tool stands in the forwarded request exactly as it was registered."""
    admin.put("/admin/tools/odd", content=b'{"pinned":true,"tool":%b}' % definition)
    gateway.post(tools.chat("hello"))
    assert tools.listed(upstream.last.body) == [definition]


def test_the_largest_body_is_bounded(gateway: GatewayProcess, admin: httpx.Client) -> None:
    """Without being told its length in advance the server takes a large record, too."""
    big = tools.function("get_weather", "x" * 2_000_000)

    def pieces() -> Any:
        text = json.dumps({"tool": big}).encode()
        yield from (text[i : i + 100_000] for i in range(0, len(text), 100_000))

    assert admin.put("/admin/tools/get_weather", content=pieces()).status_code == 201
    assert admin.get("/admin/tools/get_weather").json()["tool"] == big


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin/nothing", 404),
        ("GET", "/admin", 404),
        ("POST", "/admin/tools", 405),
        ("PUT", "/admin/tools:batch", 405),
        ("GET", "/admin/route", 405),
    ],
)
def test_unknown_paths_and_methods_are_refused_in_form(
    admin: httpx.Client, method: str, path: str, status: int
) -> None:
    """Even what no route answers has OpenAI's error form."""
    code = "not_found" if status == 404 else "method_not_allowed"
    refused(admin.request(method, path), status, code)
