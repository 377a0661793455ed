"""What becomes of a request where the catalogue's tools alone are sent (`tools.source: registry`).

Law: the client's tools are taken out before anything else is done, and whatever happens then, none of them goes out:
not when routing fails or is late, not when the caller asks for none. A request that cannot be read is refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from app.errors import BadRequest, NotFound, Overloaded
from app.gateway.identify import Caller
from app.routing import Routed, Routing
from app.wire import own_tools
from router.catalog import Catalog

_RULE = "This gateway offers the tools of its catalogue alone (tools.source: registry)"
_LATE = ("timeout", "failed")
_CHAT = ["chat", "completions"]


async def route(routing: Routing, body: bytes, catalog: Catalog, caller: Caller, share: str) -> Routed:
    """Return the body to send.

    Raises:
        BadRequest: It cannot be read, or demands a tool that it cannot have.
        Overloaded: There was no time to look at it, or to find the tool that it demands.
    """
    try:
        bare = await routing.without_own(body, share)
    except own_tools.NotReadable as error:
        raise BadRequest(f"{_RULE}, so it must be able to read a request: {error}.") from error
    except TimeoutError:
        raise late() from None
    if caller.options.off:
        done = Routed(bare.body, "off")
    else:
        done = await routing.route(bare.body, catalog, caller.options, caller.owner, share, removed=bare.removed)
    sent = {tool.name for tool in done.selection.tools} if done.outcome == "routed" and done.selection else set()
    try:
        return replace(done, body=own_tools.settled(bare, done.body, sent), set_aside=bare.removed)
    except own_tools.UnmetChoice as error:
        if done.outcome in _LATE:
            raise late() from error
        raise BadRequest(f"{_RULE}, and this request cannot have what its tool_choice says: {error}.") from error


def unreadable() -> BadRequest:
    """Return the refusal of a body in a coding that is not known."""
    return BadRequest(f"{_RULE}, so it must be able to read a request; it cannot undo this content-encoding.")


def late() -> Overloaded:
    """Return the refusal of a request for which there was no time."""
    return Overloaded(f"{_RULE}, and had no time to find what this request needs. Try again in a moment.")


def check_path(path: str) -> None:
    """Refuse what another server could take for the path of chat requests, and this one does not.

    Raises:
        NotFound: It looks like that.
    """
    parts: list[str] = []
    for part in re.split(r"[/\\]+", unquote(unquote(path)).lower()):
        name = part.partition(";")[0].strip()
        if name == "..":
            del parts[-1:]
        elif name not in ("", "."):
            parts.append(name)
    if parts[-2:] == _CHAT:
        raise NotFound(f"{_RULE}, and takes chat requests at POST /v1/chat/completions, written like that.")
