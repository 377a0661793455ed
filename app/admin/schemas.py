"""The admin API in words, for its OpenAPI document. Bodies are read by `records`, which keeps their bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.settings import SourcePolicy
from router.types import Reason, Risk


class RecordSchema(BaseModel):
    """A registered tool."""

    tool: dict[str, Any] = Field(description="The OpenAI tool object, kept byte for byte.")
    tags: list[str] = Field([], description="Groups; a caller can ask for some with x-toolfunnel-tags.")
    keywords: list[str] = Field([], description="Words or phrases that name this tool; an exact hit lifts it.")
    examples: list[str] = Field([], description="Questions that this tool answers.")
    pinned: bool = Field(default=False, description="Always offered, on top of the budget.")
    enabled: bool = Field(default=True, description="A disabled tool is never offered.")
    risk: Risk = Field(Risk.READ, description="dangerous is never offered; write only where safety.allow has it.")
    source: str = Field("", description="Where it comes from.")
    tenant: str = Field(
        "", description="Whose it is: offered to callers whose key names this tenant. Empty: everyone's."
    )


class ToolSchema(RecordSchema):
    """A registered tool, and how it is called at its source."""

    binding: dict[str, Any] = Field(
        {},
        description="What a caller needs to call an imported tool: docs/imports.md. Not there for others; read only.",
    )


class ListQuery(BaseModel):
    """Which tools to list. An empty value is as good as none; a parameter that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")

    tag: str | None = Field(None, max_length=1_000, description="Only tools with this tag.")
    q: str | None = Field(None, max_length=1_000, description="Only tools with this in their name or description.")
    enabled: bool | None = Field(None, description="Only enabled, or only disabled tools.")
    risk: Risk | None = Field(None, description="Only tools of this risk.")
    tenant: str | None = Field(None, max_length=1_000, description="Only tools of this tenant.")
    limit: int = Field(100, ge=1, le=1_000, description="Tools on a page.")
    after: str | None = Field(None, max_length=1_000, description="The last name of the page before.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value != ""}


class ToolList(BaseModel):
    """A page of tools."""

    tools: list[RecordSchema]
    next: str | None = Field(description="The value of `after` for the next page, null on the last.")


class KeyWanted(BaseModel):
    """A key as it is asked for."""

    name: str = Field(max_length=200, description="Whose key it is.")
    tenants: list[str] = Field([], description="Tenants whose tools it reaches, beside those that belong to none.")
    sources: list[str] = Field([], description="Only tools of these sources; empty: of any.")
    tags: list[str] = Field([], description="Only tools with one of these tags; empty: any.")
    risks: list[Risk] = Field([], description="Only tools of these risks, within safety.allow; empty: all of that.")
    limits: list[str] = Field([], description="Requests, such as 60/minute; empty: limits.default.")
    tools_source: SourcePolicy | None = Field(
        None, description="Whose tools its requests get, within tools.source; null: what that says."
    )
    expires_at: datetime | None = Field(None, description="With a zone. null: never.")


class KeySchema(KeyWanted):
    """A key without its secret."""

    id: str
    created_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None = Field(
        description="When it was used last: known two seconds later, of a busy key a minute."
    )
    state: str = Field(description="active, expired or revoked.")


class IssuedKey(KeySchema):
    """A new key."""

    key: str = Field(description="The key itself. Nobody can show it again.")


class KeyList(BaseModel):
    """All keys."""

    keys: list[KeySchema]


class DuplicateQuery(BaseModel):
    """Which near-duplicates to list."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = Field(None, max_length=1_000, description="Only of tools of this source, with any others.")
    threshold: float | None = Field(None, ge=0.5, le=1, description="Instead of safety.duplicate_similarity.")
    limit: int = Field(100, ge=1, le=1_000, description="Pairs at most.")


class DuplicateSchema(BaseModel):
    """Two tools that are nearly the same."""

    name: str
    like: str
    similarity: float | None = Field(description="Cosine of their vectors; null: one has none yet.")
    same_description: bool = Field(description="But for case, blanks and punctuation.")


_NEAR = Field(
    description="What the written tools are like, 20 pairs at most; null where they are many, or have no vectors yet."
)


class WrittenSchema(RecordSchema):
    """A registered tool as it was written."""

    near_duplicates: list[DuplicateSchema] | None = _NEAR


class DuplicateList(BaseModel):
    """Near-duplicates: those of the same description first, then by similarity."""

    duplicates: list[DuplicateSchema]
    total: int = Field(description="How many there are.")


class BatchResult(BaseModel):
    """What became of a batch."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]
    near_duplicates: list[DuplicateSchema] | None = _NEAR


class QueryPart(BaseModel):
    """One text that was searched with."""

    text: str
    weight: float


class MessagePart(BaseModel):
    """A block of what the user said last, where that is more than a plain question."""

    part: int = Field(description="Which text of the turn it stands in, from 1.")
    characters: int
    begins: str = Field(description="Its first words.")
    role: str = Field(description="request, context (adds a little), or harness (is left out).")
    why: str = Field(description="By what it was told.")


class TokenEstimate(BaseModel):
    """Estimated tokens of tool definitions."""

    before: int = Field(description="Of everything that could have been sent.")
    after: int = Field(description="Of what is sent.")


class RankedScore(BaseModel):
    """A tool's place in one ranking."""

    score: float
    rank: int = Field(description="From 1.")
    adds: float = Field(description="What it adds to the fused score: the score times the channel's weight.")


class WithheldRow(BaseModel):
    """Why a tool of the catalogue is kept back."""

    reasons: list[str] = Field(description="All that keeps it back, in words.")
    do: list[str] = Field(description="What to do to have it offered.")
    would_be_sent: bool = Field(description="Whether it would be sent if nothing of the catalogue were kept back.")


class WithheldGroup(BaseModel):
    """Tools that are kept back for the same."""

    tools: int
    reason: str
    do: str = Field(description="What to do to have them offered; empty: nothing would.")


class WithheldSchema(BaseModel):
    """What is kept back, all together."""

    tools: int
    would_be_sent: int
    by: list[WithheldGroup]


class DecisionRow(BaseModel):
    """One tool's part in a decision."""

    name: str
    from_: str = Field(alias="from", description="client or catalogue.")
    chosen: bool
    why: str = Field(description=f"One of: {', '.join(Reason)}; or that the list is left as it came.")
    named: bool = Field(description="Whether the last turn names it.")
    fused: RankedScore | None = Field(description="All channels together; decides.")
    would_be: RankedScore | None = Field(
        description="Of a tool that is kept back: its place if nothing of the catalogue were."
    )
    dense: RankedScore | None = Field(description="By meaning, of the first encoder.")
    lexical: RankedScore | None = Field(description="By words.")
    channels: dict[str, RankedScore] = Field(
        description="Every channel that ranked it: each encoder by its name, lexical (BM25), names (the share of its "
        "name that the question says), keywords (1 where a keyword or tag is named)."
    )
    description: str
    withheld: WithheldRow | None = Field(description="Why it is kept back; null: it is not.")


class RelevanceSchema(BaseModel):
    """How a question stands to the floor under which nothing of the catalogue is added."""

    margin: float = Field(description="How far above it, in deviations of what is usual for small talk.")
    relevant: bool


class SourceSchema(BaseModel):
    """Whose tools a request gets."""

    used: str = Field(description="both, registry, request, or forced (its own, and what its tool choice names).")
    why: str = Field(
        description="setting, key or header (who said so); or no-own, own, declared, called, forced, structured."
    )


class Decision(BaseModel):
    """A decision laid open."""

    query: list[QueryPart] = Field(description="What was searched with, newest first.")
    message: list[MessagePart] = Field(description="What was decided about each block of the last message.")
    mode: str = Field(description="hybrid, lexical (vectors were not ready), untouched, or off (by header).")
    source: SourceSchema
    sent: list[str] = Field(description="The names of the tool list that would go out, in order.")
    relevance: RelevanceSchema | None = Field(description="Whether the last question needs a tool; null: not judged.")
    available: int = Field(description="Tools that could have been sent.")
    tokens: TokenEstimate
    timings_ms: dict[str, float]
    withheld: WithheldSchema = Field(description="What of the catalogue may not be offered with this request.")
    tools: list[DecisionRow] = Field(
        description="The sent in their order, the others by rank, then those that are kept back by the rank they would "
        "have."
    )


class CatalogFigures(BaseModel):
    """The catalogue in use."""

    tools: int
    pending: int = Field(description="Tools that only words find, until their vectors are made.")
    ready: bool


class ToolFigures(BaseModel):
    """Sums over chat requests."""

    available: int
    sent: int


class TokenFigures(BaseModel):
    """Sums of estimates over chat requests."""

    before: int
    saved: int


class RouteTimes(BaseModel):
    """Milliseconds that routing took, of the latest 10,000 requests."""

    p50: float
    p90: float
    p99: float
    max: float


class StatsSchema(BaseModel):
    """A process's figures since its start."""

    catalog: CatalogFigures
    requests: int = Field(description="Chat requests.")
    outcomes: dict[str, int] = Field(description="Chat requests by what routing did with them.")
    tools: ToolFigures
    tokens: TokenFigures
    route_ms: RouteTimes
    failures: dict[str, int] = Field(description="Errors of the gateway itself, by code.")


class ConfigChange(BaseModel):
    """What a new configuration changed. Names of keys, never values."""

    changed: list[str] = Field(description="In force for requests from now on.")
    needs_restart: list[str] = Field(description="Different in the file, and not in force before a restart.")


class Readiness(BaseModel):
    """Whether the catalogue is loaded and embedded."""

    ready: bool
    tools: int
    pending: int
    registry: Literal["up", "away"] = Field(
        description="away: it cannot be read now. The last catalogue serves on, and nothing can be changed."
    )
    provider: Literal["set", "none"] = Field(
        description="none: upstream.base_url is empty, and requests to models are answered 503."
    )
    configuration: str = Field(
        "",
        description="Why the last one that was read was refused: the one before it is in force. Only there if it was.",
    )


class ProblemSchema(BaseModel):
    """One entry that cannot be taken."""

    index: int
    name: str
    reason: str


class ErrorSchema(BaseModel):
    """An error in the form of OpenAI's API."""

    message: str
    type: str
    param: str | None
    code: str
    problems: list[ProblemSchema] | None = Field(None, description="For a refused batch: every bad entry.")


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorSchema


def request_body(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a JSON body that an endpoint reads itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _change() -> dict[str, Any]:
    """Describe a record of which any field may be left out; what is left out stays as it is."""
    schema = RecordSchema.model_json_schema(ref_template="#/components/schemas/{model}")
    fields = {
        name: {key: value for key, value in field.items() if key != "default"}
        for name, field in schema["properties"].items()
    }
    return {"title": "Change", "type": "object", "properties": fields, "additionalProperties": False}


def _key() -> dict[str, Any]:
    """Describe what is asked for when a key is created."""
    schema = KeyWanted.model_json_schema(ref_template="#/components/schemas/{model}")
    return {name: value for name, value in schema.items() if name != "$defs"} | {"additionalProperties": False}


_RECORD = {"$ref": f"#/components/schemas/{RecordSchema.__name__}"}
_RECORDS = {"type": "array", "maxItems": 100_000, "items": _RECORD}
_TOOLS = {"type": "object", "properties": {"tools": _RECORDS}, "required": ["tools"]}
KEY = request_body(_key())
RECORD = request_body(_RECORD)
CHANGE = request_body(_change())
BATCH = request_body({"anyOf": [_RECORDS, _TOOLS]})
CHAT = request_body({"type": "object", "description": "A Chat Completions request body."})
CREATED: dict[int | str, dict[str, Any]] = {
    200: {"model": WrittenSchema, "description": "It was there; it is now as given."},
    201: {"model": WrittenSchema, "description": "It is new."},
}
NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Readiness, "description": "Not yet."}}
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request was refused; nothing was changed."},
    "5XX": {
        "model": ErrorAnswer,
        "description": "The registry failed. Nothing was changed, unless the message says so.",
    },
}
