"""The admin API over HTTP, and the probes. Every route below `/admin` asks for the admin key.

Without a key it answers this machine alone: the connection comes from it, the Host header names it (a page that had
its own name point here cannot forge that), and a page of another origin is refused (browsers let any page post).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.security import HTTPBearer
from starlette.requests import ClientDisconnect

from app import credentials, options
from app.admin import records, schemas
from app.admin.request_schemas import RequestSchema
from app.admin.service import AdminService, Filter
from app.digits import MOST_LENGTH, whole
from app.errors import BadRequest, BodyTooLarge, NotFound, Unauthorized
from app.hosts import check_probe, names_this_machine
from app.settings import Settings


async def service(request: Request) -> AdminService:
    """Give the service that `main` wired."""
    wired: AdminService = request.state.admin
    return wired


Service = Annotated[AdminService, Depends(service)]


async def authorise(request: Request, service: Service) -> None:
    """Ask for the admin key.

    Raises:
        Unauthorized: It is not shown; or there is none and the request does not come from this machine.
    """
    key = service.settings.admin.key
    if key is None:
        if not _is_from_here(request):
            raise Unauthorized("Without an admin.key the admin API answers to localhost only.")
        return
    if not credentials.matches(credentials.bearer(request.scope["headers"]), key.get_secret_value().encode()):
        raise Unauthorized("The admin API needs the header 'authorization: Bearer <admin.key>'.")


# Only for the documents, which offer a field for the key; `authorise` is what asks for it.
_described = HTTPBearer(auto_error=False, scheme_name="admin.key", description="The admin key.")


def router_of(prefix: str, tag: str) -> APIRouter:
    """Give a router for a part of the admin API."""
    guarded = [Depends(authorise), Security(_described)]
    return APIRouter(prefix=prefix, dependencies=guarded, responses=schemas.ERRORS, tags=[tag])


admin = router_of("/admin", "admin")
probes = APIRouter(tags=["probes"])


async def seen_from_here(request: Request, service: Service) -> None:
    """Show no figures to a page in a browser.

    Raises:
        ForeignHost, ForeignOrigin: See `hosts.check_probe`.
    """
    check_probe(request.scope["headers"], service.settings.server)


@admin.put("/tools/{name}", openapi_extra=schemas.RECORD, responses=schemas.CREATED)
async def put_tool(name: str, request: Request, service: Service) -> Response:
    """Create or replace a tool."""
    tool, created, like = await service.put(name, await body_of(request, service.settings))
    record = msgspec.structs.asdict(records.as_record(tool))
    return as_json(record | {"near_duplicates": like}, status=201 if created else 200)


@admin.get("/tools/{name}", response_model=schemas.ToolSchema)
async def get_tool(name: str, service: Service) -> Response:
    """Give a tool."""
    record = msgspec.structs.asdict(records.as_record(await service.get(name)))
    binding = await service.binding(name)
    return as_json(record | ({"binding": binding} if binding is not None else {}))


@admin.patch("/tools/{name}", openapi_extra=schemas.CHANGE, response_model=schemas.RecordSchema)
async def change_tool(name: str, request: Request, service: Service) -> Response:
    """Change some fields of a tool."""
    tool = await service.change(name, await body_of(request, service.settings))
    return as_json(records.as_record(tool))


@admin.delete("/tools/{name}", status_code=204)
async def delete_tool(name: str, service: Service) -> Response:
    """Remove a tool."""
    await service.delete(name)
    return Response(status_code=204)


@admin.get("/tools", response_model=schemas.ToolList)
async def list_tools(service: Service, query: Annotated[schemas.ListQuery, Query()]) -> Response:
    """List tools by name."""
    wanted = Filter(query.tag, query.q, query.enabled, query.risk, query.tenant, query.limit + 1, query.after)
    found = await service.find(wanted)
    page = found[: query.limit]
    following = page[-1].name if len(found) > query.limit else None
    return as_json({"tools": [records.as_record(tool) for tool in page], "next": following})


@admin.post("/tools:batch", openapi_extra=schemas.BATCH, response_model=schemas.BatchResult)
async def put_tools(request: Request, service: Service) -> Response:
    """Create or replace up to 100,000 tools, all or none. The same batch again changes nothing."""
    result, like = await service.put_many(await body_of(request, service.settings))
    return as_json(
        {
            "created": result.created,
            "updated": result.updated,
            "unchanged": result.unchanged,
            "near_duplicates": like,
        }
    )


@admin.get("/duplicates", response_model=schemas.DuplicateList)
async def list_duplicates(service: Service, query: Annotated[schemas.DuplicateQuery, Query()]) -> Response:
    """List pairs of tools that are nearly the same, the likest first; of a large catalogue those of one source."""
    return as_json(await service.duplicates(query.source, query.threshold, query.limit))


@admin.post("/route", openapi_extra=schemas.CHAT, response_model=schemas.Decision)
async def route(
    request: Request,
    service: Service,
    limit: Annotated[int, Query(ge=1, le=records.MAX_ENTRIES)] = 1_000,
    key: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Explain which tools a chat request would be sent with, and why. Nothing is forwarded.

    The headers `x-toolfunnel-…` count as they do for the request. At most
    `limit` tools are listed: those sent, then the best of the others. `key`: the id of a caller's key, as whose request
    this one counts; without, nothing of any tenant is offered.
    """
    asked = options.read(request.scope["headers"])
    if key is not None:
        holder = request.state.keys.ring.holder_of(key)
        if holder is None:
            raise NotFound(f"There is no key {key!r} that opens the gateway.")
        asked = replace(asked, grants=holder.grants, of_key=holder.source)
    decision = await service.explain(await body_of(request, service.settings), asked, limit)
    return await service.aside(partial(as_json, decision))


@admin.get("/requests/{request_id}", response_model=RequestSchema)
async def explain_request(request_id: str, request: Request, service: Service) -> Response:
    """Explain which tools a recent chat request was sent with, and why, by its `x-request-id`. No text is kept."""
    if not service.settings.safety.explain_requests:
        raise NotFound("Requests are not remembered: safety.explain_requests is false.")
    told = request.state.gateway.recent.get(request_id)
    if told is None:
        raise NotFound(
            "No such request is remembered by this process: it has not ended yet, was no chat request, is too long ago "
            "(docs/operations.md, memory), or another worker or machine answered it."
        )
    return Response(told, media_type="application/json")


@admin.get("/stats", response_model=schemas.StatsSchema)
async def stats(service: Service) -> Response:
    """Give this process's figures since its start."""
    return as_json(service.stats())


@admin.post("/config:reload", response_model=schemas.ConfigChange)
async def reload_config(request: Request) -> Response:
    """Read the configuration again. One that cannot be used changes nothing, and the answer says why."""
    return as_json(await request.state.reload.everywhere())


@probes.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process runs."""
    return {"status": "ok"}


@probes.get(
    "/readyz", dependencies=[Depends(seen_from_here)], response_model=schemas.Readiness, responses=schemas.NOT_READY
)
async def readyz(request: Request, service: Service) -> Response:
    """Tell whether the catalogue is loaded and embedded: 200, or 503 with what is missing."""
    snapshots, refused = service.snapshots, request.state.reload.refused
    state = {
        "ready": snapshots.ready,
        "tools": len(snapshots.catalog),
        "pending": snapshots.pending,
        "registry": "away" if snapshots.away else "up",
        "provider": "set" if request.state.gateway.upstream.settings.base_url else "none",
    }
    if refused:
        state["configuration"] = f"The last one was refused; the one before it is in force. {refused}"
    return as_json(state, status=200 if snapshots.ready else 503)


@probes.get(
    "/metrics",
    dependencies=[Depends(seen_from_here)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics(service: Service) -> Response:
    """Give the figures in Prometheus' text format."""
    return Response(service.telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def as_json(value: object, status: int = 200) -> Response:
    """Answer with a value as JSON."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


async def body_of(request: Request, settings: Settings) -> bytes:
    """Give the body of a request.

    Raises:
        BodyTooLarge: It is larger than `admin.max_body_bytes`.
        BadRequest: It does not come to its end.
    """
    limit = settings.admin.max_body_bytes
    refusal = BodyTooLarge(f"The body is larger than admin.max_body_bytes, {limit} bytes.")
    announced = whole(request.headers.get("content-length", ""), MOST_LENGTH)
    if announced is not None and announced > limit:
        raise refusal
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise refusal
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise BadRequest("The connection closed before the end of the body.") from error
    return b"".join(chunks)


def _is_from_here(request: Request) -> bool:
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    return (
        names_this_machine(host)
        and (origin is None or origin in (f"http://{host}", f"https://{host}"))
        and (request.client is None or names_this_machine(_in_url(request.client.host)))
    )


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
