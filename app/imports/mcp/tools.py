"""One tool of an MCP server -> what an import takes of it.

What a server says of itself may raise the risk of a tool and never lower it. Source: MCP 2026-07-28, server/tools.
"""

from __future__ import annotations

from mcp.types import Tool

from app.imports.found import Found, digest_of, function
from app.settings.imports import SourceSpec
from router.types import Risk

_RISKS = list(Risk)  # from harmless to dangerous


def found(tool: Tool, spec: SourceSpec) -> Found:
    """Take over a tool. Its digest is of all that a model or an operator goes by, and of where the server is."""
    said = tool.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"meta", "icons"})
    schema = dict(tool.input_schema)
    if schema.get("type") == "object":
        schema.setdefault("properties", {})  # some providers refuse an object without it
    description = tool.description or tool.title or (tool.annotations.title if tool.annotations else "") or ""
    return Found(
        tool.name, tool.name, function(description, schema), digest_of(said, spec.origin), (), risk(tool, spec)
    )


def risk(tool: Tool, spec: SourceSpec) -> Risk:
    """Give the risk of the source, `write` unless it is configured, raised by what the server says of the tool.

    That a hint is not there says nothing, though the protocol takes it for destructive: else no tool of a server
    without hints could ever be offered.
    """
    least = spec.risk or Risk.WRITE
    said = tool.annotations
    if said is None or said.read_only_hint:
        return least
    if said.destructive_hint:
        return Risk.DANGEROUS
    return max(least, Risk.WRITE, key=_RISKS.index) if said.read_only_hint is False else least
