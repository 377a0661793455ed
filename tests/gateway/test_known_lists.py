"""A client's list is known by its tools: a conversation goes on as it was, whatever becomes of the list's bytes."""

from __future__ import annotations

import random
from typing import Any

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

FIRST = [tools.user("export the invoices of the last quarter")]
LATER = [*FIRST, {"role": "assistant", "content": "Done."}, tools.user("now schedule a meeting about them")]


def after(gateway: GatewayProcess, upstream: Upstream, own: list[dict[str, Any]], later: list[dict[str, Any]]) -> None:
    """Send two turns, the second with another list; check that its tools begin with those of the first."""
    gateway.post(tools.chat(FIRST, own))
    gateway.post(tools.chat(LATER, later))
    first, second = upstream.requests
    assert 1 <= len(first.tool_names) <= 20
    assert second.tool_names[: len(first.tool_names)] == first.tool_names


def test_a_shuffled_list_is_the_same_list(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The 60 tools of a client, in another order at the second turn."""
    own = tools.distinct(60)
    shuffled = list(own)
    random.Random(3).shuffle(shuffled)
    after(bare_gateway, upstream, own, shuffled)


def test_a_list_with_one_tool_more_is_the_same_list(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A tool that comes in the midst of a conversation, at the front of the list."""
    own = tools.distinct(61)
    after(bare_gateway, upstream, own[1:], own)


def test_a_tool_that_is_gone_is_missing_and_no_other(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """What was sent and is not in the list any more falls out; the others stay in their order."""
    own = tools.distinct(60)
    bare_gateway.post(tools.chat(FIRST, own))
    gone = upstream.requests[0].tool_names[3]
    bare_gateway.post(tools.chat(LATER, [one for one in own if one["function"]["name"] != gone]))
    first, second = (seen.tool_names for seen in upstream.requests)
    assert second[: len(first) - 1] == [name for name in first if name != gone]
