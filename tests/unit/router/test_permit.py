"""Who may be offered what."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.permit import barriers, permitted, refusal
from router.types import Barrier, Grants, Kind, Reason, Risk, Tool
from tests.unit.router.fakes import catalog, tool

_ALL = Grants(frozenset(Risk))
_SOURCED = Grants(sources=frozenset({"crm", "erp"}))
_TAGGED = Grants(frozenset({Risk.READ}), frozenset({"crm", "mail"}))
_OF_ACME = Grants(tenants=frozenset({"acme"}))
_WANTED = Grants(tags=frozenset({"crm"}), wanted=frozenset({"mail"}))


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
        (tool("a", source="erp"), _SOURCED, None),
        (tool("a", source="mail"), _SOURCED, Reason.NOT_PERMITTED),
        (tool("a"), _SOURCED, Reason.NOT_PERMITTED),
        (tool("a", tenant="acme"), Grants(), Reason.NOT_PERMITTED),
        (tool("a", tenant="acme"), _OF_ACME, None),
        (tool("a", tenant="globex"), _OF_ACME, Reason.NOT_PERMITTED),
        (tool("a"), _OF_ACME, None),
        (tool("a", tags=("crm",)), _WANTED, Reason.NOT_PERMITTED),
        (tool("a", tags=("mail",)), _WANTED, Reason.NOT_PERMITTED),
        (tool("a", tags=("mail", "crm")), _WANTED, None),
    ],
)
def test_refusal_names_the_reason(registered: Tool, grants: Grants, reason: Reason | None) -> None:
    """Disabled, dangerous, not granted, untagged and foreign tools are refused; dangerous ones whatever is granted."""
    assert refusal(registered, grants) is reason


@pytest.mark.parametrize(
    ("registered", "grants", "found"),
    [
        (tool("a"), Grants(), ()),
        (tool("a", enabled=False, risk=Risk.WRITE), Grants(), (Barrier.DISABLED, Barrier.RISK)),
        (tool("a", risk=Risk.DANGEROUS), _ALL, (Barrier.DANGEROUS,)),
        (tool("a", tenant="globex"), _OF_ACME, (Barrier.TENANT,)),
        (tool("a", tags=("x",)), _WANTED, (Barrier.TAGS, Barrier.WANTED)),
        (tool("a", source="mail", kind=Kind.CUSTOM), _SOURCED, (Barrier.SOURCE, Barrier.KIND)),
    ],
)
def test_barriers_are_all_that_keeps_a_tool_back(registered: Tool, grants: Grants, found: tuple[Barrier, ...]) -> None:
    """Each is named, not only the first."""
    assert barriers(registered, grants, frozenset({Kind.FUNCTION})) == found


def test_permitted_asks_risk_and_kind() -> None:
    """A tool is offered when it is not refused and the client's list can hold its kind."""
    tools = catalog(tool("a"), tool("b", risk=Risk.WRITE), tool("c", kind=Kind.CUSTOM))
    assert permitted(tools, Grants(), frozenset({Kind.FUNCTION})).tolist() == [True, False, False]
    assert permitted(tools, Grants(), frozenset(Kind)).tolist() == [True, False, True]


_TOOLS = st.lists(
    st.builds(
        tool,
        st.just("a"),
        risk=st.sampled_from(Risk),
        kind=st.sampled_from(Kind),
        enabled=st.booleans(),
        tags=st.lists(st.sampled_from("xyz"), max_size=2).map(tuple),
        source=st.sampled_from(("", "crm", "erp")),
        tenant=st.sampled_from(("", "acme", "globex")),
    ),
    max_size=6,
)
_GRANTS = st.builds(
    Grants,
    st.frozensets(st.sampled_from(Risk)),
    st.frozensets(st.sampled_from("xyzu")),
    st.frozensets(st.sampled_from(("", "crm", "mail"))),
    st.frozensets(st.sampled_from(("", "acme", "initech"))),
    st.frozensets(st.sampled_from("xu")),
)


@example([tool("a", risk=Risk.DANGEROUS), tool("b", enabled=False)], Grants(frozenset(Risk)), frozenset(Kind))
@given(_TOOLS, _GRANTS, st.frozensets(st.sampled_from(Kind)))
def test_permitted_is_refusal_for_every_tool(tools: list[Tool], grants: Grants, kinds: frozenset[Kind]) -> None:
    """What the arrays say of all tools at once is what the rules say of each."""
    expected = [refusal(one, grants) is None and one.kind in kinds for one in tools]
    assert expected == [not barriers(one, grants, kinds) for one in tools]
    assert permitted(catalog(*tools), grants, kinds).tolist() == expected
