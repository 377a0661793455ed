"""What a row's digest is made of."""

from __future__ import annotations

from dataclasses import replace

from app.registry import rows
from router.types import Tool

TOOL = Tool("a", b"{}", description="d", tags=("t",), source="s")


def test_a_record_without_tenant_keeps_its_digest() -> None:
    """After the upgrade an import of what is registered changes nothing: this is the digest of before."""
    assert rows.from_tool(TOOL)["digest"] == "26b48b760c39ffb0bb610e53012df180"


def test_a_tenant_is_a_change() -> None:
    """Each tenant gives another digest, and the same vector."""
    made = [rows.from_tool(replace(TOOL, tenant=tenant)) for tenant in ("", "acme", "globex")]
    assert len({row["digest"] for row in made}) == 3
    assert len({row["text_digest"] for row in made}) == 1
