"""Titles that no name here can be written in are kept, so that who says them names the tool."""

from __future__ import annotations

import msgspec

from app.admin import records
from app.imports.found import Found
from app.imports.mcp import tools as mcp_tools
from app.settings.imports import SourceSpec
from router.catalog import EMPTY, Catalog, Pool
from router.named import find


def test_a_title_in_another_script_names_an_imported_tool() -> None:
    """Also where its description says the title somewhere, so that it does not stand before it."""
    spec = SourceSpec(name="wx", kind="mcp", url="https://wx.example/mcp")
    entry = {"name": "wx_q", "title": "查询天气", "description": "这个工具用来查询天气。", "inputSchema": {}}
    found = mcp_tools.read(entry, 0, spec, modern=True)
    assert isinstance(found, Found)
    tool = records.read(found.record("wx__wx_q", "wx"))
    assert msgspec.json.decode(tool.definition)["function"]["description"] == "这个工具用来查询天气。"
    pool = Pool(EMPTY, Catalog.build("1", [tool]))
    assert [mention.positions for mention in find(pool, "帮我查询天气，谢谢")] == [(0,)]
