"""One tool of a source that cannot be taken costs that tool, and is told with a reason that a person understands."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

import pytest

from app.errors import InvalidRecords, SourceRefused
from app.imports.bounds import Work
from app.imports.found import Found, Refused
from app.imports.openapi import operations
from app.registry.store import Registry
from app.settings.imports import SourceSpec
from router.types import Risk
from tests.imports.conftest import Import
from tests.support.mcp_servers import LEGACY, MODERN, McpServer, RawText, serve_mcp

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
GOOD: dict[str, Any] = {"name": "good", "description": "Does good.", "inputSchema": SCHEMA}
# Tools that an SDK's validator refuses, and with them the whole page, though they can be used.
ODD: list[dict[str, Any]] = [
    GOOD | {"name": "odd_output", "outputSchema": "none"},
    GOOD | {"name": "odd_output_2", "outputSchema": {"type": 7}},
    GOOD | {"name": "no_description", "description": None},
    GOOD | {"name": "number_description", "description": 5},
    GOOD | {"name": "odd_hints", "annotations": "read only"},
    GOOD | {"name": "odd_hint", "annotations": {"readOnlyHint": "maybe", "title": 5}},
    GOOD | {"name": "odd_icons", "icons": 3, "_meta": [], "execution": "x", "unknown": {"a": 1}},
    GOOD | {"name": "untyped", "inputSchema": {}},
]
BAD: dict[str, tuple[object, str]] = {
    "no_schema": ({"name": "no_schema"}, "it has no inputSchema, so that nobody can tell what it takes"),
    "null_schema": (GOOD | {"name": "null_schema", "inputSchema": None}, "it has no inputSchema"),
    "text_schema": (GOOD | {"name": "text_schema", "inputSchema": "{}"}, "its inputSchema is not an object"),
    "list_schema": (
        GOOD | {"name": "list_schema", "inputSchema": {"type": "array"}},
        "is of type array, and arguments",
    ),
    "bad_schema": (GOOD | {"name": "bad_schema", "inputSchema": SCHEMA | {"required": 5}}, "not a valid JSON Schema"),
    "hidden": (GOOD | {"name": "hidden", "description": "a\u200bb"}, "text that people do not see"),
    "tool 16": ("text", "it is not an object"),
    "tool 17": (None, "it is not an object"),
    "tool 18": (GOOD | {"name": ""}, "its name is empty"),
    "tool 19": (GOOD | {"name": " \n"}, "its name is empty"),
    "tool 20": (GOOD | {"name": 7}, "its name is not a text"),
    "tool 21": ({"inputSchema": SCHEMA}, "it has no name"),
    "good": (GOOD | {"description": "Another."}, "the source has this name twice"),
}
PAGE: list[object] = [GOOD, *ODD, *(tool for tool, _ in BAD.values())]


@pytest.mark.parametrize("generation", [MODERN, LEGACY])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_bad_tool_of_an_mcp_page_costs_itself(
    generation: str, dry_run: bool, take: Import, registry: Registry
) -> None:
    """Whichever protocol is spoken: what can be used is taken, and every other tool is named with its reason."""
    with serve_mcp(McpServer(raw={"tools": PAGE, "resultType": "complete"}, only=generation)) as server:
        report = await take(url=server.url, skip=True, risk="read", dry_run=dry_run)
    assert set(report.new) == {f"there__{tool['name']}" for tool in (GOOD, *ODD)}
    assert {one.original: BAD[one.original][1] in one.reason for one in report.refused} == dict.fromkeys(BAD, True)
    assert await registry.count() == (0 if dry_run else len(report.new))


async def test_without_skip_every_bad_tool_is_named(server: McpServer, take: Import, registry: Registry) -> None:
    """Nothing is imported, and the reasons are told of all of them at once."""
    server.raw = {"tools": PAGE}
    with pytest.raises(InvalidRecords) as refused:
        await take(url=server.url)
    named = {one.name.removeprefix("there__"): one for one in refused.value.problems}
    assert named.keys() == BAD.keys()
    assert [PAGE[one.index] for one in named.values()] == [tool for tool, _ in BAD.values()]
    assert await registry.count() == 0


async def test_a_scheduled_import_takes_the_others(server: McpServer, take: Import) -> None:
    """A source that is asked by the clock goes on where one of its tools turns bad."""
    server.raw = {"tools": [GOOD, GOOD | {"name": "other"}]}
    await take(url=server.url, skip=True)
    server.raw = {"tools": [GOOD, {"name": "other"}]}
    report = await take(url=server.url, skip=True, attended=False)
    assert (report.unchanged, report.gone) == (("there__good",), ("there__other",))
    assert [one.original for one in report.refused] == ["other"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({}, "what it answered is not of the protocol"),
        ({"tools": {"a": GOOD}}, "what it answered has no list of tools"),
        ({"tools": [GOOD], "nextCursor": 7}, "the cursor of its next page is not a text"),
    ],
)
async def test_a_page_that_is_none_is_refused(
    raw: dict[str, Any], reason: str, server: McpServer, take: Import
) -> None:
    """Whose fault it is and what is missing is said, without a validator's words for places in a list."""
    server.raw = raw
    with pytest.raises(SourceRefused, match=reason):
        await take(url=server.url)


@pytest.mark.parametrize("generation", [MODERN, LEGACY])
async def test_a_header_that_cannot_be_sent_costs_its_tool(generation: str, take: Import) -> None:
    """Only the present protocol takes headers from a schema; in the one before it is a word like any other."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": "not a token"}}}
    raw = {"tools": [GOOD, GOOD | {"name": "bad", "inputSchema": schema}]}
    with serve_mcp(McpServer(raw=raw, only=generation)) as server:
        report = await take(url=server.url, skip=True)
    assert [one.original for one in report.refused] == (["bad"] if generation == MODERN else [])


@pytest.mark.parametrize("hint", ["yes", 1, "false", {}])
async def test_a_hint_that_is_nonsense_counts_as_the_worse(
    hint: object, server: McpServer, take: Import, registry: Registry
) -> None:
    """Who says neither true nor false of `destructiveHint` is not believed to be harmless."""
    server.raw = {"tools": [GOOD | {"annotations": {"destructiveHint": hint}}]}
    await take(url=server.url, risk="read")
    stored = await registry.get("there__good")
    assert stored is not None
    assert stored.risk is Risk.DANGEROUS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            GOOD | {"name": "bad", "inputSchema": SCHEMA | {"default": "NUMBER"}},
            "holds a number that JSON does not have",
        ),
        (GOOD | {"name": "ba\0d"}, "a text of it holds a NUL"),
        (GOOD | {"name": "bad", "description": "half \ud83d of it, \\\\ud83d and \ud83d\ude00"}, ""),
    ],
)
async def test_a_text_or_number_that_parsers_refuse_costs_no_other_tool(
    text: dict[str, Any], reason: str, server: McpServer, take: Import, registry: Registry
) -> None:
    """Half a character is shown as one that is missing; a number of thousands of digits, and a NUL, cost their tool."""
    written = json.dumps({"tools": [GOOD, text]}).replace('"NUMBER"', "9" * 5_000)
    server.raw = RawText(written)
    report = await take(url=server.url, skip=True)
    assert [reason in one.reason for one in report.refused] == [True] * bool(reason)
    if not reason:
        stored = await registry.get("there__bad")
        assert stored is not None
        assert stored.description == "half \ufffd of it, \\\\ud83d and \U0001f600"


# Speaks the protocol line by line and writes what it is told to write.
COMMAND = r"""
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        info = {"name": "a", "version": "1"}
        begun = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
        result = sys.argv[1] if asked["method"] == "tools/list" else json.dumps(begun)
        answer = '{"jsonrpc": "2.0", "id": %s, "result": %s}\n' % (json.dumps(asked["id"]), result)
        sys.stdout.buffer.write(answer.encode("latin-1"))
        sys.stdout.flush()
"""


@pytest.mark.parametrize("odd", ["half \ud83d of it", "latin-1 \xe9", "NUMBER"])
async def test_a_command_may_write_what_parsers_refuse(odd: str, take: Import, registry: Registry) -> None:
    """As an answer over HTTP may; nobody waits for a message that could not be read."""
    page = json.dumps({"tools": [GOOD, GOOD | {"name": "bad", "description": odd}]})
    page = page.replace("\\u00e9", "\xe9").replace('"NUMBER"', "9" * 5_000)
    await take(kind="mcp", command=[sys.executable, "-c", COMMAND, page], skip=True)
    assert await registry.get("there__good") is not None


def call(**more: object) -> dict[str, Any]:
    """Give an operation."""
    return {"responses": {}} | more


NOWHERE = {"$ref": "#/components/parameters/Nowhere"}
ID = {"name": "id", "in": "query", "schema": {"type": "string"}}
BAD_OPERATIONS: dict[str, tuple[object, str]] = {
    "broken_ref": (call(parameters=[ID, NOWHERE]), "its parameter 2 refers to #/components/parameters/Nowhere, which"),
    "outside": (
        call(parameters=[{"$ref": "other.yaml#/Id"}]),
        "its parameter 1 refers to other.yaml#/Id, which is not",
    ),
    "loop": (call(parameters=[{"$ref": "#/components/parameters/Loop"}]), "which is nothing or refers to itself"),
    "no_name": (call(parameters=[{"in": "query"}]), "its parameter 1 has no name"),
    "odd_name": (call(parameters=[{"name": 7, "in": "query"}]), "its parameter 1 has no name"),
    "no_place": (call(parameters=[{"name": "a"}]), "its parameter 'a' is in 'None', which is not a known place"),
    "text": (call(parameters=["id"]), "its parameter 1 is not an object"),
    "no_list": (call(parameters={"id": ID}), "its parameters are not a list"),
    "broken_body": (call(requestBody={"$ref": "#/components/requestBodies/No"}), "its requestBody refers to #/comp"),
    "odd_body": (call(requestBody="json"), "its requestBody is not an object"),
    "odd_content": (call(requestBody={"content": "json"}), "its requestBody has no content that can be read"),
    "odd_operation": ("text", "it is not an object"),
    "too_many": (call(parameters=[ID | {"name": f"p{n}"} for n in range(1_001)]), "it has 1,001 parameters"),
}
TAKEN_OPERATIONS: dict[str, dict[str, Any]] = {
    "good": call(parameters=[ID]),
    "no_responses": {},
    "null_parameters": call(parameters=None, requestBody=None, tags="x", summary=4),
    "odd_schema": call(parameters=[ID | {"schema": "string"}]),
    "odd_types": call(requestBody={"content": {"": {"schema": {"type": "string"}}, "x/y; z": None}}),
    "broken_schema": call(parameters=[ID | {"schema": {"$ref": "#/components/schemas/Nowhere"}}]),
}


def document(**more: object) -> dict[str, Any]:
    """Give a document with all of these operations, and paths that are none."""
    listed = {name: operation for name, (operation, _) in BAD_OPERATIONS.items()} | TAKEN_OPERATIONS
    paths: dict[str, Any] = {f"/{name}": {"get": operation} for name, operation in listed.items()}
    paths |= {"/list": [], "/nowhere": {"$ref": "#/paths/~1absent"}, "/empty": None, "x-extra": 5}
    components = {"parameters": {"Loop": {"$ref": "#/components/parameters/Loop"}}}
    return {"openapi": "3.1.0", "paths": paths, "components": components} | more


async def test_a_bad_operation_costs_itself(take: Import) -> None:
    """A call would lack what cannot be read; what a schema refers to in vain is left open, and told."""
    report = await take("api", "openapi", document=json.dumps(document()).encode(), skip=True)
    assert set(report.new) == {f"api__get_{name}" for name in TAKEN_OPERATIONS}
    expected = {f"GET /{name}": reason for name, (_, reason) in BAD_OPERATIONS.items()}
    expected |= {"/list": "its path item is not an object", "/nowhere": "its path item refers to #/paths/~1absent"}
    assert {one.original: expected[one.original] in one.reason for one in report.refused} == dict.fromkeys(
        expected, True
    )
    noted = {one.name: one.reasons for one in report.warnings}
    assert "#/components/schemas/Nowhere is not in the document" in noted["api__get_broken_schema"][0]


async def test_filters_keep_a_bad_operation_out(take: Import) -> None:
    """What the filters of a source leave out cannot refuse it."""
    report = await take("api", "openapi", document=json.dumps(document()).encode(), paths=["/good", "/no_r*"])
    assert set(report.new) == {"api__get_good", "api__get_no_responses"}


async def test_a_bad_entry_of_a_list_costs_itself(take: Import) -> None:
    """Definitions for other frameworks are named by their place and name."""
    entries = [GOOD, {"name": "b", "bogus": {}}, "text", GOOD | {"name": " "}, {"tool": GOOD, "tagz": []}]
    report = await take("list", "tools", document=json.dumps(entries).encode(), skip=True)
    assert report.new == ("good",)
    assert [(one.original, one.reason) for one in report.refused] == [
        ("entry 2 (b)", "it is not a tool of a known form: it has the keys name, bogus"),
        ("entry 3", "it is not an object"),
        ("entry 4 ( )", "it has no name, or an empty one"),
        ("entry 5 (good)", "a record has no field 'tagz'"),
    ]


async def test_where_no_tool_can_be_taken_the_first_reason_is_told(take: Import) -> None:
    """A document of something else says what it has."""
    with pytest.raises(
        SourceRefused, match="entry 1: it is not a tool of a known form: it has the keys openapi, paths"
    ):
        await take("list", "tools", document=b'{"openapi": "3.1.0", "paths": {}}', skip=True)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_odd_of_an_operation_costs_no_other(seed: int) -> None:
    """Any value of an operation is replaced by one of another form: the other operation is a tool all the same."""
    chosen = random.Random(seed)
    body = {"required": True, "content": {"application/json": {"schema": SCHEMA | {"allOf": [SCHEMA]}}}}
    form = {"name": "f", "in": "formData", "type": "array", "items": {"type": "string"}, "collectionFormat": "csv"}
    whole = call(operationId="a", tags=["t"], parameters=[ID, form], requestBody=body, servers=[{"url": "/"}])
    for _ in range(300):
        changed = _spoilt(json.loads(json.dumps(whole)), chosen)
        paths = {"/a": {"post": changed}, "/b": {"get": TAKEN_OPERATIONS["good"]}}
        read = operations.read({"openapi": "3.1.0", "paths": paths}, SourceSpec(name="a", kind="openapi"), 9, Work())
        assert [one.original for one in read if isinstance(one, Found)][-1:] == ["GET /b"]
        assert all(one.reason for one in read if isinstance(one, Refused))


def _spoilt(value: Any, chosen: random.Random) -> Any:
    """Replace one value, somewhere within."""
    if isinstance(value, dict | list) and value and chosen.random() < 0.8:
        key = chosen.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value[key] = _spoilt(value[key], chosen)
        return value
    return chosen.choice([None, True, 0, -1.5, "x", "", [], [1], {}, {"$ref": "#/x"}, {"a": None}, [[]], {"$ref": 1}])
