"""What is remembered of a request, in words, for the admin API's OpenAPI document."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from app.admin.schemas import TokenEstimate
from router.types import Reason


class ChosenSchema(BaseModel):
    """A tool that a request was sent with."""

    name: str
    from_: str = Field(alias="from", description="client or catalogue.")
    why: str = Field(description=f"One of: {', '.join(Reason)}.")
    rank: int | None = Field(
        description="Its rank; null: it was not ranked for this request, or beyond the 64th place."
    )


class PassedSchema(BaseModel):
    """A tool that came close."""

    name: str
    rank: int


class ChoiceSchema(BaseModel):
    """What routing chose."""

    chosen: list[ChosenSchema] = Field(description="In the order in which they were sent; 128 at most.")
    near: list[PassedSchema] = Field(description="The best ten of those that were not chosen.")
    searched: bool = Field(description="false: nothing was searched for; the list was known from before.")
    relevance: float | None = Field(description="As `relevance.margin` of POST /admin/route.")


class RequestTimes(BaseModel):
    """Milliseconds since the request came; of routing, how long it took."""

    route: float
    first_byte: float | None
    answer: float | None


class RequestFigures(BaseModel):
    """What a request came to."""

    caller: str = Field(description="Id of the key that was shown; empty: none.")
    status: int
    upstream_status: int
    upstream_id: str = Field(
        description="The x-request-id that the provider gave it; it can be asked for by this, too."
    )
    end: str = Field(description="whole, refused, client_gone, broken_off, cut_off or failed.")
    failure: str = Field(description="Code of an error of the gateway; empty: none.")
    outcome: str = Field(description="As in GET /admin/stats.")
    untrimmed: str = Field(description="Why its tools went out as they came; empty: they were routed.")
    mode: str
    source: str = Field(description="As the header x-toolfunnel-source.")
    set_aside: int
    available: int
    sent: int
    received_bytes: int
    tokens: TokenEstimate
    timings_ms: RequestTimes


class RequestSchema(BaseModel):
    """A recent chat request."""

    id: str
    at: datetime = Field(description="When it came.")
    choice: ChoiceSchema | None = Field(description="null: it was not routed; `figures` says why.")
    figures: RequestFigures
