"""A tool that a request names is sent, in whatever way its name is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

NAMES = ["archive_blood_test", "schedule_parcel_locker", "compare_thesis", "share_hotel_room"]
WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "run together": lambda name: name.replace("_", ""),
    "kebab": lambda name: name.replace("_", "-"),
    "Korean": lambda name: f"{name}를 실행해줘",
    "Japanese": lambda name: f"{name}を実行してください",
    "Chinese": lambda name: f"请调用{name}工具",
    "full width": lambda name: "".join(chr(ord(sign) + 0xFEE0) for sign in name),
    "with a server": lambda name: f"mcp__server__{name}",
    "a letter less": lambda name: f"use {name[:6]}{name[7:]} now",
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_named_tool_is_sent_in_any_writing(stocked_gateway: GatewayProcess, upstream: Upstream, writing: str) -> None:
    """Each of four tools of the catalogue, written so."""
    for name in NAMES:
        stocked_gateway.post(tools.chat(WRITINGS[writing](name)))
    assert [name in seen.tool_names for name, seen in zip(NAMES, upstream.requests, strict=True)] == [True] * 4


def test_a_dozen_named_tools_are_sent(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """All of those that one sentence names, and all of those that the next turn names."""
    things = ["recipe", "exam", "lamp", "robot"]
    dozen = [f"{action}_{thing}" for thing in things for action in ("archive", "share", "approve")]
    said = [tools.user(f"Use {', '.join(dozen[:-1])} and then {dozen[-1]} to finish the job.")]
    stocked_gateway.post(tools.chat(said))
    said += [{"role": "assistant", "content": "Done."}, tools.user(f"thanks! at last {', '.join(NAMES)}")]
    stocked_gateway.post(tools.chat(said))
    first, second = upstream.requests
    assert set(dozen) <= set(first.tool_names)
    assert second.tool_names[: 12 + len(NAMES)] == [*first.tool_names, *NAMES]


def test_a_client_s_own_tools_are_named_likewise(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Of 300 tools in the request the twenty that it names are sent."""
    own = tools.distinct(300)
    wanted = [tool["function"]["name"] for tool in own[5::15]]
    bare_gateway.post(tools.chat(f"{' '.join(wanted)}", own))
    assert set(upstream.requests[-1].tool_names) == set(wanted)


def test_an_explanation_tells_what_is_named(stocked_gateway: GatewayProcess) -> None:
    """The rows of tools that the request names say so."""
    decision = stocked_gateway.admin(
        "POST", "/admin/route", content=tools.encoded(tools.chat("please archive-blood-test"))
    ).json()
    assert [row["name"] for row in decision["tools"] if row["named"]] == ["archive_blood_test"]
    assert [row["why"] for row in decision["tools"] if row["named"]] == ["named"]
