"""The admin API in words, for its OpenAPI document. The bodies are read by `records`, which keeps their bytes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from router.types import Risk


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


class ToolList(BaseModel):
    """A page of tools."""

    tools: list[RecordSchema]
    next: str | None = Field(description="The value of `after` for the next page, null on the last.")


class BatchResult(BaseModel):
    """What became of a batch."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]


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


RECORD = request_body(RecordSchema.model_json_schema())
CHANGE = request_body({**RecordSchema.model_json_schema(), "required": []})
BATCH = request_body({"type": "array", "maxItems": 100_000, "items": RecordSchema.model_json_schema()})
CHAT = request_body({"type": "object", "description": "A Chat Completions request body."})
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request was refused; nothing was changed."},
    "5XX": {"model": ErrorAnswer, "description": "The registry failed; nothing was changed."},
}
