"""Imports in words, for the admin API's OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.admin.schemas import WithheldGroup, request_body
from app.settings.imports import SourceSpec


class ChangedTool(BaseModel):
    """A tool whose definition is another one."""

    name: str
    fields: list[str] = Field(description="description, parameters, risk, tags, tenant; none: something else of it.")


class RefusedTool(BaseModel):
    """A tool that cannot be taken."""

    original: str = Field(description="Its name at the source.")
    reason: str


class WarnedTool(BaseModel):
    """A tool that was taken, and what should be known of it."""

    name: str
    reasons: list[str] = Field(description="What providers are known to refuse, and what was left out.")


class Offer(BaseModel):
    """How many tools of a source can be offered to models."""

    tools: int
    now: int = Field(description="Those that can be offered as it is configured.")
    withheld: list[WithheldGroup] = Field(description="What keeps the others, and what to do.")
    tenants: dict[str, int] = Field(description="Tools by tenant: offered only to callers whose key names it.")


class ImportReport(BaseModel):
    """What an import changed, or with dry_run would change."""

    source: str
    dry_run: bool
    new: list[str]
    changed: list[ChangedTool]
    gone: list[str] = Field(description="Removed: the source has them no more.")
    unchanged: list[str]
    held: list[str] = Field(description="Of the new and changed: those that wait for approval and are not offered.")
    waiting: list[str] = Field(description="Held back at an earlier import, and not approved yet.")
    refused: list[RefusedTool] = Field(description="Left out; only with skip.")
    warnings: list[WarnedTool] = Field(description="Of the new and changed: what should be known of them.")
    offer: Offer = Field(description="How many of the source's tools can be offered once they are imported.")


class Running(BaseModel):
    """What is being done to a source by this process."""

    step: str = Field(description="reading, comparing or writing.")
    tools: int


class SourceSchema(BaseModel):
    """Where tools are imported from."""

    name: str
    kind: str
    origin: str = Field(description="Its URL, file or command; empty for a document that was handed over.")
    tools: int
    waiting: int = Field(description="Those of them that wait for approval.")
    synced_at: datetime | None
    due_at: datetime | None = Field(description="When it is synchronised again.")
    error: str | None = Field(description="Why the last try failed; null: it did not.")
    running: Running | None


class SourceList(BaseModel):
    """All sources."""

    sources: list[SourceSchema]


class Approval(BaseModel):
    """What waits for approval."""

    name: str
    source: str
    digest: str = Field(description="Of what the source says now: to approve just that.")
    approved: dict[str, Any] | None = Field(description="The record that was approved; null: it is new.")
    now: dict[str, Any] = Field(description="The record that the source has now.")


class ApprovalList(BaseModel):
    """All that waits for approval."""

    waiting: list[Approval]


class Approved(BaseModel):
    """The names of the tools that were approved."""

    approved: list[str]


class Removed(BaseModel):
    """The names of the tools that were removed."""

    removed: list[str]


class ProvenanceSchema(BaseModel):
    """Where a tool was imported from."""

    tool: str
    source: str
    kind: str
    origin: str
    original: str = Field(description="Its name there; for an API method and path.")
    imported_at: datetime
    digest: str | None = Field(description="SHA-256 of the definition that was taken last; null: none was approved.")
    waiting: bool = Field(description="Whether the source has another one now, which waits for approval.")


def _import() -> dict[str, Any]:
    schema = SourceSpec.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.get("$defs", {})
    fields = {
        name: field
        for name, field in schema["properties"].items()
        if name not in ("file", "command", "env", "token", "headers")
    }
    for name in ("kind", "risk"):
        fields[name] = {"enum": _values(definitions, fields[name]), "description": fields[name]["description"]}
    fields["risks"] = {"type": "object", "description": fields["risks"]["description"]}
    fields["document"] = {"description": "The document itself, as JSON or as a text of JSON or YAML, instead of a url."}
    fields["dry_run"] = {
        "type": "boolean",
        "default": False,
        "description": "Change nothing, and say what would change.",
    }
    return {
        "title": "Import",
        "type": "object",
        "properties": fields,
        "required": ["name", "kind"],
        "additionalProperties": False,
    }


def _values(definitions: dict[str, Any], field: dict[str, Any]) -> list[str]:
    """Give the values of an enum that a field refers to."""
    options = field.get("anyOf", [field])
    named = [option["$ref"].rsplit("/", 1)[1] for option in options if "$ref" in option]
    return [value for name in named for value in definitions[name]["enum"]]


def _optional(properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a body that may be left out."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}


IMPORT = request_body(_import())
SYNC = _optional(
    {
        "dry_run": {"type": "boolean", "default": False},
        "approve": {
            "type": "boolean",
            "default": False,
            "description": "Take changed definitions, this once.",
        },
    }
)
APPROVE = _optional({"digest": {"type": "string", "description": "Of the definition that was looked at."}})
