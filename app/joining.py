"""Whether the catalogue's tools join those that a request brings: one decision, `decide`, with its reason.

Law: a tool that nobody can run is not offered. An application that sends tools runs those; that it runs the catalogue's
too is what the operator, its key or its header says (`both`), or what the conversation shows. It shows it by what stays
in its history, and by its list: what has joined stays joined, and `decide` asks nothing but the request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from app.settings import SourcePolicy
from app.settings.tools import Granted
from app.wire import answered
from app.wire.chat import ChatRequest
from router.catalog import Catalog
from router.permit import ANYONE, refusal
from router.types import Grants, Risk, Source, Tool

_FEW = 2  # parameters: with fewer, `search(query)` is everybody's


class Why(StrEnum):
    """Why a request has the source it has; the other reasons are who said it, see `Granted`."""

    FORCED = "forced"
    STRUCTURED = "structured"
    ALONE = "no-own"
    DECLARED = "declared"
    CALLED = "called"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whose tools a request gets, and why."""

    source: Source
    why: str


def decide(  # noqa: PLR0913, PLR0917 - what it is decided by
    said: Granted, request: ChatRequest, own: Catalog, catalog: Catalog, grants: Grants, most: int, removed: int = 0
) -> Decision:
    """Return whose tools a request gets.

    `own` is its list, without the `removed` tools that were set aside before; `most` is how many of its own are kept
    whatever is asked.
    """
    if said.policy is SourcePolicy.REQUEST:
        return Decision(Source.REQUEST, said.said_by)
    if request.forces:
        foreign = any(name not in own.by_name for name in request.forced)
        return Decision(Source.FORCED if foreign else Source.REQUEST, Why.FORCED)
    if request.structured and not (len(own) or removed or request.demanding):
        return Decision(Source.REQUEST, Why.STRUCTURED)
    if said.policy is not SourcePolicy.AUTO:
        return Decision(Source(said.policy.value), said.said_by)
    why = joins(request, own, catalog, grants, most)
    return Decision(Source.REQUEST if why is Why.OWN else Source.BOTH, why)


def joins(request: ChatRequest, own: Catalog, catalog: Catalog, grants: Grants, most: int) -> Why:
    """Return why the catalogue joins a request whose source is `auto`; `Why.OWN`: it does not.

    Tools that the gateway runs itself would join here, too, as far as they are marked so.
    """
    if not len(own):
        return Why.OWN if _leaves_out_its_own(request, catalog, grants) else Why.ALONE
    shared = own.by_name.keys() & catalog.by_name.keys()
    if any(_is_of(catalog, own.tools[position], grants) for name in shared for position in own.by_name[name]):
        return Why.DECLARED
    # A longer list is trimmed by what is asked: tools that join later would have others chosen, of those sent before.
    if len(own) <= most and _has_answered(request, own, catalog, grants):
        return Why.CALLED
    return Why.OWN


def _is_of(catalog: Catalog, own: Tool, grants: Grants) -> bool:
    """Return whether a client's tool is one of the catalogue's: the same name, and the same to call."""
    for row in catalog.by_name.get(own.name, ()):
        tool = catalog.tools[row]
        names = {parameter.name for parameter in own.parameters}
        same = names == {parameter.name for parameter in tool.parameters}
        alike = len(names) >= _FEW or own.description.split() == tool.description.split()
        if same and alike and _is_reached(tool, grants):
            return True
    return False


def _has_answered(request: ChatRequest, own: Catalog, catalog: Catalog, grants: Grants) -> bool:
    """Return whether a tool of the catalogue that is not in the list was called before, and was answered for."""
    called = {name for turn in request.conversation.turns for name in turn.calls if name not in own.by_name}
    rows = {name: catalog.by_name[name] for name in called if name in catalog.by_name}
    reached = {name for name in rows if any(_is_reached(catalog.tools[row], grants) for row in rows[name])}
    return bool(reached) and not reached.isdisjoint(answered.names(request.body))


def _leaves_out_its_own(request: ChatRequest, catalog: Catalog, grants: Grants) -> bool:
    """Return whether an application has tools, none of them the catalogue's, and now asks for a text alone."""
    called = {name for turn in request.conversation.turns for name in turn.calls}
    rows = (row for name in called for row in catalog.by_name.get(name, ()))
    return bool(called) and not request.demanding and not any(_is_reached(catalog.tools[row], grants) for row in rows)


def _is_reached(tool: Tool, grants: Grants) -> bool:
    """Return whether a tool is there for a caller at all; to name a foreign one is to name one that does not exist."""
    offered = replace(tool, enabled=True, risk=Risk.READ)
    return refusal(offered, replace(grants, risks=ANYONE.risks, wanted=frozenset())) is None
