"""Which tools of a conversation were called and answered for. Read only where that decides something.

An answer that tells of a call which could not be made is none: whoever does not know a tool says so to the model.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.wire import members

_READ = 400  # characters of an answer: what went wrong is said at its beginning
_REFUSED = re.compile(
    r"\A\W*(<[^>]*>\s*)*(tool[ _]?)?error\b"
    r"|\b(unknown|invalid|unavailable|unrecogni[sz]ed|undefined|unsupported|no such|not an?)\b"
    r"|(\b(not|never)|n.t) (be )?(\w+ )?(valid|found|available|exist\w*|register\w*|support\w*|defined?|recogni[sz]ed"
    r"|allowed|permitted|implemented|run|executed)\b"
    r"|\b(available|valid|possible) (tools|functions|options)\b|\bone of\b|\b(rejected|cancell?ed|aborted|denied)\b"
    r"|未知|不存在|找不到|无效|不可用|不支持|不明|見つかり|存在しません|無効|알 수 없|찾을 수 없|없습니다|잘못된",
    re.IGNORECASE,
)


class _Message(msgspec.Struct):
    role: Any = None
    content: Any = None
    name: Any = None
    tool_calls: Any = None
    function_call: Any = None
    tool_call_id: Any = None


_MESSAGES = msgspec.json.Decoder(list[_Message])


def names(body: bytes) -> frozenset[str]:
    """Return the names of the tools that were called and answered for; none of a body that cannot be read."""
    try:
        member = members.read(body).get("messages")
        messages = _MESSAGES.decode(members.paired(member.raw)) if member is not None else []
    except (members.NotAnObject, members.DuplicateKeys, msgspec.MsgspecError, RecursionError):
        return frozenset()
    called: dict[str, str] = {}
    found: set[str] = set()
    for message in messages:
        called |= _calls(message)
        name = message.name if message.role == "function" else called.get(str(message.tool_call_id), "")
        if message.role in ("tool", "function") and isinstance(name, str) and not _refuses(message.content):
            found.add(name)
    return frozenset(found - {""})


def _calls(message: _Message) -> dict[str, str]:
    """Return the names that a message calls, by the ids of the calls."""
    calls = message.tool_calls if isinstance(message.tool_calls, list) else ()
    found = {}
    for call in calls:
        if isinstance(call, dict):
            inner = call.get("function") or call.get("custom")
            name = inner.get("name") if isinstance(inner, dict) else None
            if isinstance(name, str):
                found[str(call.get("id"))] = name
    return found


def _refuses(content: object) -> bool:
    return _REFUSED.search(_text(content)[:_READ]) is not None


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
