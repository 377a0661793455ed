"""Who may be offered what."""

from __future__ import annotations

import pytest

from router.permit import permitted, refusal
from router.types import Grants, Kind, Reason, Risk, Tool
from tests.unit.router.fakes import catalog, tool

_ALL = Grants(frozenset(Risk))
_TAGGED = Grants(frozenset({Risk.READ}), frozenset({"crm", "mail"}))


@pytest.mark.parametrize(
    ("registered", "grants", "reason"),
    [
        (tool("a"), Grants(), None),
        (tool("a", risk=Risk.WRITE), Grants(), Reason.NOT_PERMITTED),
        (tool("a", risk=Risk.WRITE), _ALL, None),
        (tool("a", risk=Risk.DANGEROUS), _ALL, Reason.NOT_PERMITTED),
        (tool("a", enabled=False), _ALL, Reason.DISABLED),
        (tool("a", tags=("mail", "x")), _TAGGED, None),
        (tool("a", tags=("x",)), _TAGGED, Reason.NOT_PERMITTED),
        (tool("a"), _TAGGED, Reason.NOT_PERMITTED),
        (tool("a"), Grants(frozenset()), Reason.NOT_PERMITTED),
    ],
)
def test_refusal_names_the_reason(registered: Tool, grants: Grants, reason: Reason | None) -> None:
    """Disabled, dangerous, not granted and untagged tools are refused; dangerous ones whatever is granted."""
    assert refusal(registered, grants) is reason


def test_permitted_asks_risk_and_kind() -> None:
    """A tool is offered when it is not refused and the client's list can hold its kind."""
    tools = catalog(tool("a"), tool("b", risk=Risk.WRITE), tool("c", kind=Kind.CUSTOM))
    assert permitted(tools, Grants(), frozenset({Kind.FUNCTION})).tolist() == [True, False, False]
    assert permitted(tools, Grants(), frozenset(Kind)).tolist() == [True, False, True]
