"""Which calls of a conversation were answered for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.wire import answered
from tests.support import tools


def names(*messages: dict[str, Any]) -> set[str]:
    """Return the names in a body of these messages."""
    return set(answered.names(json.dumps({"messages": messages}).encode()))


def test_a_call_counts_when_it_was_answered() -> None:
    """By the id of the call, or by its name in the legacy form; a call alone does not."""
    call = tools.called("open_call")[0]
    legacy = {"role": "function", "name": "old", "content": "3"}
    parts = {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "21 degrees"}]}
    custom = {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "code"}}]}
    assert names(*tools.called("weather"), call, legacy, custom, parts) == {"weather", "old", "code"}


@pytest.mark.parametrize(
    "content",
    [
        'Invalid tool_call: "x". Available options are: ["a"]. Please try again',
        "Error: x is not a valid tool, try one of [a, b].",
        "Unknown tool name: 'x'. Available tools: 'a'",
        "Tool x not found. Please select a tool that is available.",
        "Model tried to call unavailable tool 'x'. Available tools: a.",
        "<tool_use_error>Error: No such tool available: x</tool_use_error>",
        'Tool "x" not found in registry.',
        "The tool doesn't exist.",
        '{"error": "unknown function"}',
        "工具 x 不存在",
        "ツールが見つかりません",
        "알 수 없는 도구입니다",
        [{"type": "text", "text": "Unknown tool, should be one of: a"}],
    ],
)
def test_an_answer_that_the_tool_is_not_known_is_none(content: object) -> None:
    """As the frameworks of the field write it."""
    call = tools.called("x")
    assert names(call[0], {**call[1], "content": content}) == set()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messages":null}',
        b'{"messages":[1]}',
        b'{"messages":[],"messages":[]}',
        b'{"messages":[{"tool_calls":{}},{"tool_calls":[null,{"function":5}]},{"role":"tool","tool_call_id":7}]}',
    ],
)
def test_what_cannot_be_read_says_nothing(body: bytes) -> None:
    """Whatever stands there instead of messages and calls."""
    assert answered.names(body) == frozenset()
