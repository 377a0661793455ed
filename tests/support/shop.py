"""A FastAPI application of 300 operations, ten for each of thirty things, as somebody would write it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from pydantic import BaseModel

THINGS = [
    "invoice",
    "customer",
    "order",
    "shipment",
    "product",
    "refund",
    "coupon",
    "warehouse",
    "supplier",
    "employee",
    "contract",
    "ticket",
    "campaign",
    "subscription",
    "payment",
    "budget",
    "vehicle",
    "meeting",
    "room",
    "device",
    "license",
    "report",
    "survey",
    "task",
    "project",
    "asset",
    "branch",
    "course",
    "event",
    "vendor",
]
ROUTES = (
    ("GET", "/{0}s", "List all {0}s."),
    ("POST", "/{0}s", "Create a {0}."),
    ("GET", "/{0}s/search", "Search {0}s by words."),
    ("GET", "/{0}s/export", "Export all {0}s as a table."),
    ("GET", "/{0}s/{{id}}", "Give one {0}."),
    ("PUT", "/{0}s/{{id}}", "Replace a {0}."),
    ("PATCH", "/{0}s/{{id}}", "Change some fields of a {0}."),
    ("DELETE", "/{0}s/{{id}}", "Remove a {0} for good."),
    ("GET", "/{0}s/{{id}}/history", "Who changed a {0}, when, and what."),
    ("POST", "/{0}s/{{id}}/archive", "Put a {0} into the archive."),
)


class Body(BaseModel):
    """What a thing is made of."""

    title: str
    amount: float | None = None


def application() -> FastAPI:
    """Give the application."""
    app = FastAPI(title="Shop")
    for thing in THINGS:
        for method, path, text in ROUTES:
            endpoint = _endpoint(method, "{id}" in path.format(thing))
            endpoint.__name__ = text.format(thing).strip(".").replace(" ", "_").replace(",", "").lower()
            endpoint.__doc__ = text.format(thing)
            app.add_api_route(path.format(thing), endpoint, methods=[method], tags=[thing])
    return app


def _endpoint(method: str, one: bool) -> Callable[..., object]:
    def with_body(body: Body, dry: bool = False) -> Body:
        return body

    def of_one(id: int) -> int:  # noqa: A002 - what the parameter is called
        return id

    def of_all(q: str = "") -> str:
        return q

    return with_body if method in ("POST", "PUT", "PATCH") else of_one if one else of_all
