"""Which of the paths that pass as they are answer for a model, so that tools may be in their requests.

Nothing is looked for in their bodies: what is said of such a request is that its tools, if any, were not looked at.
"""

from __future__ import annotations

import re

REASON = "unsupported"
# OpenAI's Responses, Assistants and Realtime, Anthropic's Messages, DashScope's own, Gemini's, Mistral's, Cohere's, and
# chats by any other way than the one that is routed.
_PATH = re.compile(
    r"/v1/(.*/)?("
    r"responses|messages|chat/completions|chat|agents/completions|conversations(/[^/]+)?|realtime/(sessions|client_secrets)"
    r"|assistants(/[^/]+)?|threads/([^/]+/)?runs|services/aigc/[^/]+/generation|models/[^/]+:(stream)?generatecontent"
    r")/*"
)


def may_carry_tools(method: str, path: str) -> bool:
    """Return whether this is a request to a model that may have tools in it, and is not routed."""
    return method == "POST" and _PATH.fullmatch(path.lower()) is not None
