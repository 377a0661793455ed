"""Imports over HTTP: the admin API's part for them. Files, commands and secrets stand in the configuration alone."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request, Response
from pydantic import ValidationError

from app.admin import records, schemas
from app.admin.endpoints import Service, as_json, body_of, router_of
from app.errors import BadRequest, NotFound
from app.imports import show
from app.imports.clock import Synchroniser
from app.imports.schemas import (
    APPROVE,
    IMPORT,
    SYNC,
    ApprovalList,
    Approved,
    ImportReport,
    ProvenanceSchema,
    Removed,
    SourceList,
    SourceSchema,
)
from app.imports.service import Order
from app.registry.sources import Provenance
from app.settings import in_words
from app.settings.imports import SourceSpec

_ESCAPED = 6  # bytes at most that a character takes in a JSON text: \u0041

_FROM_OUTSIDE = frozenset(SourceSpec.model_fields) - {"file", "command", "env", "token", "headers"}


async def synchroniser(request: Request) -> Synchroniser:
    """Give what `main` wired."""
    wired: Synchroniser = request.state.imports
    return wired


Imports = Annotated[Synchroniser, Depends(synchroniser)]

imports = router_of("/admin", "imports")


@imports.post("/imports", openapi_extra=IMPORT, response_model=ImportReport)
async def import_source(request: Request, service: Service, imports: Imports) -> Response:
    """Import tools from a URL, or from a document in the body: all of them, or none."""
    body = await body_of(request, service.settings)
    return as_json(await imports.run(await service.aside(partial(_order, body, imports.imports.settings.max_bytes))))


@imports.get("/sources", response_model=SourceList)
async def list_sources(imports: Imports) -> Response:
    """List the sources by name, configured ones that were never imported among them."""
    return as_json({"sources": await _sources(imports)})


@imports.get("/sources/{name}", response_model=SourceSchema)
async def get_source(name: str, imports: Imports) -> Response:
    """Give a source, and what is being done to it."""
    for source in await _sources(imports):
        if source["name"] == name:
            return as_json(source)
    raise NotFound(f"There is no source {name!r}.")


@imports.delete("/sources/{name}", response_model=Removed)
async def remove_source(name: str, imports: Imports) -> Response:
    """Remove a source with all its tools."""
    return as_json({"removed": await imports.remove(name)})


@imports.post("/sources/{name}:sync", openapi_extra=SYNC, response_model=ImportReport)
async def sync_source(name: str, request: Request, service: Service, imports: Imports) -> Response:
    """Import a source again, as it was imported or is configured."""
    options = _object(await body_of(request, service.settings) or b"{}")
    if unknown := options.keys() - {"dry_run", "approve"}:
        raise BadRequest(f"There is no option {', '.join(sorted(unknown))}: dry_run and approve are.")
    spec = await imports.imports.spec(name)
    order = Order(spec, dry_run=options.get("dry_run") is True, approve=options.get("approve") is True)
    return as_json(await imports.run(order))


@imports.post("/sources/{name}:approve", response_model=Approved)
async def approve_source(name: str, imports: Imports) -> Response:
    """Approve whatever of a source waits for it."""
    return as_json({"approved": await imports.approve(None, name)})


@imports.get("/approvals", response_model=ApprovalList)
async def list_approvals(imports: Imports) -> Response:
    """List what waits for approval: the definition that was approved, and the one that the source has now."""
    return as_json({"waiting": await show.waiting(imports.imports.sources)})


@imports.post("/tools/{name}:approve", openapi_extra=APPROVE, response_model=schemas.RecordSchema)
async def approve_tool(name: str, request: Request, service: Service, imports: Imports) -> Response:
    """Approve what a source has changed on a tool: with a digest only the definition that was looked at."""
    options = _object(await body_of(request, service.settings) or b"{}")
    digest = options.pop("digest", None)
    if options or not (digest is None or isinstance(digest, str)):
        raise BadRequest("An approval has a digest, as GET /admin/approvals gives it, or nothing.")
    await imports.approve([name], None, digest)
    return as_json(records.as_record(await service.get(name)))


@imports.get("/tools/{name}/provenance", response_model=ProvenanceSchema)
async def get_provenance(name: str, imports: Imports) -> Response:
    """Tell where a tool was imported from."""
    known = await imports.imports.sources.provenance(name)
    if known is None:
        raise NotFound(f"There is no tool {name!r} that was imported.")
    return as_json(_provenance(known.provenance))


def _provenance(origin: Provenance) -> dict[str, Any]:
    plain = {name: getattr(origin, name) for name in ("tool", "source", "kind", "origin", "original", "imported_at")}
    return plain | {"digest": origin.digest or None, "waiting": origin.pending is not None}


async def _sources(imports: Synchroniser) -> list[dict[str, Any]]:
    rows = await show.listed(imports.imports.sources, imports.imports.settings)
    none: tuple[None, None] = (None, None)
    running = [(row, imports.running.get(row["name"], none)) for row in rows]
    return [row | {"running": what and {"step": what, "tools": tools}} for row, (what, tools) in running]


def _order(body: bytes, most: int) -> Order:
    """Read what is to be imported, with a document of `most` bytes.

    Raises:
        BadRequest: It cannot be read, or names what stands in the configuration alone.
    """
    raw = _raw_object(body)
    document = _document(raw.pop("document", msgspec.Raw(b"null")), most)
    fields = {name: _decoded(value) for name, value in raw.items()}
    dry_run = fields.pop("dry_run", False)
    if refused := fields.keys() - _FROM_OUTSIDE:
        raise BadRequest(f"An import has no {', '.join(sorted(refused))}. Files, commands and secrets are configured.")
    if bool(fields.get("url")) == (document is not None):
        raise BadRequest("An import has a url, or a document in its place.")
    try:
        spec = SourceSpec(**fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        text = "; ".join(f"{'.'.join(map(str, one['loc']))}: {in_words(one)}".removeprefix(": ") for one in details)
        raise BadRequest(f"The import cannot be read: {text}") from error
    return Order(spec, document, dry_run is True)


def _document(raw: msgspec.Raw, most: int) -> bytes | None:
    """Return a document that was handed over: JSON as it stands there, or the text of a string."""
    text = bytes(raw)
    if text == b"null":
        return None
    if len(text) > _ESCAPED * most:
        raise BadRequest(f"The document is larger than imports.max_bytes, {most:,} bytes.")
    if not text.startswith(b'"'):
        return text
    value = _decoded(raw)
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else None


def _object(body: bytes) -> dict[str, Any]:
    return {name: _decoded(value) for name, value in _raw_object(body).items()}


def _raw_object(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a JSON object: {error}") from error


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a JSON object: {error}") from error
