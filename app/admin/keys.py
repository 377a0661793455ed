"""Callers' keys over HTTP: created, listed, revoked. The key itself is in one answer and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import Depends, Request, Response

from app.admin import schemas
from app.admin.endpoints import Service, as_json, body_of, router_of
from app.callers import issue
from app.callers.follow import Following
from app.errors import NotFound, RegistryError
from app.registry.keys import named

_log = structlog.get_logger()


async def following(request: Request) -> Following:
    """Give what `main` wired."""
    wired: Following = request.state.keys
    return wired


Keys = Annotated[Following, Depends(following)]

keys = router_of("/admin/keys", "keys")


@keys.post("", status_code=201, openapi_extra=schemas.KEY, response_model=schemas.IssuedKey)
async def create_key(request: Request, service: Service, keys: Keys) -> Response:
    """Create a key for a caller. It is shown in this answer and never again."""
    key, secret = issue.issue(issue.read(await body_of(request, service.settings)), service.settings)
    await keys.add(key)
    _log.info("a caller's key was created", caller=key.id)
    return as_json({"key": secret} | issue.as_record(key), status=201)


@keys.get("", response_model=schemas.KeyList)
async def list_keys(keys: Keys) -> Response:
    """List all keys, the oldest first; revoked ones stay."""
    _, found = await keys.store.load()
    return as_json({"keys": [issue.as_record(key) for key in found]})


@keys.get("/{key_id}", response_model=schemas.KeySchema)
async def get_key(key_id: str, keys: Keys) -> Response:
    """Give a key, without its secret."""
    _, found = await keys.store.load()
    key = named(found, key_id)
    if key is None:
        raise _no_key(key_id)
    return as_json(issue.as_record(key))


@keys.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: str, keys: Keys) -> Response:
    """Revoke a key for good: here at once, in every other process within a second."""
    if not await keys.store.revoke(key_id, datetime.now(UTC)):
        raise _no_key(key_id)
    _log.info("a caller's key was revoked", caller=key_id)
    try:
        await keys.refresh()
    except RegistryError as error:
        raise type(error)(f"The key is revoked, but it still opens this process. {error}") from error
    return Response(status_code=204)


def _no_key(key_id: str) -> NotFound:
    return NotFound(f"There is no key {key_id!r}.")
