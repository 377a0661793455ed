"""Work without measure: what one caller sends neither stops the others nor stays for long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

MARKS = "\u0300" * 20_000 + "\u0316" * 20_000
VALUES = {"type": "object", "properties": {"p": {"enum": [MARKS]}}}
QUESTION = "list the invoices"
FORTY = tools.distinct(40)


@pytest.mark.parametrize("case", ["a description", "a value", "the question", "a name"])
def test_b27_a_text_of_marks_is_read_as_any_other(bare_gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A request whose texts are 40,000 combining marks, in the worst order, is trimmed as any other."""
    odd = {
        "a description": tools.function("odd", MARKS),
        "a value": {"type": "function", "function": {"name": "odd", "parameters": VALUES}},
        "the question": tools.function("odd"),
        "a name": tools.function(MARKS),
    }[case]
    bare_gateway.post(tools.chat(f"{QUESTION} {MARKS * (case == 'the question')}", [*FORTY, *[odd] * 6]))
    assert len(upstream.last.tool_names) == 12


def test_b27_a_name_that_is_there_again_and_again_keeps_no_thread(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Behind eight lists of 3,000 tools of one name somebody else's request is routed."""
    bodies = [tools.chat(f"use tool a please {number}", [tools.function("a")] * 3_000) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert {answer.status_code for answer in threads.map(bare_gateway.post, bodies)} == {200}
    bare_gateway.post(tools.chat(f"{QUESTION} of yesterday", FORTY), authorization="Bearer sk-of-another")
    assert len(upstream.last.tool_names) == 12


def test_b27_tools_that_stay_are_counted_once(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """10,000 tools that may not be trimmed are all sent beside the few that are chosen, at the first turn and later."""
    listed = [*[{"type": "x"}] * 10_000, *FORTY]
    for turns in (0, 4):
        said = [one for turn in range(turns) for one in (tools.user(f"hello {turn}"), *tools.called("x"))]
        bare_gateway.post(tools.chat([*said, tools.user(QUESTION)], listed))
        sent = tools.listed(upstream.last.body)
        assert sent.count(b'{"type":"x"}') == 10_000
        assert 12 <= len(upstream.last.json()["tools"]) - 10_000 <= 20


def test_b27_a_record_of_an_operator_has_a_bound(bare_gateway: GatewayProcess) -> None:
    """A description of 6 MB is taken, as it is; a record of more than 8 MiB is a 400."""
    for size, status in ((6 * 10**6, 201), (9 * 10**6, 400)):
        tool = tools.function("large", "caf\u00e9 " * (size // 6))
        answer = bare_gateway.admin(
            "PUT", "/admin/tools/large", content=tools.encoded({"tool": tool, "enabled": False})
        )
        assert answer.status_code == status, answer.text[:300]
    assert "8,388,608" in answer.json()["error"]["message"]
    assert bare_gateway.admin("DELETE", "/admin/tools/large").status_code == 204
