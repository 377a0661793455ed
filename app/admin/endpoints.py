"""The admin API over HTTP, and the probes. Every route below `/admin` asks for the admin key."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from app.admin import records, schemas
from app.admin.service import AdminService, Filter
from app import credentials
from app.errors import BodyTooLarge, Unauthorized
from app.routing import Options
from app.settings import Settings
from router.types import Risk

def service(request: Request) -> AdminService:
    """Give the service that `main` wired."""
    wired: AdminService = request.state.admin
    return wired


Service = Annotated[AdminService, Depends(service)]


def authorise(request: Request, service: Service) -> None:
    """Ask for the admin key.

    Raises:
        Unauthorized: It is not shown; or there is none and the request was not meant for this machine.
    """
    key = service.settings.admin.key
    if key is None:
        if not _is_local(request.headers.get("host", "")):
            raise Unauthorized("Without an admin.key the admin API answers to localhost only.")
        return
    if not credentials.matches(credentials.bearer(request.scope["headers"]), key.get_secret_value().encode()):
        raise Unauthorized("The admin API needs the header 'authorization: Bearer <admin.key>'.")


admin = APIRouter(prefix="/admin", dependencies=[Depends(authorise)], responses=schemas.ERRORS, tags=["admin"])
probes = APIRouter(tags=["probes"])


@admin.put("/tools/{name}", openapi_extra=schemas.RECORD, response_model=schemas.RecordSchema)
async def put_tool(name: str, request: Request, service: Service) -> Response:
    """Create or replace a tool."""
    tool, created = await service.put(name, await _body(request, service.settings))
    return _json(records.as_record(tool), status=201 if created else 200)


@admin.get("/tools/{name}", response_model=schemas.RecordSchema)
async def get_tool(name: str, service: Service) -> Response:
    """Give a tool."""
    return _json(records.as_record(await service.get(name)))


@admin.patch("/tools/{name}", openapi_extra=schemas.CHANGE, response_model=schemas.RecordSchema)
async def change_tool(name: str, request: Request, service: Service) -> Response:
    """Change some fields of a tool."""
    tool = await service.change(name, await _body(request, service.settings))
    return _json(records.as_record(tool))


@admin.delete("/tools/{name}", status_code=204)
async def delete_tool(name: str, service: Service) -> Response:
    """Remove a tool."""
    await service.delete(name)
    return Response(status_code=204)


@admin.get("/tools", response_model=schemas.ToolList)
async def list_tools(
    service: Service,
    tag: Annotated[str | None, Query(description="Only tools with this tag.")] = None,
    q: Annotated[str | None, Query(description="Only tools with this in their name or description.")] = None,
    enabled: Annotated[bool | None, Query(description="Only enabled, or only disabled tools.")] = None,
    risk: Annotated[Risk | None, Query(description="Only tools of this risk.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Tools on a page.")] = 100,
    after: Annotated[str | None, Query(description="The last name of the page before.")] = None,
) -> Response:
    """List tools by name."""
    found = await service.find(Filter(tag, q, enabled, risk, limit + 1, after))
    page = found[:limit]
    following = page[-1].name if len(found) > limit else None
    return _json({"tools": [records.as_record(tool) for tool in page], "next": following})


@admin.post("/tools:batch", openapi_extra=schemas.BATCH, response_model=schemas.BatchResult)
async def put_tools(request: Request, service: Service) -> Response:
    """Create or replace up to 100,000 tools, all or none. The same batch again changes nothing."""
    result = await service.put_many(await _body(request, service.settings))
    return _json({"created": result.created, "updated": result.updated, "unchanged": result.unchanged})


@admin.post("/route", openapi_extra=schemas.CHAT)
async def route(request: Request, service: Service) -> Response:
    """Explain which tools a chat request would be sent with, and why. Nothing is forwarded."""
    body = await _body(request, service.settings)
    return _json(await service.explain(body, Options()))


@admin.get("/stats")
async def stats(service: Service) -> Response:
    """Give this process's figures since its start."""
    return _json(service.stats())


@probes.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process runs."""
    return {"status": "ok"}


@probes.get("/readyz")
async def readyz(service: Service) -> Response:
    """Tell whether the catalogue is loaded and embedded: 200, or 503 with what is missing."""
    snapshots = service.snapshots
    state = {"ready": snapshots.ready, "tools": len(snapshots.catalog), "pending": snapshots.pending}
    return _json(state, status=200 if snapshots.ready else 503)


@probes.get("/metrics")
async def metrics(service: Service) -> Response:
    """Give the figures in Prometheus' text format."""
    return Response(service.telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


async def _body(request: Request, settings: Settings) -> bytes:
    limit = settings.admin.max_body_bytes
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"The body is larger than admin.max_body_bytes, {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine: a page in a browser cannot forge that (DNS rebinding)."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
