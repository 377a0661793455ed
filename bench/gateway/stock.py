"""A proxy as one writes it in an hour: an endpoint of FastAPI and stock httpx; it knows nothing of tools."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

_HOP = {"host", "content-length", "connection", "transfer-encoding", "keep-alive"}


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM"], timeout=60, limits=limits, trust_env=False) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=_client)


@app.post("/v1/{path:path}")
async def passed(path: str, request: Request) -> StreamingResponse:
    """Send a request on and its answer back."""
    client: httpx.AsyncClient = request.app.state.client
    headers = {name: value for name, value in request.headers.items() if name not in _HOP}
    sent = client.build_request("POST", f"/v1/{path}", headers=headers, content=await request.body())
    answer = await client.send(sent, stream=True)
    kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))
